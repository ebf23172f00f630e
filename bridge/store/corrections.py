"""A replay by a corrected mapping may make an event older than the stamp that it has set itself.

Its keys are free then, and whatever is newer than the corrected time has its turn again, though it was superseded
before: the end is as if the mapping had been right from the start.
"""

from collections.abc import Mapping
from dataclasses import replace

from sqlalchemy import bindparam, select, tuple_, update
from sqlalchemy.orm import aliased

from bridge.model import ChangeState, EventState, Field, Stamp, StoredChange
from bridge.store.database import Database
from bridge.store.rows import change_of
from bridge.store.tables import AGE, SETTLED, changes, events, state_is

#: Older than any event.
NO_STAMP = Stamp(0, 0, 0)
#: All changes that one translation of an event made have the same time and digest.
MADE = select(changes.c.id, changes.c.created_at, changes.c.digest).where(
    changes.c.id.in_(bindparam("numbers", expanding=True))
)
LATER = aliased(changes, name="later")
LAST = aliased(changes, name="last")
LATEST = (
    select(LATER.c.id)
    .where(LATER.c.event == changes.c.event)
    .order_by(LATER.c.id.desc())
    .limit(1)
    .correlate(changes)
    .scalar_subquery()
)
#: Settled changes of an entity that are newer than a stamp, the newest first; of each event only those of its last
#: translation: what a replay has replaced says nothing any more.
CANDIDATES = (
    select(changes)
    .join(events, events.c.id == changes.c.event)
    .join(LAST, LAST.c.id == LATEST)
    .where(
        SETTLED,
        changes.c.entity == bindparam("entity_"),
        changes.c.entity_id == bindparam("entity_id_"),
        tuple_(*AGE) > tuple_(bindparam("time"), bindparam("event_"), bindparam("change_")),
        state_is(events.c.state, EventState.TRANSLATED, EventState.FAILED),
        LAST.c.created_at == changes.c.created_at,
        LAST.c.digest.is_not_distinct_from(changes.c.digest),
    )
    .order_by(*(column.desc() for column in AGE))
)
REOPEN = (
    update(changes)
    .where(SETTLED, changes.c.id.in_(bindparam("numbers", expanding=True)))
    .values(state=ChangeState.PENDING, reason=None, retry_at=None, conflict=None)
)

Work = tuple[tuple[StoredChange, ...], Mapping[str, Field]]


def corrected(database: Database, entity: str, entity_id: str, work: Work) -> Work:
    """Returns the work on an entity, with keys freed that an older translation of an event in it has set."""
    pending, known = work
    suspects = {
        key: (known[key].stamp.change, change.id)
        for change in pending
        for key in change.values
        if key in known and known[key].stamp.event == change.event and known[key].stamp.change < change.id
    }
    if not suspects:
        return work
    replaced = of_other_translations(database, suspects)
    newest = {key: max(one.stamp for one in pending if key in one.values) for key in replaced}
    lowered = {key: stamp for key, stamp in newest.items() if stamp < known[key].stamp}
    if not lowered:
        return work
    free = {key: replace(held, stamp=NO_STAMP) if key in lowered else held for key, held in known.items()}
    return pending + reopened(database, entity, entity_id, lowered), free


def of_other_translations(database: Database, suspects: Mapping[str, tuple[int, int]]) -> list[str]:
    """Keys whose two changes are not of one translation: an event may set a key twice, by for_each or by two rules."""
    numbers = sorted({number for pair in suspects.values() for number in pair})
    with database.read() as connection:
        made = {row.id: (row.created_at, row.digest) for row in connection.execute(MADE, {"numbers": numbers})}
    return [key for key, (old, new) in suspects.items() if made.get(old) != made.get(new)]


def reopened(database: Database, entity: str, entity_id: str, lowered: Mapping[str, Stamp]) -> tuple[StoredChange, ...]:
    """Make those changes pending again that are the newest of a key, now that its stamp is so low. Returns them."""
    least = min(lowered.values())
    given = {"time": least.occurred_at, "event_": least.event, "change_": least.change}
    missing, found = dict(lowered), list[StoredChange]()
    with database.write() as connection:
        for row in connection.execute(CANDIDATES, {"entity_": entity, "entity_id_": entity_id, **given}):
            change = change_of(row)
            won = [key for key in change.values if key in missing and missing[key] < change.stamp]
            if won:
                found.append(change)
                missing = {key: stamp for key, stamp in missing.items() if key not in won}
            if not missing:
                break
        if found:
            connection.execute(REOPEN, {"numbers": [change.id for change in found]})
    return tuple(found)
