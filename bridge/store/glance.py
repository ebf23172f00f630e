"""Everything a worker wants to know before it does anything, in one cheap query."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, select

from bridge.gates import Gates, GateState
from bridge.store.clock import not_before_last_receipt
from bridge.store.database import Database
from bridge.store.gate import COLUMNS, all_states, gates_of
from bridge.store.lanes import Lane, due_by_lane, lanes_of
from bridge.store.tables import CONFLICTING, RECEIVED, changes, entities, events, references


@dataclass(frozen=True, slots=True)
class Glance:
    #: The time as the database has it.
    now: int
    #: Whether events wait to be translated.
    received: bool
    #: Whether a change waits for a unique value that another entity holds.
    conflicts: bool
    #: Entities and lookups that wait, by lane.
    entities: tuple[Lane, ...]
    references: tuple[Lane, ...]
    gates: Gates

    @property
    def gate(self) -> GateState:
        return self.gates.all

    @property
    def entity_due(self) -> int | None:
        """When the first entity is due that is not leased; None if there is none."""
        return min((lane.due_at for lane in self.entities), default=None)

    @property
    def reference_due(self) -> int | None:
        """When the first lookup is due that is not leased; None if there is none."""
        return min((lane.due_at for lane in self.references), default=None)

    def next_due(self) -> int | None:
        return min((at for at in (self.entity_due, self.reference_due) if at is not None), default=None)


class Glances:
    def __init__(self, database: Database) -> None:
        self.database = database
        self.look: Select[Any] = select(
            # SQLite has no clock: then it must not be the machine's alone, which may have been set back.
            not_before_last_receipt(database.now).label("now") if database.is_sqlite else database.now,
            # Not `exists`: PostgreSQL may look for any one row through the whole table, but the first is in an index.
            select(events.c.id).where(RECEIVED).order_by(events.c.source, events.c.id).limit(1).scalar_subquery(),
            select(changes.c.id).where(CONFLICTING).order_by(changes.c.entity).limit(1).scalar_subquery(),
            due_by_lane(database, entities),
            due_by_lane(database, references),
            all_states(database),
            *COLUMNS,
        )

    def take(self, now: int) -> Glance:
        row = self.database.look(lambda connection: tuple(connection.execute(self.look, {"now": now}).one()))
        return Glance(
            now=row[0],
            received=row[1] is not None,
            conflicts=row[2] is not None,
            entities=lanes_of(row[3]),
            references=lanes_of(row[4]),
            gates=gates_of(row[6:], row[5]),
        )
