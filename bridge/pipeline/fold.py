"""Many changes of one entity become one write. Pure.

Per key the newest stamp wins, over the changes and over what Metronome holds already. So the outcome depends neither on
the order in which changes arrive nor on how they are cut into deliveries.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bridge.model import Field, StoredChange, Write


@dataclass(frozen=True, slots=True)
class Fold:
    write: Write
    #: What Metronome holds after the write, of the keys in it.
    written: Mapping[str, Field]
    #: What it holds anyway: the value is the same, only its origin is newer.
    unchanged: Mapping[str, Field]
    #: Changes of which nothing is left: every key has a newer value.
    superseded: tuple[int, ...]
    #: The others: Metronome holds something of them once the write is made.
    effective: tuple[int, ...]


def fold(changes: Iterable[StoredChange], known: Mapping[str, Field], *, resend_unchanged: bool = False) -> Fold:
    newest = dict(known)
    changes = tuple(changes)
    for change in changes:
        for key, value in change.values.items():
            if key not in newest or newest[key].stamp < change.stamp:
                newest[key] = Field(value, change.stamp)
    fresh = {key: field for key, field in newest.items() if field != known.get(key)}
    unchanged = {
        key: field
        for key, field in fresh.items()
        if key in known and known[key].value == field.value and not resend_unchanged
    }
    written = {key: field for key, field in fresh.items() if key not in unchanged}
    effective = {field.stamp.change for field in newest.values()}
    return Fold(
        write=Write(
            set={key: field.value for key, field in written.items() if field.value is not None},
            remove=tuple(key for key, field in written.items() if field.value is None),
        ),
        written=written,
        unchanged=unchanged,
        superseded=tuple(change.id for change in changes if change.id not in effective),
        effective=tuple(change.id for change in changes if change.id in effective),
    )
