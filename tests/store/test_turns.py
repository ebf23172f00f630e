import errno
import fcntl
import threading

import pytest

from bridge.errors import LockedError
from bridge.store.turns import Turns
from tests.support.processes import until


@pytest.fixture
def turns(tmp_path):
    """Somebody who is not patient."""
    made = Turns(tmp_path / "bridge.db.lock", 0.1)
    yield made
    made.close()


@pytest.fixture
def other(tmp_path):
    """The same file as another process has it: locks belong to what was opened, not to the process."""
    with (tmp_path / "bridge.db.lock").open("ab") as file:
        yield file


def take(turns):
    with turns.take():
        pass


def is_free(file):
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    fcntl.flock(file, fcntl.LOCK_UN)
    return True


def test_a_turn_excludes_others_and_ends(turns, other):
    with turns.take():
        assert not is_free(other)
    assert is_free(other)


def test_whoever_waits_gets_the_next_turn(tmp_path, other):
    turns = Turns(tmp_path / "bridge.db.lock", 60)
    fcntl.flock(other, fcntl.LOCK_EX)
    taken = threading.Event()

    def wait():
        with turns.take():
            taken.set()

    thread = threading.Thread(target=wait)
    thread.start()
    until(lambda: turns.waiter)
    assert not taken.is_set()
    fcntl.flock(other, fcntl.LOCK_UN)
    thread.join()
    assert taken.is_set()
    turns.close()


def test_a_turn_that_does_not_come_is_given_up_and_not_taken_later(turns, other):
    fcntl.flock(other, fcntl.LOCK_EX)
    for _ in range(3):
        with pytest.raises(LockedError, match=r"somebody has held .*bridge\.db\.lock for 0\.1 seconds"):
            take(turns)
    waiter = turns.waiter
    fcntl.flock(other, fcntl.LOCK_UN)
    waiter.thread.join()
    assert is_free(other)
    take(turns)
    assert is_free(other)


def test_a_lock_that_fails_once_is_not_waited_for_again(turns, other, monkeypatch):
    fcntl.flock(other, fcntl.LOCK_EX)
    flock = fcntl.flock

    def fail(descriptor, operation):
        if operation == fcntl.LOCK_EX:
            raise OSError(errno.ENOLCK, "no locks available")
        flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", fail)
    with pytest.raises(LockedError):
        take(turns)
    monkeypatch.undo()
    fcntl.flock(other, fcntl.LOCK_UN)
    take(turns)


def test_however_often_a_turn_does_not_come_one_thread_waits_for_it(turns, other):
    fcntl.flock(other, fcntl.LOCK_EX)
    before = threading.active_count()
    for _ in range(3):
        with pytest.raises(LockedError):
            take(turns)
    assert threading.active_count() == before + 1
    fcntl.flock(other, fcntl.LOCK_UN)


def test_a_thread_that_holds_on_to_its_turn_does_not_hold_up_others_for_ever(turns):
    with turns.take(), pytest.raises(LockedError):
        take(turns)
    take(turns)
