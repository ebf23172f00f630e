"""Connections and transactions, on SQLite and PostgreSQL alike."""

import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any, TypeVar

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
    text,
    true,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.sql import ColumnElement

from bridge import private
from bridge.errors import LockedError, SettingError, StoreError, TryAgainError, UnstorableError
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
#: Every statement here expects to see what is committed when it begins. A role or a database may have another default:
#: https://www.postgresql.org/docs/current/runtime-config-client.html#GUC-DEFAULT-TRANSACTION-ISOLATION
ISOLATION = "SET default_transaction_isolation = 'read committed'"
BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED"

#: How long to wait before a transaction is tried again: as often as there are pauses.
PAUSES_SECONDS = (0.0, 0.05, 0.25)
#: A connection was lost while COMMIT was under way: how often to ask whether it went through, and how long to wait.
COMMIT_LOOKS = 20
COMMIT_PAUSE_SECONDS = 0.1

T = TypeVar("T")

#: What a row consists of, by the names of its columns.
Values = Mapping[str, ColumnElement[Any]]

IN_EACH_OTHERS_WAY = (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure)
#: How large SQLite's write-ahead log stays: https://www.sqlite.org/pragma.html#pragma_journal_size_limit
WAL_BYTES = 16 << 20
#: For how long all others may wait while it is emptied, at the most.
CHECKPOINT_PATIENCE_MS = 200
#: Of an SQLite error: https://www.sqlite.org/rescode.html#primary_result_codes_versus_extended_result_codes
PRIMARY_CODE = 0xFF

SERVER_TIME = literal_column("(extract(epoch FROM clock_timestamp()) * 1000000)::bigint", BigInteger).label("now")
XACT_STATUS = text("SELECT pg_xact_status(CAST(:transaction AS xid8))")


