"""What waits: in front of a webhook that comes now, and for something that no time alone brings."""

from typing import Any

from sqlalchemy import BigInteger, Connection, ScalarSelect, Select, bindparam, select, tuple_, update

from bridge.model import Wait
from bridge.store.counts import counted, is_only
from bridge.store.database import Database
from bridge.store.tables import OPEN, RECEIVED, changes, entities, events, references
from bridge.times import HOUR

QUEUES = (entities, references)
#: What may be hurried: only another entity can give a unique value.
HURRIED = (Wait.PERMISSION, Wait.RATE_LIMIT, Wait.GATE)
#: No wait and no lease is longer. A repair of many entities is spread over hours.
LONGEST_WAIT = 12 * HOUR
LONGEST_LEASE = HOUR

# Statements are built once: building one takes longer than running it.
REASONS = {
    queue.name: select(queue.c.last_error).where(queue.c.waits_for == bindparam("what")).limit(1) for queue in QUEUES
}
HURRY = [
    update(queue)
    .where(queue.c.waits_for.in_(HURRIED), queue.c.due_at > bindparam("now"))
    .values(due_at=bindparam("now"))
    for queue in QUEUES
]
HELD_BACK = select(entities.c.entity, entities.c.entity_id).where(entities.c.waits_for.in_(HURRIED))
FREE = (
    update(changes)
    .where(OPEN, changes.c.retry_at.is_not(None), tuple_(changes.c.entity, changes.c.entity_id).in_(HELD_BACK))
    .values(retry_at=None)
)
CORRECT = [
    statement
    for queue in QUEUES
    for statement in (
        update(queue).where(queue.c.due_at > bindparam("due_")).values(due_at=bindparam("now")),
        update(queue).where(queue.c.leased_until > bindparam("leased_")).values(lease=None, leased_until=0),
    )
]


class Backlog:
    def __init__(self, database: Database) -> None:
        self.database = database
        now = bindparam("now", type_=BigInteger)
        self.due: Select[Any] = select(
            counted(RECEIVED, events.c.source, events.c.id)
            + counted(entities.c.due_at <= now, entities.c.lane, entities.c.due_at)
            + counted(references.c.due_at <= now, references.c.lane, references.c.due_at)
        )
        self.held_back: Select[Any] = select(*(held_back(database, what) for what in Wait))

    def count(self, now: int) -> int:
        """Events to be translated, entities and lookups that are due: of each no more than `MOST_COUNTED`."""
        with self.database.read() as connection:
            return int(connection.execute(self.due, {"now": now}).scalar_one())

    def waiting(self) -> dict[Wait, int]:
        """How many entities and lookups wait for each of these: of both no more than `MOST_COUNTED`."""
        with self.database.read() as connection:
            found = dict(zip(Wait, connection.execute(self.held_back).one(), strict=True))
        return {what: number for what, number in found.items() if number}

    def explained(self) -> dict[str, dict[str, Any]]:
        """What entities and lookups wait for -> {count, reason}: the reason is that of one of them."""
        return {str(what): {"count": count, "reason": self.reason(what)} for what, count in self.waiting().items()}

    def reason(self, what: Wait) -> str | None:
        with self.database.read() as connection:
            for queue in QUEUES:
                if found := connection.scalars(REASONS[queue.name], {"what": what}).first():
                    return str(found)
        return None

    def try_now(self, now: int) -> int:
        """Have what waits for a permission, a rate limit or a gate tried at once. Returns how many there are."""

        def step(connection: Connection) -> int:
            woken = [connection.execute(statement, {"now": now}).rowcount for statement in HURRY]
            connection.execute(FREE)
            return sum(woken)

        return self.database.transact(step)

    def correct(self, now: int) -> int:
        """Have what waits for longer than anything can ask for tried at once. Returns how many entities and lookups.

        Such waits and leases come from a clock that was ahead.
        """
        given = {"now": now, "due_": now + LONGEST_WAIT, "leased_": now + LONGEST_LEASE}
        return self.database.transact(
            lambda connection: sum(connection.execute(statement, given).rowcount for statement in CORRECT)
        )


def held_back(database: Database, what: Wait) -> Any:
    numbers: list[ScalarSelect[int]] = [
        counted(is_only(database, queue.c.waits_for, what), queue.c.waits_for) for queue in QUEUES
    ]
    return numbers[0] + numbers[1]
