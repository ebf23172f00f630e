"""Threads that are started again, and what their heartbeats tell."""

import threading

import pytest

from bridge import supervisor as supervision
from bridge.supervisor import State, Supervisor
from bridge.times import SECOND
from tests.support.processes import until

LEASE = 30


class Clock:
    now = 0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def supervisor(clock, monkeypatch):
    monkeypatch.setattr(supervision, "FIRST_BACKOFF_SECONDS", 0.001)
    return Supervisor(clock)


@pytest.fixture
def stopping():
    event = threading.Event()
    yield event
    event.set()


def state_of(supervisor, name):
    return next(pulse.state for pulse in supervisor.pulses() if pulse.name == name)


class Hangs:
    """A loop that beats once, and then waits until it is freed."""

    def __init__(self, supervisor):
        self.supervisor = supervisor
        self.beaten, self.free = threading.Event(), threading.Event()

    def __call__(self):
        self.supervisor.beat()
        self.beaten.set()
        self.free.wait()


@pytest.mark.parametrize("ending", [None, ValueError(), MemoryError(), SystemExit(), KeyboardInterrupt()])
def test_a_loop_that_ends_is_started_again_whatever_ended_it(supervisor, stopping, ending):
    runs = []
    third = threading.Event()

    def loop():
        runs.append(1)
        if len(runs) == 3:
            third.set()
            stopping.wait()
        elif ending is not None:
            raise ending

    thread = supervisor.start("loop", loop, stopping, longest_pause=1)
    assert third.wait(30)
    (pulse,) = supervisor.pulses()
    assert (pulse.state, pulse.restarts) == (State.ALIVE, 2)
    stopping.set()
    thread.join(30)
    assert len(runs) == 3
    assert not supervisor.pulses()


def test_a_restart_is_said_even_where_the_log_fails(supervisor, stopping, monkeypatch):
    class Broken:
        def error(self, *_, **__):
            raise OSError

    monkeypatch.setattr(supervision, "log", Broken())
    again = threading.Event()
    runs = []

    def loop():
        runs.append(1)
        if len(runs) == 1:
            raise ValueError
        again.set()
        stopping.wait()

    supervisor.start("loop", loop, stopping, longest_pause=1)
    assert again.wait(30)


@pytest.mark.parametrize(("pause", "limit"), [(1, 60), (60, 180)])
def test_a_heartbeat_is_late_after_a_minute_or_three_long_pauses(supervisor, stopping, clock, pause, limit):
    hangs = Hangs(supervisor)
    supervisor.start("loop", hangs, stopping, longest_pause=pause)
    assert hangs.beaten.wait(30)
    clock.now = limit * SECOND
    assert not supervisor.late()
    clock.now = (limit + 1) * SECOND
    assert supervisor.late() == {"loop": limit + 1}
    assert supervisor.out() == ["loop"]
    hangs.free.set()


def test_a_thread_that_waits_for_a_job_is_never_late_and_one_that_is_busy_too_long_is_stuck(
    supervisor, stopping, clock
):
    begin, begun, free = threading.Event(), threading.Event(), threading.Event()

    def loop():
        begin.wait()
        with supervisor.busy():
            begun.set()
            free.wait()
        stopping.wait()

    supervisor.start("delivery-1", loop, stopping, longest_pause=LEASE, kind="delivery", lease=LEASE)
    clock.now = 3600 * SECOND
    assert state_of(supervisor, "delivery-1") is State.ALIVE
    begin.set()
    assert begun.wait(30)
    clock.now += (LEASE + 1) * SECOND
    assert state_of(supervisor, "delivery-1") is State.STUCK
    assert supervisor.out() == ["delivery"]
    assert not supervisor.late()
    free.set()

    def is_alive():
        return state_of(supervisor, "delivery-1") is State.ALIVE

    until(is_alive)


def test_a_kind_is_out_only_when_none_of_its_threads_works(supervisor, stopping, clock):
    hangs = [Hangs(supervisor) for _ in range(2)]
    for number, one in enumerate(hangs):
        supervisor.start(f"loop-{number}", one, stopping, longest_pause=1, kind="loop")
        assert one.beaten.wait(30)
    clock.now = 61 * SECOND
    supervisor.hearts["loop-1"].beat_at = clock.now
    assert supervisor.out() == []
    for one in hangs:
        one.free.set()


def test_beats_of_threads_that_nobody_supervises_do_nothing(supervisor):
    supervisor.beat()
    with supervisor.busy():
        assert supervisor.wait(threading.Event(), 0) is False