class Database:
    """One database, as connections to read with, and to write with in a transaction. Raises StoreError."""

    def __init__(
        self,
        url: str,
        connections: int,
        *,
        pooler: str = "none",
        server_clock: bool = False,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        """`pooler`: `transaction` if a pooler gives each transaction another session: then none is relied on.

        `server_clock`: a server's own clock dates receipts, and the times that are handed in do not.
        """
        self.url = read_url(url)
        self.sleep = sleep
        self.is_pooled = pooler == "transaction" and not self.is_sqlite
        self.dates_receipts = server_clock and not self.is_sqlite
        #: True once it was seen that each connection has a session of its own: see `store.pooler`.
        self.keeps_sessions = False
        if self.is_sqlite:
            if not self.url.database or self.url.database == ":memory:":
                raise SettingError("DATABASE_URL: SQLite needs a file, such as sqlite:///bridge.db")
            self.turns = Turns(Path(f"{self.url.database}.lock"), PATIENCE_SECONDS)
            # What is acknowledged must be on disk. Everything later can be done again from it.
            self.durable = sqlite_engine(self.url, "FULL", 2)
            self.engine = sqlite_engine(self.url, "NORMAL", connections)
        else:
            self.engine = postgres_engine(self.url, connections, is_pooled=self.is_pooled)
            self.durable = self.engine

    @property
    def now(self) -> ColumnElement[int]:
        """The time as the database has it, so that replicas need not agree. SQLite has none of its own: bind `now`."""
        return bindparam("now", type_=BigInteger) if self.is_sqlite else SERVER_TIME

    @property
    def is_sqlite(self) -> bool:
        return self.url.get_backend_name() == "sqlite"

    @property
    def address(self) -> str:
        """Of PostgreSQL, for connections that are not the engine's. Holds the password."""
        return self.url.set(drivername="postgresql").render_as_string(hide_password=False)

    @property
    def is_there(self) -> bool:
        """False if it is a file that does not exist: connecting would make one."""
        return not self.is_sqlite or Path(str(self.url.database)).exists()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Each statement sees what is committed when it begins."""
        with meaning(), self.engine.connect() as connection:
            if self.is_pooled:
                # No session has our limits. The transaction ends when the connection is given back.
                self.begin(connection)
            yield connection

    def transact(self, step: Callable[[Connection], T], *, durable: bool = False) -> T:
        """Run `step` in a transaction of its own and return what it returns; see `write` for `durable`.

        After a deadlock, a serialization failure or a lost connection all of it is done again, but never after a
        COMMIT that went through. Raises StoreError when it still fails.
        """
        for pause in (*PAUSES_SECONDS, None):
            transaction = None
            try:
                with self.write(durable=durable) as connection:
                    result = step(connection)
                    transaction = self.transaction_of(connection)
            except TryAgainError:
                if transaction is None or not self.was_committed(transaction):
                    if pause is None:
                        raise
                    self.sleep(pause)
                    continue
            return result
        raise AssertionError("unreachable")

    def transact_one(self, step: Callable[[Connection], T], *, durable: bool = False) -> T:
        """As `transact`, for a single statement that may be repeated even if it was committed."""
        return self.repeat(lambda: self.write_one(durable=durable), step)

    def look(self, step: Callable[[Connection], T]) -> T:
        """Run `step` on a connection of `read`, again after a lost connection, and return what it returns."""
        return self.repeat(self.read, step)

    def repeat(self, access: Callable[[], AbstractContextManager[Connection]], step: Callable[[Connection], T]) -> T:
        for pause in (*PAUSES_SECONDS, None):
            try:
                with access() as connection:
                    return step(connection)
            except TryAgainError:
                if pause is None:
                    raise
                self.sleep(pause)
        raise AssertionError("unreachable")

    def transaction_of(self, connection: Connection) -> str | None:
        """The number of a transaction, by which the server can say later what became of it. SQLite's needs none."""
        if self.is_sqlite:
            return None
        return str(connection.exec_driver_sql("SELECT pg_current_xact_id()").scalar_one())

    def was_committed(self, transaction: str) -> bool:
        """Ask whether a COMMIT whose answer was lost went through. Raises StoreError if the server cannot tell.

        https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-PG-SNAPSHOT
        """
        for _ in range(COMMIT_LOOKS):
            with self.read() as connection:
                status = connection.execute(XACT_STATUS, {"transaction": transaction}).scalar_one()
            if status != "in progress":
                return bool(status == "committed")
            self.sleep(COMMIT_PAUSE_SECONDS)
        raise TryAgainError(
            "the database does not work: a connection was lost during a commit that has not ended since"
        )

    @contextmanager
    def write_one(self, *, durable: bool = False) -> Iterator[Connection]:
        """As `write`, for one statement, which needs no BEGIN and COMMIT: on PostgreSQL each is a round trip."""
        with self.write(durable=durable) if self.is_sqlite or self.is_pooled else self.read() as connection:
            yield connection

    @contextmanager
    def write(self, *, durable: bool = False) -> Iterator[Connection]:
        """A transaction that is committed at the end of the block; `durable`: and is on disk then."""
        engine = self.durable if durable else self.engine
        turn = self.turns.take() if self.is_sqlite else nullcontext()
        with meaning(), turn, engine.connect() as connection:
            self.begin(connection)
            yield connection
            connection.commit()

    def begin(self, connection: Connection) -> None:
        if self.is_sqlite:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        elif self.is_pooled:
            # One round trip: without parameters psycopg sends several statements as they are.
            limits = LIMITS.replace("SET ", "SET LOCAL ")
            connection.exec_driver_sql(f"{BEGIN};{limits}", execution_options={"no_parameters": True})
        else:
            connection.exec_driver_sql(BEGIN)

    def shrink_log(self) -> bool:
        """Copy SQLite's write-ahead log into the file and empty it, if it is large. Returns whether it is small now.

        SQLite does so by itself, but starts the log again only when there is no reader: while reads overlap it grows.
        https://www.sqlite.org/wal.html#avoiding_excessively_large_wal_files
        """
        if not self.is_sqlite or size_of(Path(f"{self.url.database}-wal")) <= WAL_BYTES:
            return True
        with meaning(), self.turns.take(), self.engine.connect() as connection:
            connection.exec_driver_sql(f"PRAGMA busy_timeout={CHECKPOINT_PATIENCE_MS}")
            try:
                busy, *_ = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()
            finally:
                connection.exec_driver_sql(f"PRAGMA busy_timeout={PATIENCE_SECONDS * 1000}")
        return not busy

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


def size_of(path: Path) -> int:
    """Returns 0 if the file does not exist."""
    return path.stat().st_size if path.exists() else 0


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
        # What the log grew beyond this is given back to the disk when it is started again.
        cursor.execute(f"PRAGMA journal_size_limit={WAL_BYTES}")
        cursor.close()

    return engine


def create_privately(path: str) -> None:
    """SQLite gives its -wal and -shm files the mode of the database: https://www.sqlite.org/src/doc/trunk/src/os_unix.c

    A path that cannot be created is SQLite's to complain about, and a URI its to read.
    """
    if not path.startswith("file:"):
        with suppress(OSError):
            private.create(path)


def postgres_engine(url: Any, connections: int, *, is_pooled: bool) -> Engine:
    """`is_pooled`: nothing is set that outlives a transaction, and no statement is prepared."""
    pooled: dict[str, Any] = {"prepare_threshold": None} if is_pooled else {}
    engine = create_engine(
        url,
        pool_size=connections,
        max_overflow=0,
        pool_timeout=PATIENCE_SECONDS,
        hide_parameters=True,
        # Transactions begin where `write` says so, and so does their isolation level.
        isolation_level="AUTOCOMMIT",
        connect_args={**NETWORK, "application_name": "metronome-bridge", "autocommit": True, **pooled},
    )
    if is_pooled:
        return engine

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: Any) -> None:
        # Not as `options` of the connection: not every pooler in between takes those.
        connection.execute(f"{LIMITS};{ISOLATION}")

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
    if error.connection_invalidated or isinstance(error.orig, IN_EACH_OTHERS_WAY):
        return TryAgainError
    if isinstance(error, DataError | IntegrityError) or isinstance(error.orig, psycopg.errors.ProgramLimitExceeded):
        return UnstorableError
    busy = getattr(error.orig, "sqlite_errorcode", sqlite3.SQLITE_OK) & PRIMARY_CODE == sqlite3.SQLITE_BUSY
    return LockedError if busy or isinstance(error.orig, psycopg.errors.LockNotAvailable) else StoreError


def summary(error: DBAPIError) -> str:
    """The driver's own words, first line only: no statement and no parameters."""
    text = str(error.orig).strip().partition("\n")[0]
    return f"{type(error.orig).__name__}: {text}"
