"""Old events and attempts go, in small steps; open work never does, nor what Metronome holds."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import BindParameter, ColumnElement, Connection, Select, Table, bindparam, case, delete, func, select

from bridge.model import EventState
from bridge.store.database import Database
from bridge.store.tables import OPEN, attempts, captures, changes, events


class Pruned(NamedTuple):
    """How many rows went, without counting the changes that go with their events."""

    events: int = 0
    attempts: int = 0


def window(table: Table, time: ColumnElement[int]) -> Select[Any]:
    """The next rows by number. Numbers rise with time, so the table itself is never searched for old rows."""
    return (
        select(table.c.id, time.label("time"))
        .where(table.c.id > bindparam("after"))
        .order_by(table.c.id)
        .limit(bindparam("most"))
    )


GIVEN: BindParameter[Any] = bindparam("numbers", expanding=True)

# Statements are built once: building one takes longer than running it.
NEXT_EVENTS = window(events, events.c.received_at)
NEXT_ATTEMPTS = window(attempts, attempts.c.started_at)
# While we hold an event nobody can have it translated again, so that it gets no new changes.
HOLD_EVENTS = (
    select(events.c.id)
    .where(events.c.id.in_(GIVEN), events.c.state != EventState.RECEIVED)
    .order_by(events.c.id)
    .with_for_update(skip_locked=True)
)
# Counted, not filtered: SQLite would rather go through all open changes than through those of a few events.
WITH_OPEN_WORK = (
    select(changes.c.event)
    .where(changes.c.event.in_(GIVEN))
    .group_by(changes.c.event)
    .having(func.count(case((OPEN, 1))) > 0)
)
REMOVE_CHANGES = delete(changes).where(changes.c.event.in_(GIVEN))
REMOVE_EVENTS = delete(events).where(events.c.id.in_(GIVEN))
FREE_ATTEMPTS = select(attempts.c.id).where(attempts.c.id.in_(GIVEN)).with_for_update(skip_locked=True)
REMOVE_ATTEMPTS = delete(attempts).where(attempts.c.id.in_(FREE_ATTEMPTS))
#: There are never more than a hundred of each source.
REMOVE_CAPTURES = delete(captures).where(captures.c.received_at < bindparam("before"))


class Retention:
    def __init__(self, database: Database) -> None:
        self.database = database

    def prune(self, before: int, limit: int) -> Iterator[Pruned]:
        """One pass from the oldest rows to those of `before`, in steps of up to `limit`: what went with each.

        Whoever iterates sets the pace: each step is one short transaction, and nothing is held between steps.
        """
        for numbers in self.old(NEXT_EVENTS, before, limit):
            yield Pruned(events=self.remove_events(numbers))
        for numbers in self.old(NEXT_ATTEMPTS, before, limit):
            yield Pruned(attempts=self.remove_attempts(numbers))
        self.database.transact_one(lambda one: one.execute(REMOVE_CAPTURES, {"before": before}))

    def shrink_log(self) -> bool:
        """See `Database.shrink_log`."""
        return self.database.shrink_log()

    def old(self, following: Select[Any], before: int, limit: int) -> Iterator[list[int]]:
        """The numbers of old rows, window by window. Rows that stay are passed by, not looked at again."""
        after = 0
        while True:
            with self.database.read() as connection:
                rows = connection.execute(following, {"after": after, "most": limit}).all()
            numbers = [row.id for row in rows if row.time < before]
            if not numbers:
                return
            yield numbers
            after = rows[-1].id

    def remove_events(self, numbers: Sequence[int]) -> int:
        """Remove events with their changes, but for those with open work and those that somebody else works on."""

        def remove(connection: Connection) -> int:
            held = set(connection.scalars(HOLD_EVENTS, {"numbers": numbers}))
            # A statement of its own: one that also holds would not see the changes that came while it waited to hold.
            held -= set(connection.scalars(WITH_OPEN_WORK, {"numbers": list(held)}))
            if held:
                given = {"numbers": sorted(held)}
                connection.execute(REMOVE_CHANGES, given)
                connection.execute(REMOVE_EVENTS, given)
            return len(held)

        return self.database.transact(remove)

    def remove_attempts(self, numbers: Sequence[int]) -> int:
        return self.database.transact_one(lambda one: one.execute(REMOVE_ATTEMPTS, {"numbers": numbers}).rowcount)
