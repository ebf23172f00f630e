"""Stored events from one end to the other, however many there are: page by page, and nothing is held between pages."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, Connection, Row, Select, Text, bindparam, func, select, tuple_

from bridge.model import StoredEvent
from bridge.store.database import Database
from bridge.store.events import Events, fitting, payload_size
from bridge.store.rows import event_of
from bridge.store.tables import events

#: How many events a page has at most; fewer if they are large.
PAGE = 500

# Statements are built once: building one takes longer than running it.
NEXT = (
    select(events.c.id, events.c.received_at)
    .where(events.c.id >= bindparam("at"), events.c.id <= bindparam("last"))
    .order_by(events.c.id)
    .limit(1)
)
NEWEST = select(func.max(events.c.id))


@dataclass(frozen=True, slots=True)
class Window:
    """Which events, by when they were received: all that fit everything that is said."""

    since: int | None = None
    #: Before this time.
    until: int | None = None
    #: The newest so many of them.
    last: int | None = None


class Receipt(NamedTuple):
    number: int
    received_at: int


class Span(NamedTuple):
    """The numbers of the first and the last event that fit, and when those were received."""

    first: int
    last: int
    since: int
    until: int


@dataclass(frozen=True, slots=True)
class Page:
    rows: Sequence[Row[Any]]

    @property
    def last(self) -> int:
        return int(self.rows[-1].id)

    def events(self, wanted: Callable[[str], bool]) -> Iterator[StoredEvent]:
        """Those of wanted types. The others' payloads are not even parsed."""
        return (event_of(row) for row in self.rows if wanted(row.event_type))


class History:
    def __init__(self, database: Database, known: Events) -> None:
        self.database = database
        self.known = known
        self.following = following(database)

    def span(self, window: Window, source: str | None = None) -> Span | None:
        """What there is of a window, of one source or of all. None: nothing."""
        with self.database.read() as connection:
            first, last = 0, connection.scalar(NEWEST) or 0
            if window.until is not None:
                last = first_since(connection, window.until, last) - 1
            if window.since is not None:
                first = first_since(connection, window.since, last)
            if window.last is not None:
                nth = self.known.newest(source, None, last + 1).offset(window.last - 1).limit(1)
                first = max(first, connection.scalar(nth) or 0)
            begin, end = (next_event(connection, at, last) for at in (first, last))
        return Span(begin.number, end.number, begin.received_at, end.received_at) if begin and end else None

    def pages(self, source: str, span: Span) -> Iterator[Page]:
        """The events of a source in the order in which they were received. Each page is a read of its own."""
        after, most = span.first - 1, PAGE
        while True:
            given = {"source_": source, "after": after, "last": span.last, "most": most}
            with self.database.read() as connection:
                page = Page(connection.execute(self.following, given).all())
            if not page.rows:
                return
            yield page
            after = page.last
            # Looking at the sizes of many large events, to take a few of them, would read all of them.
            most = min(PAGE, 2 * len(page.rows))


def following(database: Database) -> Select[Any]:
    """The next events of a source, up to a number, as many as are asked for and as fit."""
    after, last = bindparam("after", type_=BigInteger), bindparam("last", type_=BigInteger)
    source = bindparam("source_", type_=Text)
    due = select(events.c.id, payload_size(database)).limit(bindparam("most"))
    if database.is_sqlite:
        due = due.where(events.c.source == source, events.c.id > after, events.c.id <= last).order_by(events.c.id)
    else:
        # A range in the order of the index: see `Events.newest`.
        place = tuple_(events.c.source, events.c.id)
        due = due.where(place > tuple_(source, after), place <= tuple_(source, last))
        due = due.order_by(events.c.source, events.c.id)
    return fitting(due.cte("due"))


def first_since(connection: Connection, time: int, last: int) -> int:
    """The first number of which all events, up to `last`, were received at `time` or later.

    Halving is enough, since times of receipt rise with numbers: the table is never searched.
    """
    low, high = 0, last
    while low <= high:
        middle = (low + high) // 2
        found = next_event(connection, middle, last)
        if found is None or found.received_at >= time:
            high = middle - 1
        else:
            low = found.number + 1
    return low


def next_event(connection: Connection, at: int, last: int) -> Receipt | None:
    row = connection.execute(NEXT, {"at": at, "last": last}).one_or_none()
    return Receipt(*row) if row else None
