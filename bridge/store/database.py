"""Connections and transactions, on SQLite and PostgreSQL alike."""

import fcntl
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Connection,
    Engine,
    Table,
    Text,
    bindparam,
    cast,
    column,
    create_engine,
    event,
    func,
    literal_column,
    select,
    true,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.sql import ColumnElement

from bridge.errors import SettingError, StoreError, TryAgainError

#: How long to wait for a lock, or for a free connection, before the store counts as unavailable.
PATIENCE_SECONDS = 5

#: What a row consists of, by the names of its columns.
Values = Mapping[str, ColumnElement[Any]]

SERVER_TIME = literal_column("(extract(epoch FROM clock_timestamp()) * 1000000)::bigint", BigInteger).label("now")


class Database:
    """One database, as connections to read with, and to write with in a transaction. Raises StoreError."""

    def __init__(self, url: str, connections: int) -> None:
        self.url = make_url(url)
        if self.is_sqlite:
            if not self.url.database or self.url.database == ":memory:":
                raise SettingError("DATABASE_URL: SQLite needs a file, such as sqlite:///bridge.db")
            self.turns = Turns(Path(f"{self.url.database}.lock"))
            # What is acknowledged must be on disk. Everything later can be done again from it.
            self.durable = sqlite_engine(self.url, "FULL", 2)
            self.engine = sqlite_engine(self.url, "NORMAL", connections)
        else:
            self.engine = create_engine(
                self.url,
                pool_size=connections,
                max_overflow=0,
                pool_timeout=PATIENCE_SECONDS,
                connect_args={"connect_timeout": PATIENCE_SECONDS, "application_name": "metronome-bridge"},
            )
            self.durable = self.engine
        # A statement that stands alone needs no BEGIN and COMMIT around it: on PostgreSQL each is a round trip.
        self.single = self.engine.execution_options(isolation_level="AUTOCOMMIT")

    @property
    def now(self) -> ColumnElement[int]:
        """The time as the database has it, so that replicas need not agree. SQLite has none of its own: bind `now`."""
        return bindparam("now", type_=BigInteger) if self.is_sqlite else SERVER_TIME

    @property
    def is_sqlite(self) -> bool:
        return self.url.get_backend_name() == "sqlite"

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Each statement sees what is committed when it begins."""
        with meaning(), self.single.connect() as connection:
            yield connection

    @contextmanager
    def write_one(self, *, durable: bool = False) -> Iterator[Connection]:
        """As `write`, for one statement."""
        if self.is_sqlite:
            with self.write(durable=durable) as connection:
                yield connection
            return
        with meaning(), self.single.connect() as connection:
            yield connection

    @contextmanager
    def write(self, *, durable: bool = False) -> Iterator[Connection]:
        """A transaction that is committed at the end of the block; `durable`: and is on disk then."""
        with meaning():
            if not self.is_sqlite:
                with self.engine.begin() as connection:
                    yield connection
                return
            engine = self.durable if durable else self.engine
            with self.turns.take(), engine.connect() as connection:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
                yield connection
                connection.commit()

    def insert(self, table: Table) -> Any:
        """An insert that knows ON CONFLICT."""
        return sqlite.insert(table) if self.is_sqlite else postgresql.insert(table)

    def insert_json(
        self,
        table: Table,
        columns: Sequence[Column[Any]],
        unless_known: Sequence[Column[Any]],
        instead: Callable[[Values], Values],
    ) -> Any:
        """An insert of any number of rows, bound as one JSON array `rows`: cheaper than a parameter for each value.

        It gives the key `unless_known` of those that were new. `instead` makes columns out of what is given.
        """
        if self.is_sqlite:
            each = func.json_each(bindparam("rows", type_=Text)).table_valued("value", name="each")
            given: dict[str, ColumnElement[Any]]
            given = {one.name: func.json_extract(each.c.value, f"$.{one.name}") for one in columns}
        else:
            typed = [column(one.name, one.type) for one in columns]
            records = func.json_to_recordset(cast(bindparam("rows", type_=Text), JSON))
            each = records.table_valued(*typed, name="each").render_derived(with_types=True)
            given = {one.name: each.c[one.name] for one in columns}
        values = {**given, **instead(given)}
        insert = self.insert(table).from_select(list(values), select(*values.values()).select_from(each).where(true()))
        return insert.on_conflict_do_nothing().returning(*unless_known)

    def close(self) -> None:
        self.engine.dispose()
        self.durable.dispose()
        if self.is_sqlite:
            self.turns.close()


def sqlite_engine(url: Any, synchronous: str, connections: int) -> Engine:
    engine = create_engine(
        url,
        pool_size=connections,
        max_overflow=0,
        pool_timeout=PATIENCE_SECONDS,
        connect_args={"timeout": PATIENCE_SECONDS, "check_same_thread": False, "isolation_level": None},
    )

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        # https://www.sqlite.org/wal.html: readers do not wait for the writer, nor the writer for them.
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute(f"PRAGMA synchronous={synchronous}")
        cursor.close()

    return engine


class Turns:
    """Writers of one SQLite file take turns, in threads and over processes.

    SQLite's own way of waiting is to sleep and try again, which makes some writers wait a hundred times longer than
    others. A file lock wakes the next one at once.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.thread = threading.Lock()
        self.file: Any = None
        self.process = 0

    @contextmanager
    def take(self) -> Iterator[None]:
        with self.thread:
            descriptor = self.open()
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.flock(descriptor, fcntl.LOCK_UN)

    def open(self) -> int:
        """A descriptor of this process's own: one that was inherited would share its parent's lock."""
        if self.process != os.getpid():
            self.file = self.path.open("ab", buffering=0)
            self.process = os.getpid()
        return int(self.file.fileno())

    def close(self) -> None:
        if self.file and self.process == os.getpid():
            self.file.close()
        self.process = 0


@contextmanager
def meaning() -> Iterator[None]:
    """What a driver raises, as what it means here."""
    try:
        yield
    except PoolTimeoutError:
        raise StoreError("no database connection became free: see BRIDGE_DATABASE_CONNECTIONS") from None
    except DBAPIError as error:
        kind = TryAgainError if error.connection_invalidated or is_deadlock(error) else StoreError
        raise kind(f"the database does not work: {summary(error)}") from error
    except OSError as error:
        raise StoreError(f"the database does not work: {error.strerror}") from error


def is_deadlock(error: DBAPIError) -> bool:
    return isinstance(error.orig, psycopg.errors.DeadlockDetected)


def summary(error: DBAPIError) -> str:
    """The driver's own words, first line only: no statement and no parameters."""
    text = str(error.orig).strip().partition("\n")[0]
    return f"{type(error.orig).__name__}: {text}"
