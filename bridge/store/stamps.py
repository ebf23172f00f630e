"""Stamps that an operator drops. A stamp says which event set a key, and when: nothing older can."""

from collections.abc import Iterable, Sequence

from sqlalchemy import bindparam, select, update

from bridge.model import Attempt, Outcome, Verdict
from bridge.store.corrections import NO_STAMP
from bridge.store.database import Database, packed
from bridge.store.entities import attempt_values, key_of
from bridge.store.held import Held, Scope, held_of
from bridge.store.tables import attempts, fields

#: What the history calls it when an operator frees a key.
RELEASE = "release"
RELEASED = "an operator freed the key: the next event sets it, whatever its time"
#: Keys that are freed in one transaction.
STEP = 500

FREE = (
    update(fields)
    .where(
        fields.c.entity == bindparam("entity_"),
        fields.c.entity_id == bindparam("entity_id_"),
        fields.c.key == bindparam("key_"),
        fields.c.change == bindparam("change_"),
    )
    .values(**NO_STAMP._asdict())
)


class Stamps:
    def __init__(self, database: Database) -> None:
        self.database = database
        self.insert_attempts = database.insert_rows(attempts, [one for one in attempts.c if one is not attempts.c.id])

    def find(self, scope: Scope, keys: Sequence[str] = (), later_than: int | None = None) -> list[Held]:
        """Returns keys that have a stamp, by entity and key; `later_than`: only those that are stamped later."""
        conditions = [*scope.conditions(), fields.c.change != NO_STAMP.change]
        if keys:
            conditions.append(fields.c.key.in_(keys))
        if later_than is not None:
            conditions.append(fields.c.occurred_at > later_than)
        order = (fields.c.entity, fields.c.entity_id, fields.c.key)
        with self.database.read() as connection:
            return [held_of(row) for row in connection.execute(select(fields).where(*conditions).order_by(*order))]

    def release(self, held: Iterable[Held], now: int) -> list[Held]:
        """Drop stamps, so that the next event wins. Values stay. Returns the keys that were still as given."""
        given, freed = list(held), list[Held]()
        for start in range(0, len(given), STEP):
            with self.database.write() as connection:
                step = [one for one in given[start : start + STEP] if connection.execute(FREE, which(one)).rowcount]
                if step:
                    connection.execute(self.insert_attempts, packed([released(one, now) for one in step]))
            freed += step
        return freed


def which(held: Held) -> dict[str, object]:
    return {**key_of(held.entity, held.entity_id), "key_": held.key, "change_": held.stamp.change}


def released(held: Held, now: int) -> dict[str, object]:
    """What the entity's history says of it."""
    outcome = Outcome(Verdict.ACCEPTED, message=RELEASED)
    made = Attempt(RELEASE, (held.key,), outcome, now, 0, (held.stamp.change,))
    return attempt_values(held.entity, held.entity_id, made)
