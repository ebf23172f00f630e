"""Everything a worker wants to know before it does anything, in one cheap query."""

from dataclasses import dataclass

from sqlalchemy import bindparam, func, select

from bridge.model import EventState
from bridge.store.database import Database
from bridge.store.gate import GateState
from bridge.store.tables import entities, events, gate, references


@dataclass(frozen=True, slots=True)
class Glance:
    #: Whether events wait to be translated.
    received: bool
    #: When the next entity and the next reference are due that nobody has leased.
    entity_due: int | None
    reference_due: int | None
    gate: GateState

    def next_due(self) -> int | None:
        return min((at for at in (self.entity_due, self.reference_due) if at is not None), default=None)


LOOK = select(
    select(events.c.id).where(events.c.state == EventState.RECEIVED).exists(),
    select(func.min(entities.c.due_at)).where(entities.c.leased_until <= bindparam("now")).scalar_subquery(),
    select(func.min(references.c.due_at)).where(references.c.leased_until <= bindparam("now")).scalar_subquery(),
    gate.c.closed_until,
    gate.c.reason,
    gate.c.tries,
)


def glance(database: Database, now: int) -> Glance:
    with database.read() as connection:
        row = connection.execute(LOOK, {"now": now}).one()
    return Glance(bool(row[0]), row[1], row[2], GateState(*row[3:]))
