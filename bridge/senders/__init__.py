"""Who calls us. A module here with a SENDER is a sender: nothing else needs to know of it."""

from collections.abc import Mapping
from importlib import import_module
from pkgutil import iter_modules
from types import MappingProxyType

from bridge.senders.base import Answer, Secrets, Sender

__all__ = ["SENDERS", "Answer", "Secrets", "Sender"]


def discover() -> Mapping[str, Sender]:
    modules = [import_module(f"{__name__}.{module.name}") for module in iter_modules(__path__)]
    found = [module.SENDER for module in modules if hasattr(module, "SENDER")]
    return MappingProxyType({sender.name: sender for sender in sorted(found, key=lambda sender: sender.name)})


SENDERS = discover()
