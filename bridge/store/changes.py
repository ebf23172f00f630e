"""Changes as remembered: appended to their entity, or parked until their reference is resolved."""

from collections.abc import Sequence
from typing import Any

import orjson
from sqlalchemy import Connection, and_, select, update

from bridge.model import Change, ChangeState, StoredChange, StoredEvent
from bridge.store.counters import DATED_BY_RECEIPT, Counters
from bridge.store.counts import counted, is_only
from bridge.store.database import Database, packed
from bridge.store.entities import Queue
from bridge.store.locks import hold, in_order
from bridge.store.references import References
from bridge.store.rows import change_of
from bridge.store.tables import UNDONE, changes

#: What a row of a new change has.
NEW = tuple(one for one in changes.c if one.name not in {"id", "retry_at", "conflict"})
#: A change, the event that it came of, and the digest of the mapping that made it.
Made = tuple[StoredEvent, Change, str | None]
COUNTED = (ChangeState.PENDING, ChangeState.PARKED, ChangeState.REFUSED)


class Changes:
    def __init__(self, database: Database, queue: Queue, references: References) -> None:
        self.database = database
        self.queue = queue
        self.references = references
        self.counters = Counters(database)
        self.insert = database.insert_rows(changes, NEW)
        each = (and_(UNDONE, is_only(database, changes.c.state, state)) for state in COUNTED)
        self.count = select(*(counted(which, changes.c.state, changes.c.id) for which in each))

    def append(self, connection: Connection, made: Sequence[Made], now: int) -> None:
        """Store changes and make their entities due."""
        if not made:
            return
        wanted = {(change.entity, change.reference): event.source for event, change, _ in made}
        known = self.references.resolve(connection, wanted, now)
        self.counters.count(connection, DATED_BY_RECEIPT, (event.source for event, change, _ in made if change.ahead))
        rows = [row_of(one, known.get((one[1].entity, one[1].reference)), now) for one in made]
        connection.execute(self.insert, packed(rows))
        due = {(row["entity"], row["entity_id"]): row["source"] for row in rows if row["entity_id"] is not None}
        self.queue.make_due(connection, due, now)

    def drop(self, connection: Connection, events: Sequence[int], reason: str) -> None:
        """Give up whatever these events still have open or refused."""
        hold(connection, in_order(changes, changes.c.event.in_(events), UNDONE))
        connection.execute(
            update(changes).where(changes.c.event.in_(events), UNDONE).values(state=ChangeState.DROPPED, reason=reason)
        )

    def counts(self) -> dict[ChangeState, int]:
        """How many changes are pending, parked and refused: never more than `MOST_COUNTED`, as with events."""
        with self.database.read() as connection:
            return dict(zip(COUNTED, connection.execute(self.count).one(), strict=True))

    def of_event(self, event: int) -> list[StoredChange]:
        with self.database.read() as connection:
            rows = connection.execute(select(changes).where(changes.c.event == event).order_by(changes.c.id))
            return [change_of(row) for row in rows]


def row_of(made: Made, entity_id: str | None, now: int) -> dict[str, Any]:
    event, change, digest = made
    return {
        "event": event.id,
        "source": event.source,
        "rule": change.rule,
        "entity": change.entity,
        "reference_kind": change.reference.kind,
        "reference_value": change.reference.value,
        "entity_id": entity_id,
        "sets": orjson.dumps(change.set).decode(),
        "removes": orjson.dumps(change.remove).decode(),
        "occurred_at": change.occurred_at,
        "partial": change.partial,
        "digest": digest,
        "created_at": now,
        "state": ChangeState.PENDING if entity_id else ChangeState.PARKED,
        "reason": None if entity_id else f"waits until the {change.reference.kind} is looked up",
    }
