"""Behind a real pgbouncer: nothing relies on sessions, nothing leaks, and a pooler that is not named is."""

import threading
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from bridge.errors import SettingError
from bridge.model import ChangeState
from bridge.store import open_store
from bridge.store.entities import Mark, Settlement
from bridge.store.signal import PostgresSignal
from bridge.times import HOUR, SECOND
from tests.conftest import missing
from tests.support.making import ENTITY_ID, NOW, asking, by_payload
from tests.support.pgbouncer import NoPgbouncerError, pgbouncer

pytestmark = [pytest.mark.slow, pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)]

SESSIONS = 4
#: What a session has that the bridge has not touched.
UNTOUCHED = {"statement_timeout": "0", "lock_timeout": "0", "idle_in_transaction_session_timeout": "0"}


@pytest.fixture
def pooled_by(database_url):
    """Makes the URL of the database behind a pgbouncer of this mode."""
    started = []

    def start(mode):
        started.append(pgbouncer(database_url, mode, sessions=SESSIONS))
        try:
            return started[-1].__enter__()
        except NoPgbouncerError as error:
            started.pop()
            missing(str(error))

    yield start
    for one in started:
        one.__exit__(None, None, None)


@pytest.fixture
def opened():
    """Opens stores, and closes them."""
    stores = []

    def open_(url, **given):
        stores.append(open_store(url.replace("postgresql://", "postgresql+psycopg://"), 8, HOUR, **given))
        return stores[-1]

    yield open_
    for store in stores:
        store.close()


def customer(number):
    return f"{number:08d}{ENTITY_ID[8:]}"


def deliver(store, lease):
    """Do what a worker does, until there is nothing left to do. Returns how many deliveries that was."""
    done = 0
    while True:
        seen = store.glance(NOW)
        store.events.translate(by_payload, 10, seen.now)
        claims = store.entities.claim(lease, 4, seen.now, seen.now + 30 * SECOND)
        for claim in claims:
            changes = store.entities.load(claim, seen.now).changes
            states = {one.id: Mark(ChangeState.DELIVERED) for one in changes}
            assert store.entities.settle(claim, Settlement(states=states), seen.now)
            store.gate.change(lambda state, _: (state, None), seen.now)
        done += len(claims)
        if not claims and not store.events.counts()["received"]:
            return done


def test_hundreds_of_webhooks_and_deliveries_go_through_a_pooler_that_is_named(pooled_by, opened):
    url = pooled_by("transaction")
    # As many processes: each has a pool of its own.
    stores = [opened(url, pooled_by="transaction") for _ in range(3)]
    for store in stores:
        store.check()
        assert not isinstance(store.signal, PostgresSignal)

    def receive(number):
        store = stores[number % 3]
        return store.events.add(
            "stripe", [asking(f"evt_{number}", {"tier": "gold"}, customer=customer(number))], {}, NOW
        )

    with ThreadPoolExecutor(16) as threads:
        received = threads.map(receive, range(600))
        delivered = [threads.submit(deliver, stores[number], f"lease-{number}") for number in range(3)]
        assert sum(received) == 600
        total = sum(one.result() for one in delivered)
    total += deliver(stores[0], "last")
    assert total == 600


def test_no_setting_is_left_behind_in_sessions_that_strangers_are_given(pooled_by, opened):
    url = pooled_by("transaction")
    store = opened(url, pooled_by="transaction")
    with store.database.write() as inside, store.database.read() as reading:
        for connection in (inside, reading):
            assert connection.exec_driver_sql("SHOW statement_timeout").scalar() == "30s"
            assert connection.exec_driver_sql("SHOW lock_timeout").scalar() == "5s"
    for number in range(40):
        store.events.add("stripe", [asking(f"evt_{number}", {"tier": "gold"})], {}, NOW)
        store.glance(NOW)
    meet = threading.Barrier(SESSIONS)

    def stranger(_):
        with psycopg.connect(url) as connection:
            session = connection.execute("SELECT pg_backend_pid()").fetchone()
            meet.wait(30)
            found = {name: connection.execute(f"SHOW {name}").fetchone()[0] for name in UNTOUCHED}
            prepared = connection.execute("SELECT count(*) FROM pg_prepared_statements").fetchone()
            return session, found, prepared

    with ThreadPoolExecutor(SESSIONS) as threads:
        seen = list(threads.map(stranger, range(SESSIONS)))
    assert len({session for session, *_ in seen}) == SESSIONS
    assert [found for _, found, _ in seen] == [UNTOUCHED] * SESSIONS
    assert {prepared for *_, prepared in seen} == {(0,)}


def test_a_pooler_in_transaction_mode_that_is_not_named_is_refused_with_the_setting(pooled_by, opened):
    store = opened(pooled_by("transaction"))
    for act in (store.check, store.upgrade):
        with pytest.raises(SettingError, match="BRIDGE_DATABASE_POOLER=transaction"):
            act()


def test_it_is_found_while_others_use_the_pool(pooled_by, opened):
    url = pooled_by("transaction")
    busy, done = opened(url, pooled_by="transaction"), threading.Event()

    def use():
        while not done.is_set():
            busy.glance(NOW)

    with ThreadPoolExecutor(6) as threads:
        using = [threads.submit(use) for _ in range(6)]
        try:
            for _ in range(5):
                with pytest.raises(SettingError):
                    opened(url).check()
        finally:
            done.set()
        for one in using:
            one.result()


def test_a_pool_in_session_mode_is_as_good_as_none(pooled_by, opened):
    store = opened(pooled_by("session"))
    store.check()
    assert store.upgrade()[0] is not None
    assert isinstance(store.signal, PostgresSignal)


def test_the_tables_are_upgraded_through_a_pooler_that_is_named(pooled_by, opened):
    store = opened(pooled_by("transaction"), pooled_by="transaction")
    with store.database.write() as connection:
        connection.exec_driver_sql("DROP SCHEMA public CASCADE")
        connection.exec_driver_sql("CREATE SCHEMA public")
    assert store.upgrade()[0] is None
    store.check()
