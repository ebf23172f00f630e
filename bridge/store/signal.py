"""How a worker learns at once that something was stored, in this process or by another.

A signal may be missed or come for nothing: workers look for themselves every now and then.
"""

import sqlite3
import threading
from collections.abc import Callable
from functools import cached_property, partial

import psycopg

from bridge.store.database import NETWORK, PATIENCE_SECONDS, Database, create_privately
from bridge.supervisor import Supervisor

CHANNEL = "metronome_bridge"
#: A notification is a commit, and would wait for the disk like any other: nothing is lost with it.
#: One round trip, and no setting that a pooler could hand on with the connection.
NOTIFY = f"BEGIN; SET LOCAL synchronous_commit = off; NOTIFY {CHANNEL}; COMMIT"
RECONNECT_SECONDS = 1.0
#: How often to see whether another process has written to the SQLite file.
GLANCE_SECONDS = 0.02


class Signal:
    """Wakes whoever waits in this process."""

    def __init__(self) -> None:
        self.event = threading.Event()

    def notify(self) -> None:
        self.event.set()

    def wait(self, seconds: float) -> None:
        """Returns when there was a signal since the last call, or after `seconds`."""
        self.event.wait(seconds)
        self.event.clear()

    def announce(self) -> None:
        """Something was stored that a worker in another process may be waiting for."""
        self.notify()

    def listen(self) -> None:
        """Begin to hear other processes."""

    def close(self) -> None:
        self.notify()


class SqliteSignal(Signal):
    """Other processes are noticed by SQLite's own count of foreign commits: https://www.sqlite.org/pragma.html"""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path
        self.version = 0

    def wait(self, seconds: float) -> None:
        for _ in range(max(1, round(seconds / GLANCE_SECONDS))):
            if self.event.wait(GLANCE_SECONDS) or self.written():
                break
        self.event.clear()

    def written(self) -> bool:
        try:
            (version,) = self.connection.execute("PRAGMA data_version").fetchone()
        except sqlite3.Error:
            return True
        before, self.version = self.version, version
        return bool(before != version)

    @cached_property
    def connection(self) -> sqlite3.Connection:
        create_privately(self.path)
        return sqlite3.connect(self.path, check_same_thread=False)

    def close(self) -> None:
        super().close()
        if "connection" in self.__dict__:
            self.connection.close()


class PostgresSignal(Signal):
    """Other processes are told with NOTIFY, outside of the transaction that stores, so that nobody waits for it."""

    def __init__(self, address: str, supervisor: Supervisor) -> None:
        super().__init__()
        self.address = address
        self.supervisor = supervisor
        self.stopping = threading.Event()
        self.news = threading.Event()
        self.lock = threading.Lock()
        self.announcer: threading.Thread | None = None

    def announce(self) -> None:
        self.notify()
        self.news.set()
        with self.lock:
            if self.announcer is None:
                self.announcer = self.start(self.tell_others, "announcer")

    def listen(self) -> None:
        self.start(self.hear_others, "listener")

    def tell_others(self, connection: psycopg.Connection) -> None:
        """One NOTIFY for whatever was stored while the last one was on its way."""
        if self.news.wait(PATIENCE_SECONDS):
            self.news.clear()
            connection.execute(NOTIFY)

    def hear_others(self, connection: psycopg.Connection) -> None:
        connection.execute(f"LISTEN {CHANNEL}")
        for _ in connection.notifies(timeout=PATIENCE_SECONDS):
            self.notify()

    def start(self, step: Callable[[psycopg.Connection], None], name: str) -> threading.Thread:
        return self.supervisor.start(name, partial(self.run, step), self.stopping, longest_pause=PATIENCE_SECONDS)

    def run(self, step: Callable[[psycopg.Connection], None]) -> None:
        """Repeat a step, on a new connection whenever one breaks."""
        while not self.stopping.is_set():
            self.supervisor.beat()
            try:
                with psycopg.connect(self.address, autocommit=True, **NETWORK) as connection:
                    while not self.stopping.is_set():
                        self.supervisor.beat()
                        step(connection)
            except psycopg.Error:
                self.stopping.wait(RECONNECT_SECONDS)

    def close(self) -> None:
        self.stopping.set()
        self.news.set()
        self.notify()


def signal_of(database: Database, supervisor: Supervisor | None = None) -> Signal:
    if database.is_sqlite:
        return SqliteSignal(str(database.url.database))
    # A session that listens is one that a pooler in transaction mode does not keep: workers look for themselves.
    return Signal() if database.is_pooled else PostgresSignal(database.address, supervisor or Supervisor())
