"""The event types that vendors publish, as our readers give them. Vendors add types: others may be true as well."""

from functools import cache
from importlib.resources import files


@cache
def event_types(sender: str) -> tuple[str, ...]:
    """Those of one sender, in order; none where the vendor publishes no list, or users name the types."""
    path = files("bridge.senders") / "event_types" / f"{sender}.txt"
    if not path.is_file():
        return ()
    return tuple(line for line in path.read_text("utf-8").splitlines() if line and not line.startswith("#"))
