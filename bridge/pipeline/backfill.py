"""Rows of a file become events of a source: through its rules, dated by the row, stored once however often it is fed.

What has been read is not remembered anywhere: an event's id is made of its row, so whatever is stored already is seen
at once when the same file comes again, after a crash as well as a year later.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import orjson

from bridge.errors import FileError, RowError, RuleError, SenderError, SignError
from bridge.mapping.dating import FutureAction
from bridge.mapping.functions import moment
from bridge.mapping.rules import Source
from bridge.model import Change, Event, EventState, Request, StoredEvent
from bridge.payload import MISSING, describe, walk
from bridge.pipeline.row import Row
from bridge.pipeline.translate import translate
from bridge.senders.base import digest_of, name_of
from bridge.store.events import Events

#: The type of rows of which nobody says what they are.
UNTYPED = "untyped"
#: How ids begin that are made of a row's content.
PREFIX = "backfill:"
#: What is stored in one statement.
MOST_ROWS = 100
MOST_BYTES = 2 << 20
#: How many different problems are told apart.
MOST_PROBLEMS = 50
OTHERS = "other problems"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How the rows of a file become events. Columns of JSON are keys, or paths such as `data.updated_at`."""

    source: Source
    #: Rows are what the sender would post, and its module reads them. Else they are payloads, as rules see them.
    as_sent: bool = False
    event_type: str | None = None
    type_column: str | None = None
    time_column: str | None = None
    #: Where a row has the id that the sender's webhook gives the same event.
    id_column: str | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(filter(None, (self.type_column, self.time_column, self.id_column)))

    def objections(self) -> Iterator[str]:
        """Why nothing good can come of it, whatever the rows are."""
        if self.as_sent:
            if self.event_type or self.type_column or self.id_column:
                yield "rows as sent say themselves what they are: leave the type and the id out"
            return
        if self.event_type and self.type_column:
            yield "either one type for all rows, or a column with their types"
        patterns = ", ".join(sorted({pattern for rule in self.source.rules for pattern in rule.events}))
        rules = [rule for rule in self.source.rules if not self.event_type or rule.matches(self.event_type)]
        if patterns and not (self.event_type or self.type_column):
            yield f"say of which type the rows are: rules of {self.source.name} are for {patterns}"
        if not rules:
            yield f"no rule of {self.source.name} is for the type {self.event_type!r}: they are for {patterns}"
        undated = [rule.name for rule in rules if rule.occurred_at is None]
        if undated and not self.time_column:
            yield f"say which column has the time of a row: it decides which value is newest (rule {undated[0]!r})"


@dataclass(frozen=True, slots=True)
class Made:
    """An event that can be stored, and what its rules will make of it."""

    event: Event
    changes: tuple[Change, ...]


@dataclass(slots=True)
class Problem:
    #: Where it came up first.
    place: str
    rows: int = 0


@dataclass(slots=True)
class Tally:
    """What became of the rows so far. One row may be several events."""

    rows: int = 0
    #: Events that are new.
    stored: int = 0
    #: Events that were stored before.
    known: int = 0
    #: Events that no rule is for. They are not stored, so that they can come again once there is one.
    ignored: int = 0
    #: Rows that cannot become events.
    rejected: int = 0
    #: Rule -> changes.
    changes: dict[str, int] = field(default_factory=dict)
    problems: dict[str, Problem] = field(default_factory=dict)

    def reject(self, place: str, problem: str) -> None:
        self.rejected += 1
        which = problem if problem in self.problems or len(self.problems) < MOST_PROBLEMS else OTHERS
        self.problems.setdefault(which, Problem(place)).rows += 1

    def count(self, changes: Iterable[Change]) -> None:
        for change in changes:
            self.changes[change.rule] = self.changes.get(change.rule, 0) + 1


class Sink(Protocol):
    """Where events go: into the store, or into a preview."""

    def take(self, made: Sequence[Made]) -> int:
        """How many were new."""


