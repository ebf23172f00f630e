"""Queues with lanes. Lanes are served in turn, so that what waits in one of them delays none of the others."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import orjson
from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Connection,
    Row,
    ScalarSelect,
    Select,
    Table,
    Text,
    Update,
    bindparam,
    cast,
    column,
    func,
    select,
)
from sqlalchemy.sql import ColumnElement

from bridge.gates import Endpoint
from bridge.model import Reference
from bridge.store.database import Database
from bridge.store.tables import RECEIVED, entities, events, references


@dataclass(frozen=True, slots=True)
class Lane:
    """One lane of a queue, and where the first of it stands that is not leased.

    That is when it is due, in microseconds, or the number of an event.
    """

    name: str
    due_at: int


@dataclass(frozen=True, slots=True)
class Queue:
    """What is a queue in a table: what divides it into lanes, what orders a lane, and which rows are in it."""

    table: Table
    lane: Column[str]
    place: Column[int]
    waits: ColumnElement[bool]
    #: True for rows that are not leased. None: this queue has no leases.
    free: ColumnElement[bool] | None = None


#: The endpoints that lookups are about.
LOOKUPS = (Endpoint.CUSTOMERS, Endpoint.CONTRACTS)

NOW = bindparam("now", type_=BigInteger)
EVENTS = Queue(events, events.c.source, events.c.id, RECEIVED)
ENTITIES = Queue(
    entities, entities.c.lane, entities.c.due_at, entities.c.due_at.is_not(None), entities.c.leased_until <= NOW
)
REFERENCES = Queue(
    references,
    references.c.lane,
    references.c.due_at,
    references.c.due_at.is_not(None),
    references.c.leased_until <= NOW,
)


def lookup_lane(entity: str, reference: Reference, source: str) -> str:
    """The lane of a lookup: the endpoint that it is about, since that may be closed alone, and the source."""
    endpoint = Endpoint.CONTRACTS if entity == "contract" and reference.kind != "id" else Endpoint.CUSTOMERS
    return f"{endpoint} {source}"


def lookup_endpoint(lane: str) -> Endpoint:
    """The endpoint of a lane of lookups. Rows that an older version has written name none."""
    name = lane.partition(" ")[0]
    return Endpoint(name) if name in set(Endpoint) else Endpoint.CUSTOMERS


def turn(lanes: Sequence[Lane], after: str) -> list[Lane]:
    """The lanes in the order in which they are served when `after` was the last: those behind it come first."""
    ordered = sorted(lanes, key=lambda lane: lane.name)
    return [lane for lane in ordered if lane.name > after] + [lane for lane in ordered if lane.name <= after]


def all_lanes(database: Database, queue: Queue, now: int = 0) -> tuple[Lane, ...]:
    """All lanes of a queue that have anything that is not leased."""
    statement = select(first_by_lane(database, queue))
    found = database.look(lambda connection: connection.execute(statement, {"now": now}).scalar_one())
    return lanes_of(found)


def claim_by_lane(
    database: Database, claim: Update, take_back: Update, lanes: Sequence[Lane], *, limit: int, given: Mapping[str, Any]
) -> list[Row[Any]]:
    """Rows that `claim` leases, up to `limit`: of each lane its share, and what others leave of theirs."""
    tries = count()

    def step(connection: Connection) -> list[Row[Any]]:
        if next(tries):
            # What was claimed may have been committed although the answer was lost.
            connection.execute(take_back, given)
        claimed: list[Row[Any]] = []
        more = list(lanes)
        while more and len(claimed) < limit:
            for left, lane in zip(range(len(more), 0, -1), list(more), strict=True):
                share = -(-(limit - len(claimed)) // left)
                where = {"lane_": lane.name, "since": lane.due_at, "most": share}
                rows = connection.execute(claim, {**given, **where}).all() if share else []
                claimed += rows
                if len(rows) < share:
                    more.remove(lane)
        return claimed

    return database.transact_one(step) if len(lanes) == 1 else database.transact(step)


def first_by_lane(database: Database, queue: Queue) -> ScalarSelect[str]:
    """A statement's part that reads each lane's name and first place as one JSON array.

    It takes one step of an index for each lane, however much waits in it:
    https://wiki.postgresql.org/wiki/Loose_indexscan
    """
    name = queue.table.name
    first = first_of(select(queue.lane).where(queue.waits), queue.lane)
    lanes = select(first.label("lane")).cte(f"{name}_lanes", recursive=True)
    following = first_of(select(queue.lane).where(queue.waits, queue.lane > lanes.c.lane), queue.lane)
    lanes = lanes.union_all(select(following).where(lanes.c.lane.is_not(None)))
    rows = select(lanes.c.lane, first_in(queue, lanes.c.lane).label("place")).where(lanes.c.lane.is_not(None))
    return as_json(database, *rows.subquery(f"{name}_first").c)


def first_in_lanes(database: Database, queue: Queue) -> ScalarSelect[str]:
    """The same for the lanes that the parameter named after the table lists, each from a place on: see `floors`."""
    name = queue.table.name
    given = func.json_to_recordset(cast(bindparam(name, type_=Text), JSON))
    typed = given.table_valued(column("lane", Text), column("floor", BigInteger), name=f"{name}_given")
    each = typed.render_derived(with_types=True)
    rows = select(each.c.lane, first_in(queue, each.c.lane, queue.place >= each.c.floor).label("place"))
    return as_json(database, *rows.subquery(f"{name}_first").c)


def first_in(queue: Queue, lane: ColumnElement[str], *which: ColumnElement[bool]) -> ScalarSelect[int]:
    free = () if queue.free is None else (queue.free,)
    return first_of(select(queue.place).where(queue.waits, *free, queue.lane == lane, *which), queue.lane, queue.place)


def first_of(rows: Select[Any], *order: Column[Any]) -> ScalarSelect[Any]:
    # Not min(): PostgreSQL and SQLite both go to the end of the index for this, whatever stands in its predicate.
    return rows.order_by(*order).limit(1).scalar_subquery()


def as_json(database: Database, *columns: ColumnElement[Any]) -> ScalarSelect[str]:
    if database.is_sqlite:
        return select(func.json_group_array(func.json_array(*columns))).scalar_subquery()
    return select(cast(func.json_agg(func.json_build_array(*columns)), Text)).scalar_subquery()


def lanes_of(text: str | None) -> tuple[Lane, ...]:
    """What `first_by_lane` has read, without lanes of which everything is leased."""
    return tuple(Lane(name, place) for name, place in orjson.loads(text or "[]") if place is not None)
