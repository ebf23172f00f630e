"""Two end states of the same keys, beside each other: what differs. Pure but for the spill that is handed in."""

from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from heapq import merge
from itertools import groupby
from operator import itemgetter

from bridge.model import Change, Field, Reference, Stamp, Target
from bridge.store.spill import Row, Spill

#: How many entities and keys are held in memory before they go to the spill.
MOST_IN_MEMORY = 300_000

Held = tuple[Target, Field]


class Kind(StrEnum):
    """How the state after differs from that before."""

    #: A value where there was none.
    ADDED = "added"
    #: Another value.
    CHANGED = "changed"
    #: The key is removed from the entity.
    REMOVED = "removed"
    #: Nothing touches the key any more: the entity keeps what it holds.
    UNMAPPED = "unmapped"


@dataclass(frozen=True, slots=True)
class Difference:
    """One key whose value is not the same."""

    target: Target
    #: None: nothing touches the key. A field whose value is None: the key is removed.
    before: Field | None
    after: Field | None

    @property
    def kind(self) -> Kind:
        if self.after is None:
            return Kind.UNMAPPED
        if self.after.value is None:
            return Kind.REMOVED
        return Kind.CHANGED if self.before and self.before.value is not None else Kind.ADDED

    @property
    def event(self) -> int:
        """The number of the event that makes it so; where nothing does any more, of the one that did before."""
        held = self.after or self.before
        return held.stamp.event if held else 0


class Folded:
    """The end state of any number of changes: per key the newest stamp wins, in whatever order they are added.

    Memory is bounded: beyond `most` entities and keys, they go to the spill. Of entities' keys, `only` some are kept.
    """

    def __init__(
        self, spill: Spill, most: int = MOST_IN_MEMORY, only: Container[tuple[str, str]] | None = None
    ) -> None:
        self.spill = spill
        self.most = most
        self.only = only
        self.held: dict[tuple[str, Reference], dict[str, tuple[str | None, Stamp]]] = {}
        #: How many entities and keys are in memory.
        self.size = 0
        self.has_spilled = False

    def add(self, change: Change, stamp: Stamp) -> None:
        self.keep(change.entity, change.reference, change.set.items(), stamp)
        self.keep(change.entity, change.reference, ((key, None) for key in change.remove), stamp)

    def hold(self, target: Target, field: Field) -> None:
        self.keep(target.entity, target.reference, ((target.key, field.value),), field.stamp)

    def keep(self, entity: str, reference: Reference, values: Iterable[tuple[str, str | None]], stamp: Stamp) -> None:
        whose = entity, reference
        if whose not in self.held:
            self.held[whose] = {}
            self.size += 1
        keys = self.held[whose]
        self.size -= len(keys)
        for key, value in values:
            known = keys.get(key)
            if (known is None or known[1] < stamp) and (self.only is None or (entity, key) in self.only):
                keys[key] = value, stamp
        self.size += len(keys)
        if self.size > self.most:
            self.flush()

    def flush(self) -> None:
        self.spill.put(self.rows())
        self.held.clear()
        self.size = 0
        self.has_spilled = True

    def rows(self) -> Iterator[Row]:
        """What is in memory, in the order of targets."""
        for (entity, (kind, value)), keys in sorted(self.held.items(), key=itemgetter(0)):
            for key, (text, stamp) in sorted(keys.items()):
                yield entity, kind, value, key, text, *stamp

    def __iter__(self) -> Iterator[Held]:
        """In the order of targets."""
        if self.has_spilled:
            self.flush()
        for entity, kind, value, key, text, *stamp in self.spill.rows() if self.has_spilled else self.rows():
            yield Target(entity, Reference(kind, value), key), Field(text, Stamp(*stamp))


def compare(before: Iterable[Held], after: Iterable[Held]) -> Iterator[Difference]:
    """What differs in value, in the order of targets. Both sides must come in that order."""
    both = merge(marked(before, "before"), marked(after, "after"), key=itemgetter(0))
    for target, found in groupby(both, key=itemgetter(0)):
        fields = {side: field for _, side, field in found}
        old, new = fields.get("before"), fields.get("after")
        if old is None or new is None or old.value != new.value:
            yield Difference(target, old, new)


def marked(held: Iterable[Held], side: str) -> Iterator[tuple[Target, str, Field]]:
    for target, field in held:
        yield target, side, field
