"""Threads that are started again when they end, and that show a heartbeat.

A loop that ends by mistake, or hangs, looks like one that has nothing to do. So each stamps a heartbeat every round,
also when the database is away, and what takes jobs says how long it has been busy with one. /healthz, /readyz and
/metrics tell what is seen here. Supervision trees: https://www.erlang.org/doc/system/sup_princ
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum

import structlog

from bridge.times import SECOND

log = structlog.get_logger()

#: A heartbeat that is older than this is late, or older than three of its thread's longest pauses if those take longer.
LATE_SECONDS = 60.0
LATE_PAUSES = 3
#: How long to wait before a thread is started again: doubled each time, until it has run for a while.
FIRST_BACKOFF_SECONDS = 0.5
LONGEST_BACKOFF_SECONDS = 30.0

#: Microseconds by a clock that never jumps.
Clock = Callable[[], int]


class State(StrEnum):
    ALIVE = "alive"
    #: Busy with one job for longer than its lease.
    STUCK = "stuck"
    #: Its heartbeat is too old.
    LATE = "late"
    #: It has ended, and is about to be started again.
    ENDED = "ended"
    #: It has ended, and cannot be started again.
    GONE = "gone"

    @property
    def works(self) -> bool:
        return self is State.ALIVE


@dataclass(slots=True)
class Heart:
    """What one thread shows of itself. Only that thread writes to it."""

    name: str
    #: Threads of one kind can stand in for each other.
    kind: str
    #: Seconds between two rounds when there is nothing to do.
    longest_pause: float
    #: Seconds that one job may take. None: it takes no jobs, and beats instead.
    lease: float | None
    beat_at: int
    #: When the job began that it is busy with.
    busy_since: int | None = None
    #: How often it was started again.
    restarts: int = 0
    ended: bool = False
    thread: threading.Thread | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Pulse:
    """One thread as it is seen from outside."""

    name: str
    kind: str
    state: State
    #: Seconds since its last heartbeat, or since it took the job that it is busy with.
    age: float
    restarts: int


class Supervisor:
    """Starts threads, and starts each again that ends before it was told to."""

    def __init__(self, clock: Clock = lambda: 0) -> None:
        """Without a clock nothing looks late: for commands, which end by themselves."""
        self.clock = clock
        self.hearts: dict[str, Heart] = {}
        self.mine = threading.local()

    def start(
        self,
        name: str,
        loop: Callable[[], object],
        stopping: threading.Event,
        *,
        longest_pause: float,
        kind: str | None = None,
        lease: float | None = None,
    ) -> threading.Thread:
        """Returns the thread. `loop` may return once `stopping` is set, and is called again if it does so before."""
        heart = Heart(name, kind or name, longest_pause, lease, self.clock())
        thread = threading.Thread(target=self.keep, args=(heart, loop, stopping), name=f"bridge-{name}", daemon=True)
        heart.thread = thread
        self.hearts[name] = heart
        thread.start()
        return thread

    def keep(self, heart: Heart, loop: Callable[[], object], stopping: threading.Event) -> None:
        self.mine.heart = heart
        backoff = FIRST_BACKOFF_SECONDS
        while not stopping.is_set():
            begun = self.clock()
            heart.beat_at, heart.ended = begun, False
            error = ending_of(loop)
            heart.busy_since = None
            if stopping.is_set():
                break
            heart.ended = True
            heart.restarts += 1
            if self.clock() - begun > LONGEST_BACKOFF_SECONDS * SECOND:
                backoff = FIRST_BACKOFF_SECONDS
            say(heart, error, backoff)
            stopping.wait(backoff)
            backoff = min(2 * backoff, LONGEST_BACKOFF_SECONDS)
        self.hearts.pop(heart.name, None)

    def beat(self) -> None:
        """The calling thread is alive. Does nothing in a thread that is not supervised."""
        if heart := getattr(self.mine, "heart", None):
            heart.beat_at = self.clock()

    @contextmanager
    def busy(self) -> Iterator[None]:
        """The calling thread is busy with one job."""
        heart: Heart | None = getattr(self.mine, "heart", None)
        if heart:
            heart.busy_since = self.clock()
        try:
            yield
        finally:
            if heart:
                heart.busy_since = None
                heart.beat_at = self.clock()

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Returns whether the event was set within so many seconds; the calling thread shows that it is alive."""
        self.beat()
        return event.wait(seconds)

    def pulses(self) -> list[Pulse]:
        now = self.clock()
        return [pulse_of(heart, now) for heart in list(self.hearts.values())]

    def late(self) -> Mapping[str, float]:
        """Returns the ages of heartbeats that are too old: such a thread hangs, and only a new process helps."""
        return {pulse.name: pulse.age for pulse in self.pulses() if pulse.state in (State.LATE, State.GONE)}

    def out(self) -> list[str]:
        """Returns the kinds of threads of which none works."""
        pulses = self.pulses()
        working = {pulse.kind for pulse in pulses if pulse.state.works}
        return sorted({pulse.kind for pulse in pulses} - working)


def pulse_of(heart: Heart, now: int) -> Pulse:
    waits = heart.lease is not None and heart.busy_since is None
    since = heart.beat_at if heart.busy_since is None else heart.busy_since
    age = 0.0 if waits else max(0, now - since) / SECOND
    return Pulse(heart.name, heart.kind, state_of(heart, age), age, heart.restarts)


def state_of(heart: Heart, age: float) -> State:
    if heart.thread and heart.thread.ident and not heart.thread.is_alive():
        return State.GONE
    if heart.ended:
        return State.ENDED
    if heart.lease is not None:
        return State.STUCK if age > heart.lease else State.ALIVE
    return State.LATE if age > max(LATE_SECONDS, LATE_PAUSES * heart.longest_pause) else State.ALIVE


def ending_of(loop: Callable[[], object]) -> BaseException | None:
    """Runs the loop. Returns what ended it, MemoryError and SystemExit too: a thread has nowhere to raise them."""
    try:
        loop()
    except BaseException as error:  # noqa: BLE001
        return error
    return None


def say(heart: Heart, error: BaseException | None, backoff: float) -> None:
    # With no memory left this may fail too. The restart is counted in any case.
    with suppress(Exception):
        log.error("thread ended: it is started again", thread=heart.name, seconds=backoff, exc_info=error)