class Backfill:
    def __init__(
        self,
        plan: Plan,
        events: Events,
        sink: Sink,
        *,
        reject: Callable[[Row, str], None],
        clock: Callable[[], int],
    ) -> None:
        self.plan = plan
        self.events = events
        self.sink = sink
        self.write_reject = reject
        self.clock = clock
        self.tally = Tally()

    def run(self, rows: Iterable[Row], most_rows: int = MOST_ROWS) -> Iterator[Tally]:
        """Batch after batch. What a batch had is stored when it is told. Raises StoreError, FileError."""
        for batch in batches(rows, most_rows):
            self.take(batch)
            yield self.tally

    def take(self, batch: Sequence[Row]) -> None:
        self.tally.rows += len(batch)
        drafts = [(row, *self.drafted(row)) for row in batch]
        ids = [event.event_id for _, events, _ in drafts for event in events]
        known = self.events.known(self.plan.source.name, ids) if ids else set()
        made = [one for row, events, problem in drafts for one in self.judged(row, events, problem, known)]
        new = self.sink.take(made) if made else 0
        self.tally.stored += new
        self.tally.known += len(made) - new

    def drafted(self, row: Row) -> tuple[list[Event], str | None]:
        """The events of a row, or why there are none."""
        if row.problem:
            return [], row.problem
        try:
            return events_of(self.plan, row.value), None
        except (RowError, RuleError, SenderError, SignError) as error:
            return [], str(error)

    def judged(self, row: Row, events: Sequence[Event], problem: str | None, known: set[str]) -> list[Made]:
        """What is new and changes something, or nothing if the row is rejected."""
        if problem:
            self.reject(row, problem)
            return []
        fresh = [event for event in events if event.event_id not in known]
        now = self.clock()
        try:
            made = [judge(self.plan.source, event, now) for event in fresh]
        except RowError as error:
            self.reject(row, str(error))
            return []
        used = [one for one in made if one.changes]
        self.tally.known += len(events) - len(fresh)
        self.tally.ignored += len(made) - len(used)
        self.tally.count(change for one in used for change in one.changes)
        return used

    def reject(self, row: Row, problem: str) -> None:
        self.tally.reject(row.place, problem)
        self.write_reject(row, problem)


def batches(rows: Iterable[Row], most_rows: int) -> Iterator[list[Row]]:
    """No more rows than that, and no more than MOST_BYTES unless a single one has more."""
    batch: list[Row] = []
    size = 0
    try:
        for row in rows:
            if batch and (len(batch) >= most_rows or size + row.size > MOST_BYTES):
                yield batch
                batch, size = [], 0
            batch.append(row)
            size += row.size
    except FileError:
        # What was read before is as good as ever.
        yield batch
        raise
    yield batch


def events_of(plan: Plan, value: Any) -> list[Event]:
    """The events in a row. Raises RowError, RuleError, SenderError, SignError."""
    return as_sent(plan, value) if plan.as_sent else [as_payload(plan, value)]


def as_payload(plan: Plan, value: Any) -> Event:
    if not isinstance(value, dict):
        raise RowError(f"the row is {describe(value)}: an object was expected")
    event_type = name_in(value, plan.type_column) if plan.type_column else plan.event_type or UNTYPED
    occurred_at = time_in(value, plan.time_column) if plan.time_column else None
    if plan.id_column:
        return Event(name_in(value, plan.id_column), event_type, value, occurred_at)
    content = orjson.dumps([event_type, occurred_at, value], option=orjson.OPT_SORT_KEYS)
    return Event(PREFIX + digest_of(content), event_type, value, occurred_at)


def as_sent(plan: Plan, value: Any) -> list[Event]:
    """Read as the sender's module reads a request, but not verified: it is the operator's own file."""
    sender = plan.source.sender
    body = sender.compose(value)
    request = Request("POST", f"/webhooks/{plan.source.name}", {"content-type": sender.content_type}, body)
    # The time of receipt becomes a part of ids that the sender does not give. Here it must not differ.
    events = sender.read(request, 0)
    if bad := next((event.problem for event in events if event.problem), None):
        raise RowError(bad)
    if plan.time_column is None or all(event.occurred_at is not None for event in events):
        return events
    occurred_at = time_in(value, plan.time_column)
    return [event if event.occurred_at is not None else replace(event, occurred_at=occurred_at) for event in events]


def value_in(row: Any, column: str) -> Any:
    """By that very name, or by the path."""
    return row[column] if isinstance(row, dict) and column in row else walk(row, column.split("."))


def name_in(row: Any, column: str) -> str:
    return name_of(present(row, column), column)


def time_in(row: Any, column: str) -> int:
    try:
        return moment(present(row, column))
    except RuleError as error:
        raise RowError(f"{column} {error}") from None


def present(row: Any, column: str) -> Any:
    value = value_in(row, column)
    if value is MISSING or value is None:
        raise RowError(f"{column} is {'missing' if value is MISSING else 'null'}")
    return value


def judge(source: Source, event: Event, now: int) -> Made:
    """What the rules make of an event, which has a time then. Raises RowError if one fails, or the time is no good."""
    given = StoredEvent(0, source.name, event.event_id, event.event_type, event.occurred_at or 0, now, event.payload)
    # A file says when things were so. What lies in the future is a mistake, such as a renewal date.
    strict = replace(source, future_events=replace(source.future_events, action=FutureAction.FAIL))
    made = translate(given, {source.name: strict})
    if made.state is EventState.FAILED:
        raise RowError(made.reason or "the rules fail")
    if not made.changes:
        return Made(event, ())
    times = [change.occurred_at for change in made.changes]
    if event.occurred_at is None:
        if any(rule.occurred_at is None and rule.matches(event.event_type) for rule in source.rules):
            raise RowError("nothing says when it happened: name the column that has the time")
        # The oldest, so that it cannot win by it if the rules are changed and it is replayed.
        event = replace(event, occurred_at=min(times))
    if source.future_events.is_ahead(event.occurred_at or 0, now):
        raise RowError("its time lies in the future, and would win over everything until then")
    return Made(event, made.changes)
