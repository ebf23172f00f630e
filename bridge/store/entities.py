"""The work queue: entities are made due, claimed under a lease, loaded and settled."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

import orjson
from sqlalchemy import (
    Connection,
    Row,
    Table,
    and_,
    bindparam,
    case,
    delete,
    exists,
    false,
    func,
    select,
    true,
    tuple_,
    update,
)
from sqlalchemy.sql import ColumnElement

from bridge.model import Attempt, ChangeState, Field, StoredChange, Wait
from bridge.store.corrections import corrected
from bridge.store.database import Database, packed
from bridge.store.floors import Floors
from bridge.store.isolation import NO_ISOLATION, Isolation
from bridge.store.lanes import ENTITIES, Lane, all_lanes, claim_by_lane
from bridge.store.locks import hold, in_order
from bridge.store.rows import attempt_of, change_of, field_of
from bridge.store.tables import AGE, OPEN, attempts, changes, entities, fields
from bridge.times import MINUTE

#: What one delivery takes on at most, the newest first. The rest of an entity's changes comes with the next.
MAX_CHANGES = 1000
#: What waits for up to an hour, because Metronome does not know it, is tried again sooner once there is news of it.
LONGEST_WAIT_WITH_NEWS = MINUTE


def here(table: Table) -> ColumnElement[bool]:
    """Rows of the entity that a statement is about."""
    return and_(table.c.entity == bindparam("entity_"), table.c.entity_id == bindparam("entity_id_"))


# Statements are built once: building one takes longer than running it.
DUE = (
    select(entities.c.entity, entities.c.entity_id)
    .where(
        entities.c.lane == bindparam("lane_"),
        entities.c.due_at.between(bindparam("since"), bindparam("now")),
        entities.c.leased_until <= bindparam("now"),
    )
    .order_by(entities.c.due_at)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
    # As a subquery PostgreSQL may run it more than once, and lease more than was asked for.
    .cte("due")
)
CLAIM = (
    update(entities)
    .where(tuple_(entities.c.entity, entities.c.entity_id).in_(select(DUE)))
    .values(lease=bindparam("new_lease"), leased_until=bindparam("until"))
    .returning(*(entities.c[name] for name in ("entity", "entity_id", "tries", "doubts", "isolation")))
)
TAKE_BACK = update(entities).where(entities.c.lease == bindparam("new_lease")).values(lease=None, leased_until=0)
RETRIED = func.coalesce(changes.c.retry_at, 0)
LOAD_CHANGES = (
    select(changes)
    .where(OPEN, here(changes), bindparam("now") >= RETRIED)
    .order_by(*(column.desc() for column in AGE))
    .limit(MAX_CHANGES)
)
LOAD_FIELDS = select(fields).where(here(fields)).order_by(fields.c.key)
# One for each kind of entity: SQLite reads the whole table for a list of tuples.
LOAD_MANY = select(fields).where(
    fields.c.entity == bindparam("entity_"), fields.c.entity_id.in_(bindparam("ids", expanding=True))
)
OURS = (here(entities), entities.c.lease == bindparam("lease_"))
GIVE_BACK = (
    update(entities)
    .where(*OURS)
    .values(
        lease=None,
        leased_until=0,
        due_at=bindparam("due"),
        tries=bindparam("new_tries"),
        last_error=bindparam("error"),
        waits_for=bindparam("wait"),
        isolation=bindparam("isolation_"),
    )
    .returning(entities.c.doubts)
)
RELEASE = update(entities).where(*OURS).values(lease=None, leased_until=0)
FIRST_RETRY = select(func.min(RETRIED)).where(OPEN, here(changes)).scalar_subquery()
WAIT_FOR_RETRY = update(entities).where(here(entities), entities.c.due_at < FIRST_RETRY).values(due_at=FIRST_RETRY)
REMOVE_IF_DONE = delete(entities).where(here(entities), ~exists().where(OPEN, here(changes)))
#: Only what is still open: somebody may have dropped or replayed it while the call was under way.
MARKED = (OPEN, changes.c.id.in_(bindparam("numbers", expanding=True)))
HOLD_CHANGES = in_order(changes, *MARKED)
MARK = (
    update(changes)
    .where(*MARKED)
    .values(
        state=bindparam("new_state"),
        reason=bindparam("new_reason"),
        retry_at=bindparam("new_retry"),
        conflict=bindparam("new_conflict"),
    )
)
DOUBT_FIELDS = (
    update(fields).where(here(fields), fields.c.key.in_(bindparam("keys", expanding=True))).values(doubted=true())
)
#: Ours counts, whatever newer value Metronome may hold.
DOUBT_AND_TRUST_FIELDS = DOUBT_FIELDS.values(unsure=false())
#: What a row of an entity that is put into the queue has.
QUEUED = tuple(entities.c[name] for name in ("entity", "entity_id", "due_at", "leased_until", "tries", "lane"))
ATTEMPTS = select(attempts).where(here(attempts)).order_by(attempts.c.id.desc()).limit(bindparam("most"))


@dataclass(frozen=True, slots=True)
class Claim:
    """An entity that is ours until its lease ends."""

    entity: str
    entity_id: str
    lease: str
    until: int
    tries: int
    #: How often the entity had been doubted by then.
    doubts: int = 0
    #: How far an earlier delivery has come in its search for a key that Metronome refuses.
    isolation: Isolation = NO_ISOLATION


@dataclass(frozen=True, slots=True)
class Work:
    """Everything that a delivery needs to know of its entity."""

    changes: tuple[StoredChange, ...]
    fields: Mapping[str, Field]


class Doubt(NamedTuple):
    """Keys of an entity that Metronome may hold something else of than we think."""

    entity: str
    entity_id: str
    keys: tuple[str, ...]
    #: When they are to be written again.
    due_at: int


class Mark(NamedTuple):
    """What became of a change."""

    state: ChangeState
    reason: str | None = None
    #: When a parked change is worth another try; None: with the next delivery.
    retry_at: int | None = None
    #: The key whose unique value another entity holds, if that is what it waits for.
    conflict: str | None = None


@dataclass(frozen=True, slots=True)
class Settlement:
    """What a delivery came to."""

    attempts: tuple[Attempt, ...] = ()
    #: What Metronome holds now of the keys that were touched.
    fields: Mapping[str, Field] = field(default_factory=dict)
    #: What became of changes, and why. Those not named stay as they are.
    states: Mapping[int, Mark] = field(default_factory=dict)
    #: When to try again; None: at once, if anything is left to do.
    retry_at: int | None = None
    tries: int = 0
    error: str | None = None
    waits_for: Wait | None = None
    isolation: Isolation = NO_ISOLATION


class Entities:
    def __init__(self, database: Database) -> None:
        self.database = database
        self.insert_attempts = database.insert_rows(attempts, [one for one in attempts.c if one is not attempts.c.id])
        insert = database.insert_rows(fields, list(fields.c))
        replaced = {one.name: insert.excluded[one.name] for one in fields.c if not one.primary_key}
        self.put_fields = insert.on_conflict_do_update(index_elements=list(fields.primary_key), set_=replaced)
        again = database.insert(entities)
        sooner = case((entities.c.due_at < again.excluded.due_at, entities.c.due_at), else_=again.excluded.due_at)
        self.put_doubt = again.on_conflict_do_update(
            index_elements=list(entities.primary_key), set_={"due_at": sooner, "doubts": entities.c.doubts + 1}
        )

    def claim(self, lease: str, limit: int, now: int, until: int, lanes: Sequence[Lane] | None = None) -> list[Claim]:
        """Lease up to `limit` due entities until `until`. Returns them: a fair share of each lane, oldest first.

        `lanes`: which, in the order in which they are served, each from its first due time on; None: all.
        """
        if lanes is None:
            lanes = all_lanes(self.database, ENTITIES, now)
        given = {"now": now, "new_lease": lease, "until": until}
        rows = claim_by_lane(self.database, CLAIM, TAKE_BACK, lanes, limit=limit, given=given)
        return [claim_of(row, lease, until) for row in rows]

    def load(self, claim: Claim, now: int) -> Work:
        which = key_of(claim.entity, claim.entity_id)

        def step(connection: Connection) -> tuple[tuple[StoredChange, ...], dict[str, Field]]:
            work = tuple(map(change_of, connection.execute(LOAD_CHANGES, which | {"now": now})))
            return work, {row.key: field_of(row) for row in connection.execute(LOAD_FIELDS, which)}

        return Work(*corrected(self.database, claim.entity, claim.entity_id, self.database.look(step)))

    def settle(self, claim: Claim, settlement: Settlement, now: int) -> bool:
        """Remember what a delivery came to and give the entity back. False, and nothing, if the lease was lost."""
        which = key_of(claim.entity, claim.entity_id)
        given = {
            "lease_": claim.lease,
            "due": now if settlement.retry_at is None else settlement.retry_at,
            "new_tries": settlement.tries,
            "error": settlement.error,
            "wait": settlement.waits_for,
            "isolation_": settlement.isolation.to_json(),
        }

        def step(connection: Connection) -> bool:
            # First of all, so that changes which arrive meanwhile wait for this transaction, or it for them.
            doubts = connection.execute(GIVE_BACK, which | given).scalar_one_or_none()
            if doubts is None:
                return False
            doubted = doubts != claim.doubts
            if settlement.attempts:
                connection.execute(
                    self.insert_attempts, packed([attempt_row(claim, one) for one in settlement.attempts])
                )
            if settlement.fields:
                rows = [
                    field_row(claim, key, held, now) | {"doubted": doubted} for key, held in settlement.fields.items()
                ]
                connection.execute(self.put_fields, packed(rows))
            self.mark(connection, settlement.states)
            if settlement.retry_at is None and not doubted and not connection.execute(REMOVE_IF_DONE, which).rowcount:
                connection.execute(WAIT_FOR_RETRY, which)
            return True

        return self.database.transact(step)

    def note(self, claim: Claim, made: Sequence[Attempt]) -> None:
        """Remember calls that no settlement tells of."""
        if made:
            rows = packed([attempt_row(claim, one) for one in made])
            self.database.transact(lambda connection: connection.execute(self.insert_attempts, rows))

    def doubt(self, doubts: Iterable[Doubt], *, ours_counts: bool = False) -> None:
        """Somebody else has written these keys: have whatever should be there written again.

        A worker that holds the lease now may have written before; it notices when it settles. Keys that are unsure are
        written again only if `ours_counts`.
        """
        given, mark = sorted(doubts), DOUBT_AND_TRUST_FIELDS if ours_counts else DOUBT_FIELDS

        def step(connection: Connection) -> None:
            for one in given:
                connection.execute(self.put_doubt, queued(one.entity, one.entity_id, one.due_at) | {"doubts": 1})
                connection.execute(mark, key_of(one.entity, one.entity_id) | {"keys": sorted(one.keys)})

        self.database.transact(step)

    def mark(self, connection: Connection, states: Mapping[int, Mark]) -> None:
        """One statement for all changes that came out alike."""
        groups: dict[Mark, list[int]] = {}
        if len(states) > 1:
            hold(connection, HOLD_CHANGES, {"numbers": list(states)})
        for change, mark in states.items():
            groups.setdefault(mark, []).append(change)
        for mark, numbers in groups.items():
            given = {"new_state": mark.state, "new_reason": mark.reason, "new_retry": mark.retry_at}
            connection.execute(MARK, given | {"numbers": numbers, "new_conflict": mark.conflict})

    def release(self, claim: Claim) -> None:
        """Give back what was claimed and not begun."""
        given = key_of(claim.entity, claim.entity_id) | {"lease_": claim.lease}
        self.database.transact_one(lambda connection: connection.execute(RELEASE, given))

    def fields_of(self, entity: str, entity_id: str) -> dict[str, Field]:
        with self.database.read() as connection:
            return {row.key: field_of(row) for row in connection.execute(LOAD_FIELDS, key_of(entity, entity_id))}

    def fields_of_many(self, wanted: Collection[tuple[str, str]]) -> dict[tuple[str, str, str], Field]:
        """Of many entities, each with its id: by entity, id and key."""
        held: dict[tuple[str, str, str], Field] = {}
        with self.database.read() as connection:
            for entity, group in groupby(sorted(wanted), key=itemgetter(0)):
                found = connection.execute(LOAD_MANY, {"entity_": entity, "ids": [one for _, one in group]})
                held |= {(entity, row.entity_id, row.key): field_of(row) for row in found}
        return held

    def attempts_of(self, entity: str, entity_id: str, limit: int = 50) -> list[Attempt]:
        """The newest first."""
        with self.database.read() as connection:
            return [
                attempt_of(row) for row in connection.execute(ATTEMPTS, key_of(entity, entity_id) | {"most": limit})
            ]


def key_of(entity: str, entity_id: str) -> dict[str, Any]:
    return {"entity_": entity, "entity_id_": entity_id}


def claim_of(row: Row[Any], lease: str, until: int) -> Claim:
    isolation = Isolation.from_json(row.isolation)
    return Claim(row.entity, row.entity_id, lease, until, row.tries, row.doubts, isolation)


def queued(entity: str, entity_id: str, now: int, lane: str = "") -> dict[str, Any]:
    return {"entity": entity, "entity_id": entity_id, "due_at": now, "leased_until": 0, "tries": 0, "lane": lane}


def attempt_row(claim: Claim, attempt: Attempt) -> dict[str, Any]:
    return attempt_values(claim.entity, claim.entity_id, attempt)


def attempt_values(entity: str, entity_id: str, attempt: Attempt) -> dict[str, Any]:
    return {
        "entity": entity,
        "entity_id": entity_id,
        "call": attempt.call,
        "keys": orjson.dumps(attempt.keys).decode(),
        "status": attempt.outcome.status,
        "verdict": attempt.outcome.verdict,
        "message": attempt.outcome.message,
        "started_at": attempt.started_at,
        "duration": attempt.duration,
        "changes": orjson.dumps(attempt.changes).decode(),
    }


def field_row(claim: Claim, key: str, held: Field, now: int) -> dict[str, Any]:
    where = {"entity": claim.entity, "entity_id": claim.entity_id, "key": key}
    return {**where, "value": held.value, **held.stamp._asdict(), "set_at": now, "unsure": held.unsure}


class Queue:
    """Puts entities into the queue. News shortens a long wait after failures, but does not end it."""

    def __init__(self, database: Database, floors: Floors) -> None:
        self.floors = floors
        insert = database.insert_rows(entities, QUEUED)
        wanted = insert.excluded.due_at + case((entities.c.tries == 0, 0), else_=LONGEST_WAIT_WITH_NEWS)
        self.put = insert.on_conflict_do_update(
            index_elements=list(entities.primary_key),
            set_={
                "due_at": case((entities.c.due_at < wanted, entities.c.due_at), else_=wanted),
                "lane": insert.excluded.lane,
            },
        )
        self.put_back = database.insert_rows(entities, QUEUED).on_conflict_do_nothing()

    def make_due_again(self, connection: Connection, which: tuple[str, str], now: int) -> None:
        """Nothing is new: an entity that waits after a failure goes on to wait, or does for a while if it is gone."""
        connection.execute(self.put_back, packed([queued(*which, now + LONGEST_WAIT_WITH_NEWS)]))

    def make_due(self, connection: Connection, lanes: Mapping[tuple[str, str], str], now: int) -> None:
        """Queue entities, each in its lane: the source whose change is the reason."""
        rows = [queued(entity, entity_id, now, lanes[entity, entity_id]) for entity, entity_id in sorted(lanes)]
        if rows:
            connection.execute(self.put, packed(rows))
            self.floors.learn(lanes.values())
