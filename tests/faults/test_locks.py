"""Somebody else holds what the bridge needs, for longer than it waits."""

import os
import signal
import sqlite3
from contextlib import closing

import pytest

from tests.faults.conftest import SHORT, failing, ids, only_in_ci, stored
from tests.faults.failpoints import FLAG, SIGNAL
from tests.support.processes import ours, until
from tests.support.sending import Sender, story

pytestmark = pytest.mark.slow

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
on_postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


@pytest.fixture
def busy_world(world, shared_sandbox):
    """With a budget of calls, so that the gate is asked before each."""
    given = {"METRONOME_BASE_URL": shared_sandbox, "METRONOME_MAX_CALLS_PER_SECOND": "1000", "BRIDGE_DELIVERY": "off"}
    world.environ |= SHORT | given
    return world


def stopped_at(world, point):
    """A worker that is stopped (SIGSTOP) when it comes to a point, and what says that it has."""
    flag = world.folder / "reached"
    return world.run(failing(point, "worker"), **{FLAG: str(flag), SIGNAL: "SIGSTOP"}), flag.exists


def let_go_on(process):
    os.killpg(process.popen.pid, signal.SIGCONT)


def refused(sender):
    def was_refused():
        return 503 in sender.refusals

    return was_refused


def assert_whole(world, told, sender, process):
    sender.finish()
    world.settled(told.expected, process)
    assert stored(world) == dict.fromkeys(ids(told.events), 1)
    assert world.regressions() == []
    assert set(sender.refusals) <= {503}


@on_sqlite
def test_a_file_that_is_locked_by_another_program_is_answered_503_and_works_again_afterwards(busy_world):
    told = story(customers=4, steps=3)
    process, url = busy_world.serve(BRIDGE_DELIVERY="on")
    with closing(sqlite3.connect(busy_world.folder / "bridge.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        sender = Sender(url, told.events).start()
        until(refused(sender), process)
        other.execute("ROLLBACK")
    assert_whole(busy_world, told, sender, process)


@on_sqlite
def test_a_turn_that_a_stopped_process_holds_is_answered_503_and_taken_when_it_goes_on(busy_world):
    told = story(customers=4, steps=3)
    process, url = busy_world.serve()
    Sender(url, told.events[:1]).start().finish()
    worker, is_stopped = stopped_at(busy_world, "translate-within")
    until(is_stopped, worker)
    sender = Sender(url, told.events).start()
    until(refused(sender), process)
    assert "bridge.db.lock" in process.said
    let_go_on(worker)
    assert_whole(busy_world, told, sender, worker)


@on_postgresql
@pytest.mark.parametrize("point", ["gate-within", pytest.param("settle-within", marks=only_in_ci)])
def test_a_worker_that_is_stopped_in_a_transaction_holds_up_nobody_for_ever(busy_world, point):
    told, later = story(customers=4, steps=3), story(customers=2, steps=3)
    _, url = busy_world.serve()
    stopped, is_stopped = stopped_at(busy_world, point)
    sender = Sender(url, told.events).start()
    until(is_stopped, stopped)
    other = busy_world.run(ours("worker"))
    sender.finish()
    busy_world.settled(told.expected, other)
    let_go_on(stopped)
    assert other.terminate() == 0
    Sender(url, later.events).start().finish()
    busy_world.settled({**told.expected, **later.expected}, stopped)
    assert busy_world.regressions() == []
    assert stopped.terminate() == 0
