"""Queues with lanes. Lanes are served in turn, so that what waits in one of them delays none of the others."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Column, Row, ScalarSelect, Select, Table, Text, Update, bindparam, cast, func, select
from sqlalchemy.sql import ColumnElement

from bridge.gates import Endpoint
from bridge.model import Reference
from bridge.store.database import Database


@dataclass(frozen=True, slots=True)
class Lane:
    """One lane of a queue, and when the first of it is due that is not leased (microseconds)."""

    name: str
    due_at: int


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


def all_lanes(database: Database, queue: Table, now: int) -> list[str]:
    """The names of all lanes of a queue that have anything that is not leased."""
    statement = select(due_by_lane(database, queue))
    found = database.look(lambda connection: connection.execute(statement, {"now": now}).scalar_one())
    return [lane.name for lane in lanes_of(found)]


def claim_by_lane(
    database: Database, claim: Update, lanes: Sequence[str], limit: int, given: Mapping[str, Any]
) -> list[Row[Any]]:
    """Rows that `claim` leases, up to `limit`: of each lane its share, and what others leave of theirs."""
    claimed: list[Row[Any]] = []
    transaction = database.write_one() if len(lanes) == 1 else database.write()
    with transaction as connection:
        for left, lane in zip(range(len(lanes), 0, -1), lanes, strict=True):
            share = -(-(limit - len(claimed)) // left)
            if share:
                claimed += connection.execute(claim, {**given, "lane_": lane, "most": share}).all()
    return claimed


def due_by_lane(database: Database, queue: Table) -> ScalarSelect[str]:
    """A statement's part that reads each lane's name and first due time as one JSON array.

    It takes one step of an index for each lane, however much waits in it:
    https://wiki.postgresql.org/wiki/Loose_indexscan
    """
    waits = queue.c.due_at.is_not(None)
    first = first_of(select(queue.c.lane).where(waits), queue.c.lane)
    lanes = select(first.label("lane")).cte(f"{queue.name}_lanes", recursive=True)
    following = first_of(select(queue.c.lane).where(waits, queue.c.lane > lanes.c.lane), queue.c.lane)
    lanes = lanes.union_all(select(following).where(lanes.c.lane.is_not(None)))
    free = queue.c.leased_until <= bindparam("now")
    due = first_of(select(queue.c.due_at).where(waits, free, queue.c.lane == lanes.c.lane), queue.c.due_at)
    rows = select(lanes.c.lane, due.label("due_at")).where(lanes.c.lane.is_not(None)).subquery(f"{queue.name}_due")
    return as_json(database, rows.c.lane, rows.c.due_at)


def first_of(rows: Select[tuple[str]] | Select[tuple[int]], column: Column[str] | Column[int]) -> ScalarSelect[str]:
    # Not min(): PostgreSQL and SQLite both go to the end of the index for this, whatever stands in its predicate.
    return rows.order_by(column).limit(1).scalar_subquery()


def as_json(database: Database, *columns: ColumnElement[str]) -> ScalarSelect[str]:
    if database.is_sqlite:
        return select(func.json_group_array(func.json_array(*columns))).scalar_subquery()
    return select(cast(func.json_agg(func.json_build_array(*columns)), Text)).scalar_subquery()


def lanes_of(text: str | None) -> tuple[Lane, ...]:
    """What `due_by_lane` has read, without lanes of which everything is leased."""
    return tuple(Lane(name, due_at) for name, due_at in orjson.loads(text or "[]") if due_at is not None)
