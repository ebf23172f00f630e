"""Looks for work stay cheap while an old snapshot is held, and miss nothing for longer than a second."""

from contextlib import contextmanager

import psycopg
import pytest
from sqlalchemy import event as listening

from bridge.bootstrap import now as clock
from bridge.store.lanes import Lane
from bridge.times import MINUTE, SECOND
from tests.support.making import ENTITY_ID, NOW, asking, by_payload

GONE = 5000
#: What was delivered: rows that were there for a while, and that only older snapshots still see.
DELIVERED = f"""
INSERT INTO events (source, event_id, event_type, occurred_at, received_at, payload, headers, state)
    SELECT 'old', n::text, 't', {{now}}, {{now}}, '{{{{}}}}', '{{{{}}}}', 'received' FROM generate_series(1, {GONE}) n;
UPDATE events SET state = 'translated' WHERE source = 'old';
INSERT INTO entities (entity, entity_id, due_at, leased_until, tries)
    SELECT 'customer', n::text, {{now}} - n, 0, 0 FROM generate_series(1, {GONE}) n;
DELETE FROM entities WHERE entity_id ~ '^[0-9]+$';
INSERT INTO "references" (entity, kind, value, due_at, leased_until, tries)
    SELECT 'customer', 'ingest_alias', n::text, {{now}} - n, 0, 0 FROM generate_series(1, {GONE}) n;
UPDATE "references" SET due_at = NULL;
"""


def customer(number):
    return f"{number:08d}{ENTITY_ID[8:]}"


@contextmanager
def held_snapshot(url):
    """As pg_dump holds one."""
    with psycopg.connect(url) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.execute("SELECT count(*) FROM events")
        yield
        connection.rollback()


def buffers(store, act):
    """How many pages the statements of `act` read, as PostgreSQL counts them, each run once more and undone."""
    made = []

    def note(_connection, _cursor, statement, parameters, *_):
        if statement.startswith(("SELECT (", "WITH ", "UPDATE")):
            made.append((statement, parameters))

    listening.listen(store.database.engine, "before_cursor_execute", note)
    try:
        act()
    finally:
        listening.remove(store.database.engine, "before_cursor_execute", note)
    assert made
    read = 0
    with store.database.engine.connect() as connection:
        connection.execution_options(isolation_level="READ COMMITTED")
        for statement, given in made:
            explained = f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}"
            (plan,) = connection.exec_driver_sql(explained, given).scalar_one()
            read += plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"]
            connection.rollback()
    return read


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_held_snapshot_makes_looks_and_claims_no_slower(store, database_url):
    start = clock()
    with held_snapshot(database_url):
        with store.database.write() as connection:
            connection.exec_driver_sql(DELIVERED.format(now=start), execution_options={"no_parameters": True})
        walked = buffers(store, lambda: store.glance(start + MINUTE))
        # Two full looks, a second apart, and every other one begins where the first of them ended.
        store.glance(start + MINUTE + SECOND)
        begun = buffers(store, lambda: store.glance(start + MINUTE + SECOND + 1))
        at = {"now": start + MINUTE + SECOND, "until": start + 2 * MINUTE}
        lanes = [Lane("", start + MINUTE)]
        claimed = buffers(store, lambda: store.entities.claim("ours", 8, **at, lanes=lanes))
        asked = buffers(store, lambda: store.references.claim("ours", 8, **at, lanes=lanes))
        taken = buffers(store, lambda: store.events.waiting("old", GONE + 1, 10))
    assert walked > 100
    for read in (begun, claimed, asked, taken):
        assert read < 40, (walked, begun, claimed, asked, taken)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_what_is_due_below_the_floors_is_seen_within_a_second(store):
    store.glances.floors["entities"].learn(["stripe"])
    for step in range(3):
        store.glance(NOW + step * SECOND)
    # A lease that ended, or a transaction that took its time.
    store.events.add("stripe", [asking("evt_1", {"tier": "gold"})], {}, NOW)
    store.events.translate(by_payload, 10, NOW)
    assert store.glance(NOW + 3 * SECOND - 1).entity_due is None
    assert store.glance(NOW + 3 * SECOND).entity_due == NOW


def test_a_replayed_event_below_the_floors_is_seen_within_a_second(store):
    for number in range(3):
        store.events.add("stripe", [asking(f"evt_{number}", {"tier": "gold"}, customer=customer(number))], {}, NOW)
        assert store.glance(NOW + number * SECOND).received
        store.events.translate(by_payload, 10, NOW)
    first, *_ = store.events.numbers()
    store.events.replay([first])
    assert store.glance(NOW + 3 * SECOND).received


def test_nothing_that_is_new_is_below_the_floors(store):
    for number in range(20):
        at = NOW + number * SECOND // 3
        store.events.add("stripe", [asking(f"evt_{number}", {"n": str(number)}, customer=customer(number))], {}, at)
        seen = store.glance(at)
        assert seen.received
        assert store.events.translate(by_payload, 10, at) == 1
        again = store.glance(at)
        assert again.entity_due == at
        assert len(store.entities.claim("ours", 8, at, at + MINUTE, again.entities)) == 1


def test_a_clock_that_is_set_back_looks_from_the_beginning(store):
    store.glance(NOW + MINUTE)
    store.glance(NOW + 2 * MINUTE)
    store.events.add("stripe", [asking("evt_1", {"tier": "gold"})], {}, NOW)
    store.events.translate(by_payload, 10, NOW)
    assert store.glance(NOW).entity_due == NOW
