"""Everything a worker wants to know before it does anything, in one cheap query."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ScalarSelect, Select, select

from bridge.gates import Gates, GateState
from bridge.store.clock import LAST_EVENT, not_before_last_receipt
from bridge.store.database import Database
from bridge.store.floors import FULL_EVERY, Floors
from bridge.store.gate import COLUMNS, all_states, gates_of
from bridge.store.lanes import ENTITIES, EVENTS, REFERENCES, Lane, first_by_lane, first_in_lanes, lanes_of
from bridge.store.tables import CONFLICTING, changes

QUEUES = (EVENTS, ENTITIES, REFERENCES)


@dataclass(frozen=True, slots=True)
class Glance:
    #: The time as the database has it.
    now: int
    #: Whether a change waits for a unique value that another entity holds.
    conflicts: bool
    #: Events to be translated, by source: each with the number of the first.
    events: tuple[Lane, ...]
    #: Entities and lookups that wait, by lane: each with the time when the first is due.
    entities: tuple[Lane, ...]
    references: tuple[Lane, ...]
    gates: Gates

    @property
    def received(self) -> bool:
        """True if events wait to be translated."""
        return bool(self.events)

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
    def __init__(self, database: Database, floors: dict[str, Floors]) -> None:
        """`floors`: of each queue, by the name of its table."""
        self.database = database
        self.floors = floors
        self.full_at: int | None = None
        self.full = statement(database, [first_by_lane(database, queue) for queue in QUEUES])
        # SQLite deletes at once what no reader sees any more, and has no long readers but those of a backup.
        self.quick = None if database.is_sqlite else statement(database, [first_in_lanes(database, q) for q in QUEUES])

    def take(self, now: int) -> Glance:
        """What there is to do. What stands before the floors is seen within `FULL_EVERY`."""
        if self.quick is None or self.full_at is None or not 0 <= now - self.full_at < FULL_EVERY:
            self.full_at = now
            seen, last_event = self.look(self.full, {"now": now})
            ends = {EVENTS.table.name: last_event}
            for queue, lanes in zip(QUEUES, (seen.events, seen.entities, seen.references), strict=True):
                self.floors[queue.table.name].rise(lanes, ends.get(queue.table.name, now))
            return seen
        return self.look(self.quick, {"now": now, **{name: floors.to_json() for name, floors in self.floors.items()}})[
            0
        ]

    def look(self, statement: Select[Any], given: dict[str, Any]) -> tuple[Glance, int]:
        """Returns the glance and the number of the newest event."""
        row = self.database.look(lambda connection: tuple(connection.execute(statement, given).one()))
        seen = Glance(
            now=row[0],
            conflicts=row[2] is not None,
            events=lanes_of(row[3]),
            entities=lanes_of(row[4]),
            references=lanes_of(row[5]),
            gates=gates_of(row[7:], row[6]),
        )
        return seen, row[1] or 0


def statement(database: Database, queues: list[ScalarSelect[str]]) -> Select[Any]:
    return select(
        # SQLite has no clock: then it must not be the machine's alone, which may have been set back.
        not_before_last_receipt(database.now).label("now") if database.is_sqlite else database.now,
        LAST_EVENT,
        # Not `exists`: PostgreSQL may look for any one row through the whole table, but the first is in an index.
        select(changes.c.id).where(CONFLICTING).order_by(changes.c.entity).limit(1).scalar_subquery(),
        *queues,
        all_states(database),
        *COLUMNS,
    )
