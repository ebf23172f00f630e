"""Events as remembered: added once, translated once, listed and replayed at will."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import orjson
from sqlalchemy import (
    CTE,
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Select,
    and_,
    bindparam,
    func,
    literal,
    select,
    tuple_,
    update,
)

from bridge.errors import TooMuchError
from bridge.model import Change, Event, EventState, StoredEvent
from bridge.store.changes import Changes
from bridge.store.clock import SERVER_RECEIPT, not_before_last_receipt
from bridge.store.counts import counted, is_only
from bridge.store.database import Database, Values, packed
from bridge.store.group import Group
from bridge.store.lanes import EVENTS, all_lanes
from bridge.store.locks import hold, in_order
from bridge.store.rows import event_of
from bridge.store.tables import LEFT, RECEIVED, TRANSLATED, events, state_is

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


COUNTED = (EventState.RECEIVED, EventState.FAILED, EventState.IGNORED)
#: How much payload one transaction translates, unless one event has more. Read, JSON may take 25 times as much memory.
MAX_BYTES = 2 << 20
#: How much of rows one statement takes, unless one row has more, and how many rows: what is bound to it is copied
#: several times on its way, and the database reads it as JSON.
STATEMENT_BYTES = 512 << 10
STATEMENT_ROWS = 1000
#: No event has a higher number.
ABOVE_ALL = 2**63 - 1

# Statements are built once: building one takes longer than running it.
MARK = (
    update(events)
    .where(events.c.id.in_(bindparam("numbers", expanding=True)))
    .values(state=bindparam("new_state"), reason=bindparam("new_reason"), digest=bindparam("new_digest"))
)
#: Another worker may have translated them meanwhile, or an operator may have dropped them.
STILL_RECEIVED = (
    select(events.c.id)
    .where(events.c.id.in_(bindparam("numbers", expanding=True)), events.c.state == EventState.RECEIVED)
    .order_by(events.c.id)
    .with_for_update()
)
#: Which of some ids are here. The other columns would be read from the table: these are in the index.
KNOWN = select(events.c.event_id).where(
    events.c.source == bindparam("source_"), events.c.event_id.in_(bindparam("ids", expanding=True))
)


class Events:
    def __init__(self, database: Database, changes: Changes) -> None:
        self.database = database
        self.changes = changes
        insert = database.insert_rows(events, NEW, partial(timed, by_server=database.dates_receipts))
        self.insert = insert.on_conflict_do_nothing().returning(events.c.source, events.c.event_id)
        self.intake = Group(self.store)
        left = (and_(LEFT, is_only(database, events.c.state, state)) for state in COUNTED[1:])
        self.count = select(
            counted(RECEIVED, events.c.source, events.c.id),
            *(counted(which, events.c.state, events.c.id) for which in left),
        )
        self.oldest = oldest(payload_size(database))

    def add(
        self,
        source: str,
        received: Iterable[Event],
        headers: Mapping[str, str],
        now: int,
        most_bytes: float = math.inf,
    ) -> int:
        """Store what was not seen before, on disk when this returns. How many were new.

        Requests that come at the same time are stored in one transaction. Raises TooMuchError, StoreError.
        """
        kept = orjson.dumps(headers).decode()
        return self.intake.do(list(rows_of(source, received, kept, now, most_bytes)))

    def store(self, requests: Sequence[Sequence[Row]]) -> list[int]:
        """How many events of each request were new."""
        statements = list(chunks(row for request in requests for row in request))

        def step(connection: Connection) -> Counter[tuple[str, str]]:
            new: Counter[tuple[str, str]] = Counter()
            for rows in statements:
                new.update(map(tuple, connection.execute(self.insert, packed(rows))))
            return new

        run = self.database.transact_one if len(statements) == 1 else self.database.transact
        new = run(step, durable=True)
        return [sum(take(new, row) for row in request) for request in requests]

    def known(self, source: str, ids: Sequence[str]) -> set[str]:
        """Which of these ids events of the source have already."""
        with self.database.read() as connection:
            return set(connection.scalars(KNOWN, {"source_": source, "ids": list(ids)}))

    def waiting(self, source: str, first: int, limit: int) -> list[StoredEvent]:
        """The events of a source that have waited longest to be translated, from the number `first` on.

        Up to `limit`, and fewer if they are large. Nothing is locked, and another worker may take the same ones:
        `commit` sorts that out.
        """
        given = {"most": limit, "source_": source, "first": first}
        return self.database.look(lambda connection: list(map(event_of, connection.execute(self.oldest, given))))

    def commit(self, done: Sequence[tuple[StoredEvent, Translated]], now: int) -> int:
        """Store what became of events, in one transaction. Returns how many were still to be translated."""
        numbers = sorted(event.id for event, _ in done)

        def step(connection: Connection) -> int:
            open_ = set(connection.scalars(STILL_RECEIVED, {"numbers": numbers}))
            ours = [(event, made) for event, made in done if event.id in open_]
            rows = [(event, change, made.digest) for event, made in ours for change in made.changes]
            for start in range(0, len(rows), STATEMENT_ROWS):
                self.changes.append(connection, rows[start : start + STATEMENT_ROWS], now)
            self.mark(connection, ours)
            return len(ours)

        return self.database.transact(step)

    def translate(self, translate: Callable[[StoredEvent], Translated], limit: int, now: int) -> int:
        """Turn up to `limit` received events of one source into changes. Returns how many there were."""
        for lane in all_lanes(self.database, EVENTS):
            found = self.waiting(lane.name, lane.due_at, limit)
            self.commit([(event, translate(event)) for event in found], now)
            return len(found)
        return 0

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
        # The numbers alone come from an index, so that PostgreSQL is not tempted to read through the table for them.
        numbers = self.newest(source, state, ABOVE_ALL if before is None else before).limit(limit)
        statement = select(events).where(events.c.id.in_(numbers)).order_by(events.c.id.desc())
        with self.database.read() as connection:
            return [event_of(row) for row in connection.execute(statement)]

    def newest(self, source: str | None, state: EventState | None, before: int) -> Select[Any]:
        """Numbers in descending order, by the one index that leads to them at once."""
        numbers = select(events.c.id)
        if source is not None and state is EventState.RECEIVED:
            # In the order of the only index that has just these.
            numbers = numbers.where(events.c.source == source, RECEIVED, events.c.id < before)
            return numbers.order_by(events.c.source.desc(), events.c.id.desc())
        if self.database.is_sqlite or not (fixed := fixed_by(source, state)):
            numbers = numbers.where(*chosen(source, state))
        else:
            # A range in the order of the index. Given equalities, PostgreSQL may go back through all events instead,
            # and that takes long if none of those that are asked for is new.
            columns = (*fixed, events.c.id)
            first, end = (tuple_(*map(literal, fixed.values()), literal(at, BigInteger)) for at in (0, before))
            inside = (tuple_(*columns) >= first, tuple_(*columns) < end)
            rest = {None: [], EventState.TRANSLATED: [TRANSLATED]}.get(state, [LEFT])
            return numbers.where(*inside, *rest).order_by(*(column.desc() for column in columns))
        return numbers.where(events.c.id < before).order_by(events.c.id.desc())

    def numbers(self, *, source: str | None = None, state: EventState | None = None) -> list[int]:
        """The numbers of all events that fit, oldest first."""
        statement = select(events.c.id).where(*chosen(source, state)).order_by(events.c.id)
        with self.database.read() as connection:
            return list(connection.scalars(statement))

    def failed_for(self, source: str, reason: str, after: int, limit: int) -> list[int]:
        """The numbers above `after` of events that failed for this very reason, oldest first."""
        which = (*chosen(source, EventState.FAILED), events.c.reason == reason, events.c.id > after)
        statement = select(events.c.id).where(*which).order_by(events.c.id).limit(limit)
        with self.database.read() as connection:
            return list(connection.scalars(statement))

    def counts(self) -> dict[EventState, int]:
        """How many events are in each state but `translated`, which is that of all the others.

        Never more than `MOST_COUNTED`, which means: at least so many. So it costs the same however many there are.
        """
        with self.database.read() as connection:
            return dict(zip(COUNTED, connection.execute(self.count).one(), strict=True))

    def replay(self, numbers: Sequence[int]) -> int:
        """Have events translated again by the current mapping. How many there were."""

        def step(connection: Connection) -> int:
            hold(connection, in_order(events, events.c.id.in_(numbers)))
            found = connection.execute(
                update(events)
                .where(events.c.id.in_(numbers))
                .values(state=EventState.RECEIVED, reason=None)
                .returning(events.c.id)
            ).all()
            self.changes.drop(connection, numbers, "replayed")
            return len(found)

        return self.database.transact(step)


def new_row(source: str, event: Event, headers: str, now: int) -> Row:
    return {
        "source": source,
        "event_id": storable(event.event_id),
        "event_type": storable(event.event_type),
        "occurred_at": event.occurred_at,
        "received_at": now,
        "payload": orjson.dumps(event.payload).decode(),
        "headers": headers,
        "state": EventState.FAILED if event.problem else EventState.RECEIVED,
        "reason": event.problem and storable(event.problem),
    }


def rows_of(
    source: str, received: Iterable[Event], headers: str, now: int, most_bytes: float = math.inf
) -> Iterator[Row]:
    """One row at a time, so that what is too much is noticed before it is all written. Raises TooMuchError."""
    taken = 0
    for event in received:
        row = new_row(source, event, headers, now)
        taken += length(row["payload"])
        if taken > most_bytes:
            raise TooMuchError(
                f"the events of this request would have more than {most_bytes} bytes, since each repeats what is said"
                " once for all of them: send fewer events at a time"
            )
        yield row


def size_of(row: Row) -> int:
    """How many bytes its texts have."""
    texts = (row["event_id"], row["event_type"], row["payload"], row["headers"], row["reason"] or "")
    return sum(map(length, texts))


def length(text: str) -> int:
    """In bytes. Python knows without looking whether a text has characters of more than one."""
    return len(text) if text.isascii() else len(text.encode())


def chunks(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """As many in each as one statement takes, but at least one."""
    chunk: list[Row] = []
    taken = 0
    for row in rows:
        size = size_of(row)
        if chunk and (taken + size > STATEMENT_BYTES or len(chunk) == STATEMENT_ROWS):
            yield chunk
            chunk, taken = [], 0
        chunk.append(row)
        taken += size
    if chunk:
        yield chunk


def timed(given: Values, *, by_server: bool) -> Values:
    """What came without a time happened when it was received. `by_server`: the given time of receipt is not used."""
    received = not_before_last_receipt(SERVER_RECEIPT if by_server else given["received_at"])
    return {"received_at": received, "occurred_at": func.coalesce(given["occurred_at"], received)}


def storable(text: str) -> str:
    """PostgreSQL has no NUL in a text: https://www.postgresql.org/docs/current/datatype-character.html"""
    return text.replace("\x00", "\ufffd")


