"""The disk is full for a while."""

import errno
import secrets
import subprocess
from contextlib import contextmanager

import psycopg
import pytest

from tests.conftest import missing
from tests.faults.conftest import SHORT, ids, stored
from tests.support.processes import ending, ours, until
from tests.support.sending import Sender, story
from tests.support.world import World

pytestmark = pytest.mark.slow

#: What the filler grows by: little, so that it takes the last page, too.
PIECE = bytes(4096)


@contextmanager
def small_disk(folder, size):
    """One that belongs to whoever the folder around it belongs to."""
    folder.mkdir()
    around = folder.parent.stat()
    options = f"size={size},uid={around.st_uid},gid={around.st_gid},mode=700"
    try:
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        missing(f"no small disk can be mounted: {error}")
    try:
        yield folder
    finally:
        # Also if somebody still has files open there.
        subprocess.run(["umount", "--lazy", folder], check=True)


def fill(path):
    try:
        with path.open("ab", buffering=0) as file:
            while True:
                file.write(PIECE)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise


@pytest.fixture
def sqlite_on_disk(tmp_path, sqlite_template):
    with small_disk(tmp_path / "disk", "8m") as folder:
        (folder / "bridge.db").write_bytes(sqlite_template.read_bytes())
        yield f"sqlite:///{folder}/bridge.db", folder


@pytest.fixture
def postgresql_on_disk(own_postgres):
    """Only the tables are there: without room for its log PostgreSQL stops altogether, as in a power cut."""
    with small_disk(own_postgres.folder / "disk", "32m") as folder:
        with psycopg.connect(f"{own_postgres.address}/postgres", autocommit=True) as connection:
            connection.execute(f"CREATE TABLESPACE small LOCATION '{folder}'")
            connection.execute("CREATE DATABASE bridge TABLESPACE small")
        yield f"{own_postgres.address}/bridge", folder


@pytest.fixture(params=["sqlite_on_disk", "postgresql_on_disk"])
def world_and_disk(request, tmp_path, shared_sandbox):
    url, disk = request.getfixturevalue(request.param)
    made = World(tmp_path, url)
    made.environ |= SHORT | {"METRONOME_BASE_URL": shared_sandbox}
    with ending(made.processes):
        yield made, disk


def large(told):
    """The same story, told so that PostgreSQL needs new pages all the time, and cannot compress them."""
    for event in told.events:
        event["data"]["object"]["description"] = secrets.token_hex(2000)
    return told


def test_a_full_disk_is_answered_503_and_everything_goes_on_when_there_is_room(world_and_disk):
    world, disk = world_and_disk
    told = large(story(customers=60, steps=5))
    process, url = world.serve(ours("serve", "--upgrade"))
    sender = Sender(url, told.events).start()

    def some():
        return len(sender.acknowledged) >= len(told.events) / 4

    def everybody_was_refused():
        return len(sender.refusals) >= 2 * len(sender.threads)

    until(some, process)
    fill(disk / "filler")
    until(everybody_was_refused, process)
    assert {event["id"] for event in sender.acknowledged} <= set(stored(world))
    (disk / "filler").unlink()
    sender.finish()
    world.settled(told.expected, process)
    assert stored(world) == dict.fromkeys(ids(told.events), 1)
    assert world.regressions() == []
    assert set(sender.refusals) == {503}
    assert sender.retry_after == {"30"}
