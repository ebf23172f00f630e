"""How far the search for a key that Metronome refuses has come, kept with the entity from one lease to the next."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import orjson

Keys = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Isolation:
    #: Groups of keys that are still to be sent, each by itself. Empty: no search is under way.
    groups: tuple[Keys, ...] = ()
    #: Key -> how many values of it Metronome has refused in this search.
    refused: Mapping[str, int] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.groups or self.refused)

    def to_json(self) -> str | None:
        return orjson.dumps([self.groups, self.refused]).decode() if self else None

    @classmethod
    def from_json(cls, text: str | None) -> "Isolation":
        if text is None:
            return cls()
        groups, refused = orjson.loads(text)
        return cls(tuple(map(tuple, groups)), refused)


#: No search is under way.
NO_ISOLATION = Isolation()
