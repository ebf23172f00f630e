"""Dead letters: events that failed, or have a change that Metronome refused. They wait for an operator."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, literal, select, union, update

from bridge.model import ChangeState, EventState, StoredChange, StoredEvent
from bridge.store.database import Database
from bridge.store.events import ABOVE_ALL
from bridge.store.locks import hold, in_order
from bridge.store.rows import change_of, event_of
from bridge.store.tables import LEFT, REFUSED, changes, events, state_is

FAILED = (LEFT, state_is(events.c.state, EventState.FAILED))
GIVEN_UP = state_is(changes.c.state, ChangeState.PARKED, ChangeState.REFUSED)
#: As the two indexes of what is left have them, so that it does not matter how much else there is.
DEAD = union(select(events.c.id).where(*FAILED), select(changes.c.event).where(REFUSED)).subquery("dead")
DROPPED = "dropped by an operator"


@dataclass(frozen=True, slots=True)
class Selection:
    """Which dead letters: all that fit everything that is said."""

    source: str | None = None
    event_type: str | None = None
    #: Received at this time or later, and before that one.
    since: int | None = None
    until: int | None = None

    def conditions(self) -> Iterable[ColumnElement[bool]]:
        if self.source is not None:
            yield events.c.source == self.source
        if self.event_type is not None:
            yield events.c.event_type == self.event_type
        if self.since is not None:
            yield events.c.received_at >= self.since
        if self.until is not None:
            yield events.c.received_at < self.until


@dataclass(frozen=True, slots=True)
class Letter:
    event: StoredEvent
    #: What Metronome refused of it.
    refused: tuple[StoredChange, ...]

    @property
    def reasons(self) -> list[str]:
        """Why it is dead, with the rules that are concerned."""
        failed = [self.event.reason or "it failed"] if self.event.state is EventState.FAILED else []
        return failed + [f"rule {change.rule!r}: {change.reason or 'refused'}" for change in self.refused]


@dataclass(frozen=True, slots=True)
class Heap:
    """The dead letters of one source."""

    source: str
    count: int
    oldest: int


class Letters:
    def __init__(self, database: Database) -> None:
        self.database = database

    def find(self, selection: Selection, *, before: int | None = None, limit: int = 50) -> list[Letter]:
        """The newest first, from below the event number `before`."""
        below = ABOVE_ALL if before is None else before
        some = selection != Selection()
        fitting = self.chosen(selection, events.c.id).where(events.c.id < below) if some else self.newest(limit, below)
        newest = fitting.order_by(fitting.selected_columns[0].desc()).limit(limit)
        with self.database.read() as connection:
            numbers = connection.scalars(newest).all()
            rows = connection.execute(select(events).where(events.c.id.in_(numbers)).order_by(events.c.id.desc()))
            found = [event_of(row) for row in rows]
            refused = select(changes).where(changes.c.event.in_(numbers), REFUSED)
            of_event: dict[int, list[StoredChange]] = {}
            for change in sorted(map(change_of, connection.execute(refused)), key=lambda change: change.id):
                of_event.setdefault(change.event, []).append(change)
        return [Letter(event, tuple(of_event.get(event.id, ()))) for event in found]

    def newest(self, limit: int, below: int) -> Select[Any]:
        """The newest of those that failed, and of those that were refused: each from the end of its index."""
        parts = (
            select(number.label("number"))
            .where(*which, number < below)
            .order_by(number.desc())
            .distinct()
            .limit(limit)
            .subquery()
            for number, which in ((events.c.id, FAILED), (changes.c.event, (REFUSED,)))
        )
        return select(union(*(select(part.c.number) for part in parts)).subquery("newest").c.number)

    def numbers(self, selection: Selection) -> list[int]:
        """Of the events, oldest first."""
        with self.database.read() as connection:
            return list(connection.scalars(self.chosen(selection, events.c.id).order_by(events.c.id)))

    def counts(self, selection: Selection) -> list[Heap]:
        heaps = self.chosen(selection, events.c.source, func.count(), func.min(events.c.received_at))
        with self.database.read() as connection:
            rows = connection.execute(heaps.group_by(events.c.source).order_by(events.c.source))
            return [Heap(*row) for row in rows]

    def chosen(self, selection: Selection, *columns: Any) -> Any:
        return select(*columns).join(DEAD, DEAD.c.id == events.c.id).where(*selection.conditions())

    def drop(self, numbers: Sequence[int]) -> int:
        """Give up what failed, was refused or is parked of these events. How many events had such."""
        why = literal(f"{DROPPED}: ")
        fail = update(events).where(events.c.id.in_(numbers), *FAILED)
        refuse = update(changes).where(changes.c.event.in_(numbers), GIVEN_UP)

        def give_up(connection: Connection) -> int:
            hold(connection, in_order(events, events.c.id.in_(numbers), *FAILED))
            failed = connection.scalars(
                fail.values(state=EventState.IGNORED, reason=why + func.coalesce(events.c.reason, "")).returning(
                    events.c.id
                )
            ).all()
            hold(connection, in_order(changes, changes.c.event.in_(numbers), GIVEN_UP))
            given_up = connection.scalars(
                refuse.values(state=ChangeState.DROPPED, reason=why + func.coalesce(changes.c.reason, "")).returning(
                    changes.c.event
                )
            ).all()
            return len({*failed, *given_up})

        return self.database.transact(give_up)