def take(new: Counter[tuple[str, str]], row: Row) -> bool:
    """Whether this row is the one that was stored, of all that have its id."""
    key = row["source"], row["event_id"]
    new[key] -= 1
    return new[key] >= 0


def payload_size(database: Database) -> ColumnElement[int]:
    return (func.length if database.is_sqlite else func.octet_length)(events.c.payload).label("bytes")


def oldest(size: ColumnElement[int]) -> Select[Any]:
    """The events of a source that have waited longest, as many as are asked for and as fit."""
    due = (
        select(events.c.id, size)
        .where(RECEIVED, events.c.source == bindparam("source_"), events.c.id >= bindparam("first"))
        .order_by(events.c.source, events.c.id)
        .limit(bindparam("most"))
        .cte("due")
    )
    return fitting(due)


def fitting(due: CTE) -> Select[Any]:
    """The first of these events, as many as go into MAX_BYTES, but at least one. `due` has their numbers and sizes."""
    before = func.sum(due.c.bytes).over(order_by=due.c.id) - due.c.bytes
    sized = select(due.c.id, before.label("before")).subquery("sized")
    return select(events).join(sized, sized.c.id == events.c.id).where(sized.c.before < MAX_BYTES).order_by(events.c.id)


def chosen(source: str | None, state: EventState | None) -> list[ColumnElement[bool]]:
    wanted: list[ColumnElement[bool]] = []
    if state is EventState.TRANSLATED:
        wanted.append(TRANSLATED)
    elif state is not None:
        wanted.append(state_is(events.c.state, state))
    if state in (EventState.FAILED, EventState.IGNORED):
        # SQLite does not know by itself that this follows.
        wanted.append(LEFT)
    if source is not None:
        wanted.append(events.c.source == source)
    return wanted


def fixed_by(source: str | None, state: EventState | None) -> dict[Column[str], str]:
    """The leading columns of the index of such events, and what they are."""
    fixed = {} if source is None else {events.c.source: source}
    return fixed | ({events.c.state: state} if state in (EventState.FAILED, EventState.IGNORED) else {})
