"""No operation reads more of a full store than of an empty one: seen in how the databases go about each statement."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import event, inspect, text

from bench.fill import NOW, fill
from bench.flat import OPERATIONS, UNTIL, alone, timed
from bridge.model import Reference
from bridge.store import open_store
from bridge.store.entities import MAX_CHANGES
from bridge.store.history import Span, Window
from bridge.store.index import Entry
from bridge.times import HOUR, SECOND
from tests.conftest import made_database
from tests.support.making import ENTITY_ID

EVENTS = 20_000
#: What a statement may read at most: a thousand changes, and a little that stands in front of them.
ENOUGH = MAX_CHANGES + 200
BIG = ("events", "changes", "entities", "fields", "attempts", "references", "index_entries")
#: As PostgreSQL sees a store whose statistics are of a time when nothing had been done yet.
BURST = [
    statement
    for table, first in (("events", "received"), ("changes", "pending"))
    for statement in (
        f"ALTER TABLE {table} SET (autovacuum_enabled = off)",
        f"UPDATE {table} SET reason = state, state = '{first}'",
        f"ANALYZE {table}",
        f"UPDATE {table} SET state = reason, reason = NULL",
        f"VACUUM {table}",
    )
]


@pytest.fixture(scope="module", params=["sqlite", "postgresql", "postgresql after a burst"])
def full(request, tmp_path_factory):
    with made_database(request, tmp_path_factory.mktemp("full")) as url:
        store = open_store(url.replace("postgresql:", "postgresql+psycopg:"), 4, HOUR)
        fill(store, EVENTS, busy=3 * EVENTS)
        if request.param.endswith("burst"):
            with store.database.read() as connection:
                for statement in BURST:
                    connection.execute(text(statement))
        yield store
        store.close()


def answer(store, _events):
    (question,) = store.references.claim("ours", 1, NOW, UNTIL)
    yield lambda: store.references.answer(question, "00000000-0000-4000-8000-000000000907", NOW)


def forget(store, _events):
    reference = Reference("ingest_alias", "nobody")
    yield lambda: store.references.forget("customer", ENTITY_ID, {reference: [1, 2, 3]}, "gone", NOW)


def make_a_page_unsure(store, _events):
    first, *_, last = store.holdings.next_ids("customer", "")
    yield lambda: (
        store.holdings.next_ids("customer", first),
        store.holdings.make_page_unsure({"entity_": "customer", "first": first, "last": last}),
    )


def postpone(store, _events):
    (question,) = store.references.claim("ours", 1, NOW, UNTIL)
    yield lambda: store.references.postpone(question, NOW + HOUR, "no customer has it", tries=1, refuse_before=1)


def replay(store, events):
    yield lambda: store.events.replay([events // 2, events // 2 + 1])


def know_events(store, events):
    names = [event.event_id for event in store.events.find(limit=50)]
    yield lambda: store.events.known("stripe", [*names, *(f"backfill:{number}" for number in range(50))])


def know_fields(store, events):
    named = {("customer", Reference("ingest_alias", f"acme_{number}")) for number in range(10)}
    ids = {("customer", f"{number:08d}-0000-4000-8000-000000000000") for number in range(10)}
    yield lambda: (store.references.known(named), store.entities.fields_of_many(ids))


def count_backlog(store, events):
    yield lambda: store.backlog.count(NOW)


def span(store, events):
    yield lambda: store.history.span(Window(NOW - HOUR, NOW - 60 * SECOND, 100), "rare")


def page_of(source):
    """Half way through the history."""
    return alone(lambda store, events: next(store.history.pages(source, Span(events // 2, events, 0, NOW)), None))


def read_a_page(store, _events):
    entries = [Entry("crm_account_id", f"B-{number}", ENTITY_ID) for number in range(100)]
    yield lambda: store.index.change(lambda state: replace(state, walk=2), entries)


def forget_some(store, _events):
    yield lambda: store.index.prune(2)


def find_candidates(store, events):
    yield lambda: store.index.candidates("crm_account_id", f"A-{events // 4}")


def wake_references(store, _events):
    awaited = [Reference("ingest_alias", f"cus_{number}") for number in range(100)]
    yield lambda: store.references.wake("customer", awaited, NOW)


def know_a_reference(store, _events):
    store.references.remember("customer", Reference("ingest_alias", "cus_5"), ENTITY_ID, NOW)
    yield lambda: store.references.recent("customer", Reference("ingest_alias", "cus_5"), NOW)


MORE = {
    "answer a reference": answer,
    "postpone a reference": postpone,
    "forget an answer": forget,
    "make a page of keys unsure": make_a_page_unsure,
    "replay events": replay,
    "known events": know_events,
    "known fields": know_fields,
    "backlog": count_backlog,
    "span of the history": span,
    "page of a busy source": page_of("stripe"),
    "page of a rare source": page_of("rare"),
    "page of a retired source": page_of("retired"),
    "read a page of customers": read_a_page,
    "forget what customers had": forget_some,
    "find candidates": find_candidates,
    "wake references": wake_references,
    "know a reference": know_a_reference,
}


@contextmanager
def recorded(store) -> Iterator[list[tuple[str, Any]]]:
    """Every statement that the store makes, with what is bound to it."""
    made: list[tuple[str, Any]] = []

    def note(_connection, _cursor, statement, parameters, _context, many):
        if not statement.startswith("BEGIN"):
            made.append((statement, parameters[0] if many and isinstance(parameters, list) else parameters))

    engines = {store.database.engine, store.database.durable}
    for engine in engines:
        event.listen(engine, "before_cursor_execute", note)
    try:
        yield made
    finally:
        for engine in engines:
            event.remove(engine, "before_cursor_execute", note)


@pytest.mark.parametrize("name", [*OPERATIONS, *MORE])
def test_no_statement_reads_a_table_from_end_to_end(full, name):
    operation = {**OPERATIONS, **MORE}[name]
    with recorded(full) as made:
        timed(operation(full, EVENTS))
    assert made
    wrong = faults_on_sqlite if full.database.is_sqlite else faults_on_postgresql
    with full.database.engine.connect() as connection:
        if not full.database.is_sqlite:
            connection.execution_options(isolation_level="READ COMMITTED")
        assert [(statement, fault) for statement, given in made for fault in wrong(connection, statement, given)] == []


def faults_on_sqlite(connection, statement, given):
    """https://www.sqlite.org/eqp.html"""
    parts = partial_indexes(connection)
    rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", given).all()
    for *_, detail in rows:
        scan = re.match(rf"SCAN ({'|'.join(BIG)})\b(?: USING (?:COVERING )?INDEX (\w+))?", detail)
        # What has not all rows, or ends at the first, is gone through in order.
        if (scan and scan[2] not in {*parts, "entities_due"}) or (
            detail.startswith("USE TEMP B-TREE") and not sorts_a_batch(rows)
        ):
            yield detail


