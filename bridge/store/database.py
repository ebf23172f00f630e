"""Connections and transactions, on SQLite and PostgreSQL alike."""

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import orjson
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
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.sql import ColumnElement

from bridge import private
from bridge.errors import LockedError, SettingError, StoreError, TryAgainError
from bridge.store.turns import Turns

#: How long to wait for a lock, or for a free connection, before the store counts as unavailable.
PATIENCE_SECONDS = 5

#: How to notice that a server, or the network to it, is gone without a word: after ten seconds or so.
#: https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS
NETWORK: Mapping[str, Any] = {
    "connect_timeout": PATIENCE_SECONDS,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
#: What a server ends by itself, so that a process that hangs or is cut off holds up nobody for long.
#: https://www.postgresql.org/docs/current/runtime-config-client.html
LIMITS = f"""
SET lock_timeout = '{PATIENCE_SECONDS}s';
SET statement_timeout = '30s';
SET idle_in_transaction_session_timeout = '10s';
"""

#: What a row consists of, by the names of its columns.
Values = Mapping[str, ColumnElement[Any]]

#: Of an SQLite error: https://www.sqlite.org/rescode.html#primary_result_codes_versus_extended_result_codes
PRIMARY_CODE = 0xFF

SERVER_TIME = literal_column("(extract(epoch FROM clock_timestamp()) * 1000000)::bigint", BigInteger).label("now")


class Database:
    """One database, as connections to read with, and to write with in a transaction. Raises StoreError."""

    def __init__(self, url: str, connections: int) -> None:
        self.url = read_url(url)
        if self.is_sqlite:
            if not self.url.database or self.url.database == ":memory:":
                raise SettingError("DATABASE_URL: SQLite needs a file, such as sqlite:///bridge.db")
            self.turns = Turns(Path(f"{self.url.database}.lock"), PATIENCE_SECONDS)
            # What is acknowledged must be on disk. Everything later can be done again from it.
            self.durable = sqlite_engine(self.url, "FULL", 2)
            self.engine = sqlite_engine(self.url, "NORMAL", connections)
        else:
            self.engine = postgres_engine(self.url, connections)
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

    @property
    def is_there(self) -> bool:
        """False if it is a file that does not exist: connecting would make one."""
        return not self.is_sqlite or Path(str(self.url.database)).exists()

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

    def insert_rows(
        self, table: Table, columns: Sequence[Column[Any]], instead: Callable[[Values], Values] = lambda _given: {}
    ) -> Any:
        """An insert that knows ON CONFLICT, of any number of `packed` rows that have these columns.

        `instead` makes columns out of what is given.
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
        # SQLite would take ON CONFLICT for a part of the FROM: https://www.sqlite.org/lang_upsert.html
        rows = select(*values.values()).select_from(each).where(true())
        return self.insert(table).from_select(list(values), rows)

    def close(self) -> None:
        self.engine.dispose()
        self.durable.dispose()
        if self.is_sqlite:
            self.turns.close()


def read_url(url: str) -> URL:
    """Raises SettingError, which does not repeat it."""
    try:
        return make_url(url)
    except (ArgumentError, ValueError):
        raise SettingError("DATABASE_URL: postgresql://user:password@host:port/database is expected") from None


def without_password(url: str) -> str:
    """For showing. A query may hold a password too. Raises SettingError."""
    return read_url(url).set(query={}).render_as_string(hide_password=True)


def packed(rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Rows as one JSON array. A parameter for each of their values would make a long statement, read anew each time."""
    return {"rows": orjson.dumps(rows).decode()}


def sqlite_engine(url: Any, synchronous: str, connections: int) -> Engine:
    engine = create_engine(
        url,
        pool_size=connections,
        max_overflow=0,
        pool_timeout=PATIENCE_SECONDS,
        hide_parameters=True,
        connect_args={"timeout": PATIENCE_SECONDS, "check_same_thread": False, "isolation_level": None},
    )

    @event.listens_for(engine, "do_connect")
    def create(*_: Any) -> None:
        create_privately(str(url.database))

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        # https://www.sqlite.org/wal.html: readers do not wait for the writer, nor the writer for them.
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute(f"PRAGMA synchronous={synchronous}")
        cursor.close()

    return engine


def create_privately(path: str) -> None:
    """SQLite gives its -wal and -shm files the mode of the database: https://www.sqlite.org/src/doc/trunk/src/os_unix.c

    A path that cannot be created is SQLite's to complain about, and a URI its to read.
    """
    if not path.startswith("file:"):
        with suppress(OSError):
            private.create(path)


def postgres_engine(url: Any, connections: int) -> Engine:
    engine = create_engine(
        url,
        pool_size=connections,
        max_overflow=0,
        pool_timeout=PATIENCE_SECONDS,
        hide_parameters=True,
        connect_args={**NETWORK, "application_name": "metronome-bridge"},
    )

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: Any) -> None:
        # Not as `options` of the connection: not every pooler in between takes those.
        connection.autocommit = True
        connection.execute(LIMITS)
        connection.autocommit = False

    return engine


@contextmanager
def meaning() -> Iterator[None]:
    """What a driver raises, as what it means here."""
    try:
        yield
    except PoolTimeoutError:
        raise StoreError("no database connection became free: see BRIDGE_DATABASE_CONNECTIONS") from None
    except DBAPIError as error:
        raise kind_of(error)(f"the database does not work: {summary(error)}") from error
    except OSError as error:
        raise StoreError(f"the database does not work: {error.strerror}") from error


def kind_of(error: DBAPIError) -> type[StoreError]:
    if error.connection_invalidated or isinstance(error.orig, psycopg.errors.DeadlockDetected):
        return TryAgainError
    busy = getattr(error.orig, "sqlite_errorcode", sqlite3.SQLITE_OK) & PRIMARY_CODE == sqlite3.SQLITE_BUSY
    return LockedError if busy or isinstance(error.orig, psycopg.errors.LockNotAvailable) else StoreError


def summary(error: DBAPIError) -> str:
    """The driver's own words, first line only: no statement and no parameters."""
    text = str(error.orig).strip().partition("\n")[0]
    return f"{type(error.orig).__name__}: {text}"
