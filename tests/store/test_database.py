import shutil
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
import sqlalchemy
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from bridge.errors import LockedError, SettingError, StoreError, TryAgainError
from bridge.gates import GateState
from bridge.store import open_store, schema
from bridge.store.tables import metadata
from bridge.times import HOUR
from tests.support.making import NOW, event
from tests.support.processes import until

on_postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


def test_the_migrations_make_exactly_the_tables_that_the_code_knows(store):
    with store.database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_an_upgrade_of_an_upgraded_database_changes_nothing(store):
    before, after = store.upgrade()
    assert before == after
    store.check()


def test_an_empty_database_is_refused_with_the_remedy(tmp_path):
    store = open_store(f"sqlite:///{tmp_path}/new.db", 2, HOUR)
    with pytest.raises(StoreError, match="run `metronome-bridge upgrade`"):
        store.check()
    store.close()


def test_replicas_may_upgrade_at_the_same_time(postgres, tmp_path):
    name = "bridge_upgrade_together"
    with psycopg.connect(f"{postgres}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    url = f"{postgres.replace('postgresql', 'postgresql+psycopg')}/{name}"
    stores = [open_store(url, 2, HOUR) for _ in range(4)]
    outcomes = []
    threads = [threading.Thread(target=lambda one=one: outcomes.append(one.upgrade())) for one in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(before is None for before, _ in outcomes) == [False, False, False, True]
    for store in stores:
        store.close()


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
def test_a_database_that_forgets_is_refused(url):
    with pytest.raises(SettingError, match="SQLite needs a file"):
        open_store(url, 2, HOUR)


def test_an_unreachable_database_is_a_store_error():
    store = open_store("postgresql+psycopg://nobody@127.0.0.1:9/none", 2, HOUR)
    with pytest.raises(StoreError, match="does not work"):
        store.events.add("stripe", [event()], {}, NOW)
    store.close()


def test_a_store_error_holds_no_password_and_no_payload():
    store = open_store("postgresql+psycopg://nobody:hunter2@127.0.0.1:9/none", 2, HOUR)
    with pytest.raises(StoreError) as caught:
        store.events.add("stripe", [event(payload={"email": "ann@example.com"})], {}, NOW)
    assert "hunter2" not in str(caught.value)
    assert "ann@example.com" not in str(caught.value)
    store.close()


def test_a_locked_file_is_a_store_error_and_works_again_when_it_is_free(tmp_path, sqlite_template, monkeypatch):
    path = tmp_path / "bridge.db"
    path.write_bytes(sqlite_template.read_bytes())
    monkeypatch.setattr("bridge.store.database.PATIENCE_SECONDS", 0.1)
    store = open_store(f"sqlite:///{path}", 2, HOUR)
    with sqlite3.connect(path, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LockedError, match="locked"):
            store.events.add("stripe", [event()], {}, NOW)
        other.execute("ROLLBACK")
    other.close()
    assert store.events.add("stripe", [event()], {}, NOW) == 1
    store.close()


@on_postgresql
def test_a_row_that_is_held_is_waited_for_no_longer_than_our_patience(store, monkeypatch):
    monkeypatch.setattr("bridge.store.database.LIMITS", "SET lock_timeout = '100ms'")
    with store.database.write() as connection:
        connection.exec_driver_sql("SELECT * FROM gate FOR UPDATE")
        with pytest.raises(LockedError, match="LockNotAvailable"):
            store.gate.change(lambda state, _: (state, None), NOW)
    store.gate.change(lambda state, _: (state, None), NOW)


@on_postgresql
def test_whoever_stops_in_the_middle_of_a_transaction_loses_it(store, monkeypatch):
    monkeypatch.setattr("bridge.store.database.LIMITS", "SET idle_in_transaction_session_timeout = '100ms'")

    def hang():
        with store.database.write() as connection:
            holder = connection.exec_driver_sql("SELECT pg_backend_pid() FROM gate FOR UPDATE").scalar()
            with store.database.read() as other:
                alive = f"SELECT 1 FROM pg_stat_activity WHERE pid = {holder}"
                until(lambda: not other.exec_driver_sql(alive).all())
            connection.exec_driver_sql("UPDATE gate SET width = 7")

    with pytest.raises(TryAgainError, match="idle-in-transaction"):
        hang()
    assert store.gate.state() == GateState()


@on_postgresql
def test_every_connection_to_postgresql_has_limits(store):
    with store.database.read() as connection:
        for name, limit in {"lock_timeout": "5s", "statement_timeout": "30s"}.items():
            assert connection.exec_driver_sql(f"SHOW {name}").scalar() == limit


def test_an_upgrade_that_others_stand_in_the_way_of_is_tried_again(store, monkeypatch):
    tries = iter([LockedError("held"), TryAgainError("deadlock"), None])
    at_once = schema.upgrade_at_once

    def upgrade_at_once(database):
        if problem := next(tries):
            raise problem
        return at_once(database)

    monkeypatch.setattr(schema, "upgrade_at_once", upgrade_at_once)
    assert store.upgrade() == (schema.ours(), schema.ours())


def test_what_is_acknowledged_is_synced_to_disk(tmp_path, sqlite_template):
    path = tmp_path / "bridge.db"
    path.write_bytes(sqlite_template.read_bytes())
    store = open_store(f"sqlite:///{path}", 2, HOUR)
    seen = []

    def look(connection, _cursor, statement, *_):
        if statement.startswith("INSERT INTO events"):
            seen.extend(
                connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("synchronous", "journal_mode")
            )

    for engine in (store.database.engine, store.database.durable):
        sqlalchemy.event.listen(engine, "before_cursor_execute", look)
    store.events.add("stripe", [event()], {}, NOW)
    store.close()
    assert seen == [2, "wal"]


def test_a_failed_transaction_leaves_no_trace_and_no_lock(store):
    def break_off():
        with store.database.write() as connection:
            connection.exec_driver_sql("DELETE FROM gate")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        break_off()
    assert store.gate.state() == GateState()
    store.gate.change(lambda state, _: (GateState(NOW), None), NOW)
    assert store.gate.state() == GateState(NOW)


def test_many_threads_write_without_losing_anything(store):
    def add(number):
        for step in range(10):
            store.events.add("stripe", [event(f"evt_{number}_{step}")], {}, NOW)

    threads = [threading.Thread(target=add, args=[number]) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.events.numbers()) == 120


@pytest.fixture
def logging_store(tmp_path, sqlite_template, monkeypatch):
    """A store on SQLite whose log counts as large from 256 KiB on, and the path of that log."""
    monkeypatch.setattr("bridge.store.database.WAL_BYTES", 256 << 10)
    path = tmp_path / "bridge.db"
    path.write_bytes(sqlite_template.read_bytes())
    store = open_store(f"sqlite:///{path}", 2, HOUR)
    yield store, tmp_path / "bridge.db-wal"
    store.close()


def grow(store, wal):
    for number in range(100):
        store.events.add("stripe", [event(f"evt_{number}", payload={"text": "x" * 10_000})], {}, NOW)
    assert wal.stat().st_size > 512 << 10


def test_the_log_of_sqlite_is_emptied_once_it_is_large(logging_store):
    store, wal = logging_store
    assert store.retention.shrink_log()
    grow(store, wal)
    assert store.retention.shrink_log()
    assert wal.stat().st_size == 0
    assert len(store.events.numbers()) == 100


def test_a_reader_that_holds_the_log_of_sqlite_blocks_no_writer_and_it_is_emptied_afterwards(logging_store, tmp_path):
    store, wal = logging_store
    with closing(sqlite3.connect(tmp_path / "bridge.db", isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM events").fetchone()
        grow(store, wal)
        assert not store.retention.shrink_log()
        assert store.events.add("stripe", [event("evt_more")], {}, NOW) == 1
        reader.execute("ROLLBACK")
    assert store.retention.shrink_log()
    assert wal.stat().st_size == 0


def test_the_log_of_sqlite_gives_back_what_it_grew_beyond_its_limit(logging_store):
    store, _ = logging_store
    for access in (store.database.read, store.database.write):
        with access() as connection:
            assert connection.exec_driver_sql("PRAGMA journal_size_limit").scalar() == 256 << 10


def test_another_process_that_opens_and_closes_the_file_takes_nothing_away(sqlite_template, tmp_path):
    """SQLite's locks are those of the process: to open and close the file beside it would drop them."""
    path = tmp_path / "bridge.db"
    shutil.copy(sqlite_template, path)
    store = open_store(f"sqlite:///{path}", 4, HOUR)
    store.events.add("stripe", [event("evt_1")], {}, NOW)
    store.signal.listen()
    store.signal.wait(0.001)
    with store.database.read() as reading:
        reading.exec_driver_sql("SELECT count(*) FROM events").all()
        look = (
            "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('SELECT count(*) FROM events'); c.close()"
        )
        subprocess.run([sys.executable, "-c", look, str(path)], check=True)
    assert Path(f"{path}-wal").exists()
    assert store.events.add("stripe", [event("evt_2")], {}, NOW) == 1
    assert len(store.events.find()) == 2
    store.close()
