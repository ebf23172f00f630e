"""Events as remembered: added once, translated once, listed and replayed at will."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Connection, bindparam, func, select, update

from bridge.errors import TryAgainError
from bridge.model import Change, Event, EventState, StoredEvent
from bridge.store.changes import Changes
from bridge.store.database import Database
from bridge.store.group import Group
from bridge.store.rows import event_of
from bridge.store.tables import events

Row = dict[str, Any]

#: What a row of a new event has.
NEW = (
    events.c.source,
    events.c.event_id,
    events.c.event_type,
    events.c.occurred_at,
    events.c.received_at,
    events.c.payload,
    events.c.headers,
    events.c.state,
    events.c.reason,
)


@dataclass(frozen=True, slots=True)
class Translated:
    """What became of an event."""

    state: EventState
    reason: str | None = None
    digest: str | None = None
    changes: tuple[Change, ...] = ()


# Statements are built once: building one takes longer than running it.
RECEIVED = (
    select(events)
    .where(events.c.state == EventState.RECEIVED)
    .order_by(events.c.id)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
)
MARK = (
    update(events)
    .where(events.c.id.in_(bindparam("numbers", expanding=True)))
    .values(state=bindparam("new_state"), reason=bindparam("new_reason"), digest=bindparam("new_digest"))
)


class Events:
    def __init__(self, database: Database, changes: Changes) -> None:
        self.database = database
        self.changes = changes
        self.insert = database.insert_json(events, NEW, unless_known=(events.c.source, events.c.event_id))
        self.intake = Group(self.store)

    def add(self, source: str, received: Sequence[Event], headers: Mapping[str, str], now: int) -> int:
        """Store what was not seen before, on disk when this returns. How many were new.

        Requests that come at the same time are stored in one statement.
        """
        kept = orjson.dumps(headers).decode()
        return self.intake.do([new_row(source, event, kept, now) for event in received])

    def store(self, requests: Sequence[Sequence[Row]]) -> list[int]:
        """How many events of each request were new."""
        rows = [row for request in requests for row in request]
        given = {"rows": orjson.dumps(rows).decode()}
        for tries_left in (1, 0):
            try:
                with self.database.write_one(durable=True) as connection:
                    new = Counter(map(tuple, connection.execute(self.insert, given)))
                break
            except TryAgainError:
                if not tries_left:
                    raise
        return [sum(take(new, row) for row in request) for request in requests]

    def translate(self, translate: Callable[[StoredEvent], Translated], limit: int, now: int) -> int:
        """Turn up to `limit` received events into changes, in one transaction. How many there were."""
        with self.database.write() as connection:
            found = connection.execute(RECEIVED, {"most": limit})
            done = [(event, translate(event)) for event in map(event_of, found)]
            self.changes.append(connection, [(event, change) for event, made in done for change in made.changes], now)
            self.mark(connection, done)
        return len(done)

    def mark(self, connection: Connection, done: Iterable[tuple[StoredEvent, Translated]]) -> None:
        """One statement for all events that came out alike."""
        groups: dict[tuple[EventState, str | None, str | None], list[int]] = {}
        for event, made in done:
            groups.setdefault((made.state, made.reason, made.digest), []).append(event.id)
        for (state, reason, digest), ids in groups.items():
            given = {"numbers": ids, "new_state": state, "new_reason": reason, "new_digest": digest}
            connection.execute(MARK, given)

    def get(self, event: int) -> StoredEvent | None:
        with self.database.read() as connection:
            row = connection.execute(select(events).where(events.c.id == event)).one_or_none()
        return event_of(row) if row else None

    def find(
        self, *, source: str | None = None, state: EventState | None = None, before: int | None = None, limit: int = 50
    ) -> list[StoredEvent]:
        """The newest first, from below the number `before`."""
        statement = select(events).where(*chosen(source, state)).order_by(events.c.id.desc()).limit(limit)
        if before is not None:
            statement = statement.where(events.c.id < before)
        with self.database.read() as connection:
            return [event_of(row) for row in connection.execute(statement)]

    def numbers(self, *, source: str | None = None, state: EventState | None = None) -> list[int]:
        """The numbers of all events that fit, oldest first."""
        statement = select(events.c.id).where(*chosen(source, state)).order_by(events.c.id)
        with self.database.read() as connection:
            return list(connection.scalars(statement))

    def counts(self) -> dict[EventState, int]:
        with self.database.read() as connection:
            rows = connection.execute(select(events.c.state, func.count()).group_by(events.c.state))
            return {EventState(state): count for state, count in rows}

    def replay(self, numbers: Sequence[int]) -> int:
        """Have events translated again by the current mapping. How many there were."""
        with self.database.write() as connection:
            # Events first, then their changes, as whoever translates or prunes: else two might wait for each other.
            found = connection.execute(
                update(events)
                .where(events.c.id.in_(numbers))
                .values(state=EventState.RECEIVED, reason=None)
                .returning(events.c.id)
            ).all()
            self.changes.drop(connection, numbers, "replayed")
        return len(found)


def new_row(source: str, event: Event, headers: str, now: int) -> Row:
    return {
        "source": source,
        "event_id": storable(event.event_id),
        "event_type": storable(event.event_type),
        "occurred_at": now if event.occurred_at is None else event.occurred_at,
        "received_at": now,
        "payload": orjson.dumps(event.payload).decode(),
        "headers": headers,
        "state": EventState.FAILED if event.problem else EventState.RECEIVED,
        "reason": event.problem and storable(event.problem),
    }


def storable(text: str) -> str:
    """PostgreSQL has no NUL in a text: https://www.postgresql.org/docs/current/datatype-character.html"""
    return text.replace("\x00", "\ufffd")


def take(new: Counter[tuple[str, str]], row: Row) -> bool:
    """Whether this row is the one that was stored, of all that have its id."""
    key = row["source"], row["event_id"]
    new[key] -= 1
    return new[key] >= 0


def chosen(source: str | None, state: EventState | None) -> list[ColumnElement[bool]]:
    wanted: list[ColumnElement[bool]] = []
    if source is not None:
        wanted.append(events.c.source == source)
    if state is not None:
        wanted.append(events.c.state == state)
    return wanted
