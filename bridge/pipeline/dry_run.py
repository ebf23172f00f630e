"""What a file would change, without storing anything: its end state beside what Metronome holds as far as we know."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice

from bridge.model import Field, Stamp, Target
from bridge.pipeline.backfill import Made
from bridge.pipeline.compare import Folded, Held
from bridge.store import Store
from bridge.store.spill import Spill

#: Numbers of events that come after all that are stored.
NEXT_EVENT = 1 << 62
#: Keys that are looked up at a time.
STEP = 500


class Effect(StrEnum):
    """What becomes of a key."""

    SET = "set"
    CHANGED = "changed"
    REMOVED = "removed"
    #: It has that value, or has none.
    UNCHANGED = "unchanged"
    #: The bridge knows something newer, and that stays.
    OLDER = "older than what is known"


@dataclass(frozen=True, slots=True)
class Effected:
    target: Target
    effect: Effect
    #: None: removed.
    after: str | None
    #: None: no value is known.
    before: str | None


class DryRun:
    """Takes events as the store would, and remembers only the end state, in bounded memory."""

    def __init__(self, store: Store, spill: Spill) -> None:
        self.store = store
        self.folded = Folded(spill)
        self.taken = 0

    def take(self, made: Sequence[Made]) -> int:
        for one in made:
            self.taken += 1
            for number, change in enumerate(one.changes):
                self.folded.add(change, Stamp(change.occurred_at, NEXT_EVENT + self.taken, number))
        return len(made)

    def effects(self) -> Iterator[Effected]:
        """In the order of targets. Raises StoreError."""
        held = iter(self.folded)
        while step := list(islice(held, STEP)):
            yield from self.effects_of(step)

    def effects_of(self, step: Sequence[Held]) -> Iterator[Effected]:
        named = {(target.entity, target.reference) for target, _ in step}
        ids = {one: one[1].value for one in named if one[1].entity_id is not None}
        ids |= self.store.references.known([one for one in named if one not in ids])
        fields = self.store.entities.fields_of_many({(entity, found) for (entity, _), found in ids.items()})
        for target, after in step:
            entity_id = ids.get((target.entity, target.reference), "")
            before = fields.get((target.entity, entity_id, target.key))
            yield Effected(target, effect_of(before, after), after.value, before.value if before else None)


def effect_of(before: Field | None, after: Field) -> Effect:
    if before and before.stamp > after.stamp:
        return Effect.OLDER
    held = before.value if before else None
    if held == after.value:
        return Effect.UNCHANGED
    if after.value is None:
        return Effect.REMOVED
    return Effect.SET if held is None else Effect.CHANGED
