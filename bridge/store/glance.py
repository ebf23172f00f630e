"""Everything a worker wants to know before it does anything, in one cheap query."""

from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import ScalarSelect, Select, Table, bindparam, select

from bridge.model import GateState
from bridge.store.clock import LAST_EVENT, not_before_last_receipt
from bridge.store.database import Database
from bridge.store.gate import COLUMNS, state_of
from bridge.store.tables import RECEIVED, entities, events, references
from bridge.times import SECOND

#: How often to look from the very beginning.
FULL_EVERY = SECOND


class Floors(NamedTuple):
    """Where a look begins: at the number of an event, and at times at which entities and references are due.

    PostgreSQL keeps deleted rows while an older snapshot is held (`pg_dump`, a report, a standby), and a look from the
    first row on goes through all of them. What is below the floors is found by the next full look.
    """

    event: int = 0
    entity: int = 0
    reference: int = 0


BEGINNING = Floors()


@dataclass(frozen=True, slots=True)
class Glance:
    #: The time as the database has it.
    now: int
    #: Whether events wait to be translated.
    received: bool
    #: When the next entity and the next reference are due that nobody has leased.
    entity_due: int | None
    reference_due: int | None
    gate: GateState
    #: Where this look began, and where claims of what it has found may begin.
    floors: Floors = BEGINNING

    def next_due(self) -> int | None:
        return min((at for at in (self.entity_due, self.reference_due) if at is not None), default=None)


def next_due(queue: Table, floor: str) -> ScalarSelect[Any]:
    """Only what is being worked on stands before it in the index: as many rows as there are threads."""
    free = queue.c.leased_until <= bindparam("now")
    return (
        select(queue.c.due_at)
        .where(queue.c.due_at.is_not(None), queue.c.due_at >= bindparam(floor), free)
        .order_by(queue.c.due_at)
        .limit(1)
        .scalar_subquery()
    )


class Glances:
    def __init__(self, database: Database) -> None:
        self.database = database
        self.look: Select[Any] = select(
            # SQLite has no clock: then it must not be the machine's alone, which may have been set back.
            not_before_last_receipt(database.now).label("now") if database.is_sqlite else database.now,
            # Not `exists`: PostgreSQL may look for any one row through the whole table, but the first is in an index.
            select(events.c.id)
            .where(RECEIVED, events.c.id >= bindparam("event"))
            .order_by(events.c.id)
            .limit(1)
            .scalar_subquery(),
            next_due(entities, "entity"),
            next_due(references, "reference"),
            LAST_EVENT,
            *COLUMNS,
        )
        #: Those in use, and those that take their place with the next full look: by then no transaction is under way
        #: any more that began before they were found, but for very slow ones.
        self.floors = self.next_floors = BEGINNING
        self.full_at: int | None = None

    def take(self, now: int) -> Glance:
        """What there is to do. What is new below the floors is seen within `FULL_EVERY`."""
        is_full = self.full_at is None or not 0 <= now - self.full_at < FULL_EVERY
        floors = BEGINNING if is_full else self.floors
        row = self.database.look(
            lambda connection: tuple(connection.execute(self.look, {"now": now, **floors._asdict()}).one())
        )
        seen = Glance(row[0], row[1] is not None, row[2], row[3], state_of(row[5:]), floors)
        if is_full:
            first = row[1] if seen.received else row[4] or 0
            due = (now if at is None else min(at, now) for at in (seen.entity_due, seen.reference_due))
            self.floors, self.next_floors, self.full_at = self.next_floors, Floors(first, *due), now
        return seen
