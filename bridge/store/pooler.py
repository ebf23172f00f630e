"""Detects a pooler in transaction mode that the settings do not name.

It gives each transaction whichever server session is free. Then prepared statements are another connection's, settings
leak to other clients, and LISTEN hears nothing: https://www.pgbouncer.org/features.html
"""

import psycopg

from bridge.errors import SettingError, StoreError
from bridge.store.database import NETWORK, Database

#: How often to look. Another client may hide the pooler once, by taking the session in between.
LOOKS = 3
REMEDY = (
    "DATABASE_URL leads to a pooler that shares sessions between connections (such as pgbouncer with"
    " pool_mode = transaction): set BRIDGE_DATABASE_POOLER=transaction, or use a pool in session mode or PostgreSQL's"
    " own address"
)


def check(database: Database) -> None:
    """Raises SettingError if there is a pooler in transaction mode that the settings do not name, else StoreError."""
    if database.is_sqlite or database.is_pooled or database.keeps_sessions:
        return
    try:
        if any(shares_sessions(database.address) for _ in range(LOOKS)):
            raise SettingError(REMEDY)
    except psycopg.Error as error:
        text = str(error).strip().partition("\n")[0]
        raise StoreError(f"the database does not work: {type(error).__name__}: {text}") from error
    database.keeps_sessions = True


def shares_sessions(address: str) -> bool:
    """True if two connections were given the same session, or one was given two."""
    with connected(address) as first:
        session = session_of(first)
        # PostgreSQL tells a client the session's process when it connects. A pooler makes up a number of its own.
        if session == first.info.backend_pid:
            return False
        with connected(address) as second:
            # A transaction keeps its session until it ends.
            second.execute("BEGIN")
            return session_of(second) == session or session_of(first) != session


def connected(address: str) -> psycopg.Connection:
    return psycopg.connect(address, autocommit=True, prepare_threshold=None, **NETWORK)


def session_of(connection: psycopg.Connection) -> int:
    (number,) = connection.execute("SELECT pg_backend_pid()").fetchone() or (0,)
    return int(number)
