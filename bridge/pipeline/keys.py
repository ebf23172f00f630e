"""Metronome's allow-lists: read whole, and added to."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

from bridge.errors import BridgeError
from bridge.mapping.keys import Declared, Key
from bridge.metronome import keys
from bridge.metronome.client import Client
from bridge.model import Verdict
from bridge.pipeline.caller import Caller
from bridge.pipeline.retry import said

#: More than any account has: an API that gives pages without end is not followed.
MAX_PAGES = 1000

#: Passes keys on, and may show how far they are.
Watch = Callable[[Sequence[Key]], Iterable[Key]]


class Result(StrEnum):
    ADDED = "added"
    #: Somebody else has added it in the meantime.
    THERE = "there already"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Addition:
    """What became of one key that was missing."""

    key: Key
    result: Result
    #: Whether Metronome sees to uniqueness now. None: it is not there.
    unique: bool | None = None
    #: Metronome's words, if it refuses.
    reason: str = ""


def allowed(caller: Caller, client: Client) -> Mapping[Key, bool]:
    """Every key that Metronome allows, and whether it sees to uniqueness. Raises BridgeError."""
    found: dict[Key, bool] = {}
    cursor = None
    for _ in range(MAX_PAGES):
        outcome, (page, cursor) = caller.make(partial(keys.list_keys, client, cursor))
        if outcome.verdict is not Verdict.ACCEPTED:
            raise BridgeError(f"the custom field keys cannot be listed: {said(outcome)}")
        found |= {Key(*key): unique for key, unique in page.items()}
        if cursor is None:
            return found
    raise BridgeError(f"the list of custom field keys has no end: {MAX_PAGES} pages were read")


def add(caller: Caller, client: Client, missing: Mapping[Key, Declared], watch: Watch = iter) -> list[Addition]:
    """Add each key. Whether one that is refused is there by now is seen in the list, not guessed from the answer."""
    additions: dict[Key, Addition] = {}
    for key in watch(list(missing)):
        unique = missing[key].unique
        outcome, _ = caller.make(partial(keys.add_key, client, *key, unique=unique))
        accepted = outcome.verdict is Verdict.ACCEPTED
        additions[key] = Addition(key, Result.ADDED, unique) if accepted else refused(key, said(outcome))
    if any(one.result is Result.REFUSED for one in additions.values()):
        there = allowed(caller, client)
        additions |= {
            key: Addition(key, Result.THERE, there[key])
            for key, one in additions.items()
            if one.result is Result.REFUSED and key in there
        }
    return list(additions.values())


def refused(key: Key, reason: str) -> Addition:
    return Addition(key, Result.REFUSED, reason=reason)
