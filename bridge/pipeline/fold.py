"""Many changes of one entity become one write. Pure.

Per key the newest stamp wins, over the changes and over what Metronome holds already. So the outcome depends neither on
the order in which changes arrive nor on how they are cut into deliveries.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from bridge.model import Field, StoredChange, Write


@dataclass(frozen=True, slots=True)
class Fold:
    #: What Metronome holds after the write, of the keys in it.
    written: Mapping[str, Field]
    #: What it holds anyway: the value is the same, only its origin is newer.
    unchanged: Mapping[str, Field] = field(default_factory=dict)
    #: Changes of which nothing is left: every key has a newer value.
    superseded: tuple[int, ...] = ()
    #: The others: Metronome holds something of them once the write is made.
    effective: tuple[int, ...] = ()

    @property
    def write(self) -> Write:
        return Write(
            set={key: held.value for key, held in self.written.items() if held.value is not None},
            remove=tuple(key for key, held in self.written.items() if held.value is None),
        )


def fold(changes: Iterable[StoredChange], known: Mapping[str, Field], *, resend_unchanged: bool = False) -> Fold:
    newest = dict(known)
    changes = tuple(changes)
    for change in changes:
        for key, value in change.values.items():
            if key not in newest or newest[key].stamp < change.stamp:
                newest[key] = Field(value, change.stamp)
    fresh = {key: held for key, held in newest.items() if held != known.get(key)}
    unchanged = {
        key: held
        for key, held in fresh.items()
        if key in known and is_held(known[key], held.value) and not resend_unchanged
    }
    effective = {held.stamp.change for held in newest.values()}
    return Fold(
        written={key: held for key, held in fresh.items() if key not in unchanged},
        unchanged=unchanged,
        superseded=tuple(change.id for change in changes if change.id not in effective),
        effective=tuple(change.id for change in changes if change.id in effective),
    )


def is_held(known: Field, value: str | None) -> bool:
    """Whether Metronome certainly holds this value already."""
    return known.value == value and not (known.doubted or known.unsure)


def doubted(known: Mapping[str, Field]) -> Mapping[str, Field]:
    """What must be written again, because Metronome may hold something older.

    Not what is unsure: what Metronome holds of that may be newer, and only a new event may replace it.
    """
    return {key: replace(held, doubted=False) for key, held in known.items() if held.doubted and not held.unsure}