def sorts_a_batch(rows):
    """What was limited before may be sorted."""
    return any(detail.startswith(("CO-ROUTINE", "MATERIALIZE")) for *_, detail in rows)


def partial_indexes(connection):
    found = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'index' AND sql LIKE '% WHERE %'")
    return set(found.scalars())


def faults_on_postgresql(connection, statement, given):
    """What it really does, undone afterwards: https://www.postgresql.org/docs/current/sql-explain.html"""
    for node in plan_of(connection, statement, given):
        read = node["Actual Loops"] * (node["Actual Rows"] + node.get("Rows Removed by Filter", 0))
        if read > ENOUGH:
            yield f"{node['Node Type']} of {node.get('Relation Name')}: {read} rows"
    # It rightly reads small tables from end to end. So ask again what it would do with large ones.
    connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
    for node in plan_of(connection, statement, given):
        if node["Node Type"] == "Seq Scan" and node["Relation Name"] in BIG:
            yield f"no index of {node['Relation Name']} fits"
    connection.rollback()


def plan_of(connection, statement, given):
    with connection.begin_nested() as undone:
        (plan,) = connection.exec_driver_sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", given).scalar_one()
        undone.rollback()
    return list(nodes(plan["Plan"]))


def nodes(plan):
    yield plan
    for below in plan.get("Plans", []):
        yield from nodes(below)


def test_no_index_is_there_for_nothing(full):
    """Each costs something with every row: so whoever adds one says here what it is for."""
    names = inspect(full.database.engine)
    assert {index["name"] for table in BIG for index in names.get_indexes(table)} - {"events_once"} == {
        "events_source",  # listing one source
        "events_received",  # the next to be translated
        "events_left",  # listing and counting what failed or was ignored
        "events_left_source",  # and of one source
        "changes_event",
        "changes_open",  # loading a delivery
        "changes_parked",  # an answer sets free what waited for it
        "changes_refused",  # listing dead letters
        "changes_settled",  # what wins once an event is corrected
        "changes_undone",  # counting
        "changes_conflict",  # changes that wait for a unique value
        "entities_due",
        "entities_waiting",  # counting what waits for a permission, a unique value or a rate limit
        "attempts_entity",
        "references_due",
        "references_waiting",
        "index_entries_walk",  # forgetting what nobody has any more
    }
