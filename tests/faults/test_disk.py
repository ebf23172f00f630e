"""The disk is full for a while."""

import errno
import os
import subprocess
from contextlib import contextmanager

import pytest

from tests.conftest import missing
from tests.faults.conftest import SHORT, ids, stored
from tests.support.processes import ending, until
from tests.support.sending import Sender, story
from tests.support.world import World

pytestmark = pytest.mark.slow

#: What the filler grows by: little, so that it takes the last page, too.
PIECE = bytes(4096)


@contextmanager
def small_disk(folder, size):
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        missing(f"no small disk can be mounted: {error}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def fill(path):
    with path.open("ab", buffering=0) as file, pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
        while True:
            file.write(PIECE)


@pytest.fixture
def disk(tmp_path):
    with small_disk(tmp_path / "disk", "8m") as folder:
        yield folder


@pytest.fixture
def world_on_disk(tmp_path, disk, sqlite_template, shared_sandbox):
    (disk / "bridge.db").write_bytes(sqlite_template.read_bytes())
    made = World(tmp_path, f"sqlite:///{disk}/bridge.db")
    made.environ |= SHORT | {"METRONOME_BASE_URL": shared_sandbox}
    with ending(made.processes):
        yield made


def test_a_full_disk_is_answered_503_and_everything_goes_on_when_there_is_room(world_on_disk, disk):
    told = story(customers=60, steps=5)
    process, url = world_on_disk.serve()
    sender = Sender(url, told.events).start()

    def some():
        return len(sender.acknowledged) >= len(told.events) / 4

    def everybody_was_refused():
        return len(sender.refusals) >= 2 * len(sender.threads)

    until(some, process)
    fill(disk / "filler")
    until(everybody_was_refused, process)
    assert {event["id"] for event in sender.acknowledged} <= set(stored(world_on_disk))
    (disk / "filler").unlink()
    sender.finish()
    world_on_disk.settled(told.expected, process)
    assert stored(world_on_disk) == dict.fromkeys(ids(told.events), 1)
    assert world_on_disk.regressions() == []
    assert set(sender.refusals) == {503}
    assert sender.retry_after == {"30"}
