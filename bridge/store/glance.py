"""Everything a worker wants to know before it does anything, in one cheap query."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ScalarSelect, Select, Table, bindparam, select

from bridge.model import GateState
from bridge.store.clock import not_before_last_receipt
from bridge.store.database import Database
from bridge.store.gate import COLUMNS, state_of
from bridge.store.tables import RECEIVED, entities, events, references


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

    def next_due(self) -> int | None:
        return min((at for at in (self.entity_due, self.reference_due) if at is not None), default=None)


def next_due(queue: Table) -> ScalarSelect[Any]:
    """Only what is being worked on stands before it in the index: as many rows as there are threads."""
    free = queue.c.leased_until <= bindparam("now")
    return (
        select(queue.c.due_at)
        .where(queue.c.due_at.is_not(None), free)
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
            select(events.c.id).where(RECEIVED).order_by(events.c.id).limit(1).scalar_subquery(),
            next_due(entities),
            next_due(references),
            *COLUMNS,
        )

    def take(self, now: int) -> Glance:
        row = self.database.look(lambda connection: tuple(connection.execute(self.look, {"now": now}).one()))
        return Glance(row[0], row[1] is not None, row[2], row[3], state_of(row[4:]))
