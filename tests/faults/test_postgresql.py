"""PostgreSQL is restarted, crashes, or drops connections while webhooks come in."""

from pathlib import Path

import psycopg
import pytest

from tests.faults.conftest import SHORT, ids, stored
from tests.support.processes import ending, ours, until
from tests.support.sending import Sender, story
from tests.support.world import World

pytestmark = pytest.mark.slow

EVERYBODY_ELSE = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


@pytest.fixture
def own_world(tmp_path, own_postgres, shared_sandbox):
    made = World(tmp_path, f"{own_postgres.address}/postgres")
    made.environ |= SHORT | {"METRONOME_BASE_URL": shared_sandbox}
    with ending(made.processes):
        yield made


def family(process):
    """The process and its children, by their numbers."""
    pid = process.popen.pid
    return {pid, *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())}


def assert_whole(world, told, sender, process):
    """Everything is acknowledged, stored once and delivered, and nobody heard anything but 503."""
    sender.finish()
    world.settled(told.expected, process)
    assert stored(world) == dict.fromkeys(ids(told.events), 1)
    assert world.regressions() == []
    assert set(sender.refusals) <= {503}
    assert sender.retry_after <= {"30"}


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_restart_or_a_power_cut_under_load_loses_nothing(own_world, own_postgres, size, mode):
    told = story(customers=20 * size, steps=5)
    process, url = own_world.serve(ours("serve", "--upgrade"))
    before = family(process)
    sender = Sender(url, told.events).start()

    def half():
        return len(sender.acknowledged) >= len(told.events) / 2

    def everybody_was_refused():
        return len(sender.refusals) >= 2 * len(sender.threads)

    until(half, process)
    own_postgres.stop(mode)
    until(everybody_was_refused, process)
    own_postgres.start()
    assert_whole(own_world, told, sender, process)
    assert 503 in sender.refusals
    assert family(process) == before


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_connections_that_are_dropped_again_and_again_lose_nothing(world, shared_sandbox, size):
    told = story(customers=20 * size, steps=5)
    world.environ |= SHORT | {"METRONOME_BASE_URL": shared_sandbox}
    process, url = world.serve()
    before = family(process)
    sender = Sender(url, told.events).start()
    with psycopg.connect(world.environ["DATABASE_URL"], autocommit=True) as connection:
        for tenth in range(1, 10):

            def so_far(share=tenth / 10):
                return len(sender.acknowledged) >= len(told.events) * share

            def somebody_was_cut_off():
                return connection.execute(EVERYBODY_ELSE).rowcount

            until(so_far, process)
            until(somebody_was_cut_off, process)
    assert_whole(world, told, sender, process)
    assert family(process) == before
