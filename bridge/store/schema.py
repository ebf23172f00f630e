"""Which version the tables have, and how they get to ours."""

from contextlib import suppress
from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from bridge.errors import LockedError, StoreError, TryAgainError
from bridge.store.database import PATIENCE_SECONDS, Database

MIGRATIONS = Path(__file__).parent / "migrations"

#: Replicas that start together upgrade one after the other. Any number will do, as long as it stays.
UPGRADE_LOCK = 7_286_151_240
#: How often to try, when those who use the tables stand in the way.
TRIES = 5


def config(connection: Connection | None = None) -> Config:
    made = Config()
    made.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    made.attributes["connection"] = connection
    return made


@cache
def ours() -> str:
    head = ScriptDirectory.from_config(config()).get_current_head()
    if head is None:
        raise StoreError("the package has no migrations: install it again")
    return head


def version_of(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def check(database: Database) -> None:
    """Raises StoreError unless the database answers and has our tables, or newer ones: versions are in order."""
    with database.read() as connection:
        found = version_of(connection)
    if found is None or found < ours():
        raise StoreError(f"the tables are of version {found or 'none'}, not {ours()}: run `metronome-bridge upgrade`")


def upgrade(database: Database) -> tuple[str | None, str]:
    for _ in range(TRIES - 1):
        with suppress(LockedError, TryAgainError):
            return upgrade_at_once(database)
    return upgrade_at_once(database)


def upgrade_at_once(database: Database) -> tuple[str | None, str]:
    with database.write(durable=True) as connection:
        if not database.is_sqlite:
            limit(connection, statement_timeout="0", lock_timeout="0")
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": UPGRADE_LOCK})
            # Whoever wants a table that we wait for waits behind us.
            limit(connection, lock_timeout=f"{PATIENCE_SECONDS}s")
        before = version_of(connection)
        command.upgrade(config(connection), "head")
        return before, version_of(connection) or ours()


def limit(connection: Connection, **limits: str) -> None:
    """Until the end of the transaction. 0: none."""
    for name, value in limits.items():
        connection.execute(text("SELECT set_config(:name, :value, true)"), {"name": name, "value": value})
