"""Everything a worker wants to know before it does anything, in one cheap query."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, bindparam, func, select

from bridge.model import EventState, GateState
from bridge.store.database import Database
from bridge.store.gate import COLUMNS, state_of
from bridge.store.tables import entities, events, references


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


class Glances:
    def __init__(self, database: Database) -> None:
        self.database = database
        self.look: Select[Any] = select(
            database.now,
            select(events.c.id).where(events.c.state == EventState.RECEIVED).exists(),
            select(func.min(entities.c.due_at)).where(entities.c.leased_until <= bindparam("now")).scalar_subquery(),
            select(func.min(references.c.due_at))
            .where(references.c.leased_until <= bindparam("now"))
            .scalar_subquery(),
            *COLUMNS,
        )

    def take(self, now: int) -> Glance:
        with self.database.read() as connection:
            row = tuple(connection.execute(self.look, {"now": now}).one())
        return Glance(row[0], bool(row[1]), row[2], row[3], state_of(row[4:]))
