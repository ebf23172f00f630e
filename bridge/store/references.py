"""References that need a lookup: their answers are kept for a while, and changes are parked until there is one."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from sqlalchemy import Connection, and_, bindparam, case, exists, select, tuple_, update
from sqlalchemy.sql import ColumnElement

from bridge.model import ChangeState, Reference, Wait
from bridge.store.database import Database, packed
from bridge.store.entities import LONGEST_WAIT_WITH_NEWS, Queue
from bridge.store.floors import Floors
from bridge.store.lanes import REFERENCES, Lane, all_lanes, claim_by_lane, lookup_lane
from bridge.store.locks import hold, in_order
from bridge.store.tables import OPEN, PARKED, changes, references

#: Before the first lookup.
NEVER = -1

KEY = (references.c.entity, references.c.kind, references.c.value)


def here(entity: ColumnElement[str], kind: ColumnElement[str], value: ColumnElement[str]) -> ColumnElement[bool]:
    """Rows of the reference that a statement is about."""
    return and_(entity == bindparam("entity_"), kind == bindparam("kind_"), value == bindparam("value_"))


WAITING = and_(
    PARKED, changes.c.entity_id.is_(None), here(changes.c.entity, changes.c.reference_kind, changes.c.reference_value)
)

# Statements are built once: building one takes longer than running it.
HOLD_WAITING = in_order(changes, WAITING)
# One for each kind: SQLite reads the whole table for a list of tuples.
KNOWN = select(references.c.value, references.c.entity_id).where(
    references.c.entity == bindparam("entity_"),
    references.c.kind == bindparam("kind_"),
    references.c.value.in_(bindparam("asked", expanding=True)),
    references.c.entity_id.is_not(None),
    references.c.checked_at > bindparam("since"),
)
DUE = (
    select(*KEY)
    .where(
        references.c.lane == bindparam("lane_"),
        references.c.due_at.between(bindparam("since"), bindparam("now")),
        references.c.leased_until <= bindparam("now"),
    )
    .order_by(references.c.due_at)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
    .cte("due")
)
CLAIM = (
    update(references)
    .where(tuple_(*KEY).in_(select(DUE)))
    .values(lease=bindparam("new_lease"), leased_until=bindparam("until"))
    .returning(*KEY, references.c.tries, references.c.lane)
)
TAKE_BACK = update(references).where(references.c.lease == bindparam("new_lease")).values(lease=None, leased_until=0)
GIVE_BACK = (
    update(references).where(here(*KEY), references.c.lease == bindparam("lease_")).values(lease=None, leased_until=0)
)
#: What an answer replaces. One that was found to be wrong has no time.
HOLD_ANSWER = (
    select(references.c.entity_id, references.c.checked_at)
    .where(here(*KEY), references.c.lease == bindparam("lease_"))
    .with_for_update()
)
ANSWERED = GIVE_BACK.values(
    entity_id=bindparam("found"), checked_at=bindparam("now"), due_at=None, tries=0, last_error=None, waits_for=None
)
POSTPONED = GIVE_BACK.values(
    due_at=bindparam("due"), tries=bindparam("new_tries"), last_error=bindparam("reason_"), waits_for=bindparam("wait")
)
SET_FREE = update(changes).where(WAITING).values(entity_id=bindparam("found"), state=ChangeState.PENDING, reason=None)
WAIT_OR_REFUSE = (
    update(changes)
    .where(WAITING)
    .values(
        state=case((changes.c.created_at < bindparam("refuse_before"), ChangeState.REFUSED), else_=ChangeState.PARKED),
        reason=bindparam("reason_"),
    )
)
FORGET = update(references).where(here(*KEY), references.c.entity_id == bindparam("gone")).values(checked_at=None)
DISTRUST = update(references).where(here(*KEY)).values(checked_at=NEVER)
PUT_BACK = (OPEN, changes.c.entity_id == bindparam("gone"), changes.c.id.in_(bindparam("numbers", expanding=True)))
HOLD_PUT_BACK = in_order(changes, *PUT_BACK)
WAIT_FOR_ANSWER = (
    update(changes).where(*PUT_BACK).values(entity_id=None, state=ChangeState.PARKED, reason=bindparam("reason_"))
)
ASLEEP = (
    select(*KEY)
    .where(
        references.c.entity == bindparam("entity_"),
        references.c.kind == bindparam("kind_"),
        references.c.value.in_(bindparam("values_", expanding=True)),
        references.c.due_at > bindparam("now"),
        references.c.leased_until <= bindparam("now"),
    )
    .with_for_update(skip_locked=True)
    .cte("asleep")
)
WAKE = update(references).where(tuple_(*KEY).in_(select(ASLEEP))).values(due_at=bindparam("now"))
STOP_IF_DONE = (
    update(references).where(here(*KEY), ~exists().where(WAITING)).values(due_at=None, tries=0, waits_for=None)
)

#: What a row of a reference that is to be looked up has.
ASKED = (*KEY, references.c.due_at, references.c.leased_until, references.c.tries, references.c.lane)


@dataclass(frozen=True, slots=True)
class Question:
    """A reference that is ours to look up until its lease ends."""

    entity: str
    reference: Reference
    lease: str
    tries: int
    lane: str = ""

    @property
    def source(self) -> str:
        """The source that asked last."""
        return self.lane.partition(" ")[2]


class References:
    def __init__(self, database: Database, queue: Queue, cache: int, floors: Floors) -> None:
        """`cache`: for how many microseconds an answer is trusted."""
        self.database = database
        self.queue = queue
        self.cache = cache
        self.floors = floors
        insert = database.insert_rows(references, ASKED)
        with_news = insert.excluded.due_at + case((references.c.tries == 0, 0), else_=LONGEST_WAIT_WITH_NEWS)
        self.ask = insert.on_conflict_do_update(
            index_elements=list(references.primary_key),
            set_={
                "due_at": case((references.c.due_at < with_news, references.c.due_at), else_=with_news),
                "lane": insert.excluded.lane,
            },
        )
        answer = database.insert(references)
        learned = {name: answer.excluded[name] for name in ("entity_id", "checked_at")}
        self.learn = answer.on_conflict_do_update(index_elements=list(references.primary_key), set_=learned)

    def resolve(
        self, connection: Connection, wanted: Mapping[tuple[str, Reference], str], now: int
    ) -> Mapping[tuple[str, Reference], str]:
        """The entity ids that are known. The others become due for a lookup. `wanted`: with the source that asks."""
        known = {(entity, reference): reference.value for entity, reference in wanted if reference.kind == "id"}
        asked = sorted((entity, *reference) for entity, reference in wanted if reference.kind != "id")
        if not asked:
            return known
        known |= answers(connection, asked, now - self.cache)
        unknown = [
            asked_row(entity, Reference(kind, value), wanted[entity, Reference(kind, value)], now)
            for entity, kind, value in asked
            if (entity, Reference(kind, value)) not in known
        ]
        if unknown:
            # This also holds the rows, so that no answer slips in before the changes are parked.
            connection.execute(self.ask, packed(unknown))
            self.floors.learn(str(row["lane"]) for row in unknown)
        return known

    def known(self, wanted: Collection[tuple[str, Reference]]) -> Mapping[tuple[str, Reference], str]:
        """The entity ids that lookups have found, however long ago. For showing: nothing becomes due."""
        with self.database.read() as connection:
            return answers(connection, sorted((entity, *reference) for entity, reference in wanted), NEVER)

    def recent(self, entity: str, reference: Reference, now: int) -> str | None:
        """The entity's id, if it was looked up not long ago."""
        if reference.entity_id:
            return reference.entity_id
        which, since = (entity, reference), now - self.cache
        return self.database.look(lambda connection: answers(connection, [(entity, *reference)], since).get(which))

    def remember(self, entity: str, reference: Reference, entity_id: str, now: int) -> None:
        """An answer that came about while another was looked for."""
        kind, value = reference
        row = {"entity": entity, "kind": kind, "value": value, "entity_id": entity_id, "checked_at": now}
        given = row | {"leased_until": 0, "tries": 0}
        self.database.transact_one(lambda connection: connection.execute(self.learn, given))

    def wake(self, entity: str, references: Collection[Reference], now: int) -> None:
        """There is news of these, all of one kind: those that somebody waits for are looked up now."""
        values = sorted(reference.value for reference in references)
        if values:
            given = {"entity_": entity, "kind_": next(iter(references)).kind, "values_": values, "now": now}
            self.database.transact_one(lambda connection: connection.execute(WAKE, given))

    def claim(
        self, lease: str, limit: int, now: int, until: int, lanes: Sequence[Lane] | None = None
    ) -> list[Question]:
        """Lease up to `limit` due lookups until `until`. Returns them: see `Entities.claim`."""
        if lanes is None:
            lanes = all_lanes(self.database, REFERENCES, now)
        given = {"now": now, "new_lease": lease, "until": until}
        rows = claim_by_lane(self.database, CLAIM, TAKE_BACK, lanes, limit=limit, given=given)
        return [Question(row.entity, Reference(row.kind, row.value), lease, row.tries, row.lane) for row in rows]

    def answer(self, question: Question, entity_id: str, now: int) -> bool:
        """Remember the answer and set free what was parked for it. False, and nothing, if the lease was lost."""
        given = key_of(question) | {"found": entity_id, "now": now}

        def step(connection: Connection) -> bool:
            before = connection.execute(HOLD_ANSWER, given).one_or_none()
            if before is None:
                return False
            connection.execute(ANSWERED, given)
            if before == (entity_id, None):
                # Asked again because Metronome does not know this id, and the same was found.
                self.queue.make_due_again(connection, (question.entity, entity_id), now)
            else:
                self.queue.make_due(connection, {(question.entity, entity_id): question.source}, now)
            hold(connection, HOLD_WAITING, given)
            connection.execute(SET_FREE, given)
            return True

        return self.database.transact(step)

    def forget(
        self, entity: str, gone: str, waiting: Mapping[Reference, Collection[int]], reason: str, now: int
    ) -> None:
        """Metronome does not know the entity that lookups have found: look these references up again.

        `waiting`: the numbers of the changes that wait for each. They are no longer bound to the entity `gone`.
        """
        asked = [asked_row(entity, reference, "", now) for reference in sorted(waiting)]
        customers = sorted({one.customer for one in waiting if one.customer})
        numbers = sorted(number for group in waiting.values() for number in group)

        def step(connection: Connection) -> None:
            connection.execute(self.ask, packed(asked))
            for kind, value in sorted(waiting):
                connection.execute(FORGET, {"entity_": entity, "kind_": kind, "value_": value, "gone": gone})
            for kind, value in customers:
                # The customer that a contract was looked up under may be gone as well.
                connection.execute(DISTRUST, {"entity_": "customer", "kind_": kind, "value_": value})
            given = {"gone": gone, "numbers": numbers, "reason_": reason}
            hold(connection, HOLD_PUT_BACK, {"gone": gone, "numbers": numbers})
            connection.execute(WAIT_FOR_ANSWER, given)

        self.database.transact(step)

    def postpone(
        self,
        question: Question,
        retry_at: int,
        reason: str,
        *,
        tries: int,
        refuse_before: int = 0,
        waits_for: Wait | None = None,
    ) -> bool:
        """No answer yet: ask again later. What has been parked since before `refuse_before` is refused."""
        given = key_of(question) | {
            "due": retry_at,
            "new_tries": tries,
            "reason_": reason,
            "refuse_before": refuse_before,
            "wait": waits_for,
        }

        def step(connection: Connection) -> bool:
            if connection.execute(POSTPONED, given).rowcount != 1:
                return False
            hold(connection, HOLD_WAITING, given)
            connection.execute(WAIT_OR_REFUSE, given)
            connection.execute(STOP_IF_DONE, given)
            return True

        return self.database.transact(step)

    def release(self, question: Question) -> None:
        """Give back what was claimed and not begun."""
        self.database.transact_one(lambda connection: connection.execute(GIVE_BACK, key_of(question)))


def asked_row(entity: str, reference: Reference, source: str, now: int) -> dict[str, object]:
    lane = lookup_lane(entity, reference, source)
    where = {"entity": entity, "kind": reference.kind, "value": reference.value}
    return {**where, "due_at": now, "leased_until": 0, "tries": 0, "lane": lane}


def key_of(question: Question) -> dict[str, object]:
    kind, value = question.reference
    return {"entity_": question.entity, "kind_": kind, "value_": value, "lease_": question.lease}


def answers(
    connection: Connection, asked: Sequence[tuple[str, str, str]], since: int
) -> dict[tuple[str, Reference], str]:
    """What lookups have found since then. `asked`: entity, kind and value, sorted."""
    found: dict[tuple[str, Reference], str] = {}
    for (entity, kind), group in groupby(asked, key=lambda one: one[:2]):
        given = {"entity_": entity, "kind_": kind, "asked": [value for *_, value in group], "since": since}
        rows = connection.execute(KNOWN, given)
        found |= {(entity, Reference(kind, row.value)): row.entity_id for row in rows}
    return found
