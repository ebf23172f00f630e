"""The loop that turns received events into changes: one source after the other, and a little of each at a time."""

import threading
from collections.abc import Callable, Sequence
from typing import Protocol

import structlog

from bridge.errors import StoreError, UnstorableError
from bridge.model import EventState, StoredEvent
from bridge.store.events import Events, Translated
from bridge.store.lanes import Lane
from bridge.times import MILLISECOND

log = structlog.get_logger()

#: A batch ends with so many events, so many changes, or after so many microseconds: then the next source has its turn.
MOST_EVENTS = 100
MOST_CHANGES = 2000
LONGEST_BATCH = 250 * MILLISECOND
#: How long to leave a database alone that does not answer.
STORE_PAUSE_SECONDS = 1.0
#: Backpressure: how long to leave the processor to webhooks after each batch, while they are busy.
BUSY_PAUSE_SECONDS = 0.2
#: How long to rest at most. What is received ends it earlier.
LONGEST_REST_SECONDS = 5.0
UNSTORABLE = "the database does not take what its rules make of it"


class Stop(Protocol):
    """Set once the process is to stop."""

    def is_set(self) -> bool: ...

    def wait(self, timeout: float) -> bool: ...


class Translator:
    """Rules run outside of any transaction: a slow one holds no lock, and delays no source but its own for long."""

    def __init__(
        self,
        events: Events,
        translate: Callable[[StoredEvent], Translated],
        *,
        clock: Callable[[], int],
        crowded: Callable[[], bool] = lambda: False,
    ) -> None:
        """`translate` never raises; `clock` gives microseconds; `crowded` returns whether webhooks keep us busy."""
        self.events = events
        self.translate = translate
        self.clock = clock
        self.crowded = crowded
        self.last_source = ""
        self.lock = threading.Lock()
        #: Sources that have events to be translated, and the number of the first.
        self.sources: dict[str, int] = {}
        self.news = threading.Event()

    def wake(self, sources: Sequence[Lane] = ()) -> None:
        """These sources have events to be translated, or the process is to stop."""
        with self.lock:
            for lane in sources:
                self.sources[lane.name] = min(lane.due_at, self.sources.get(lane.name, lane.due_at))
        self.news.set()

    def run(self, stopping: Stop, announce: Callable[[], object], beat: Callable[[], object]) -> None:
        """Translate whenever there is something, until told to stop.

        `announce` is called after each batch, and `beat` with each round.
        """
        while not stopping.is_set():
            beat()
            self.news.wait(LONGEST_REST_SECONDS)
            self.news.clear()
            try:
                while not stopping.is_set() and self.step():
                    beat()
                    announce()
                    if self.crowded():
                        stopping.wait(BUSY_PAUSE_SECONDS)
            except StoreError as error:
                log.warning("store unavailable", error=str(error))
                stopping.wait(STORE_PAUSE_SECONDS)
            except Exception:
                log.exception("translator failed")
                stopping.wait(STORE_PAUSE_SECONDS)

    def step(self) -> int:
        """Translate the next events of the source whose turn it is. Returns how many. Raises StoreError."""
        while (turn := self.next_source()) is not None:
            source, first = turn
            self.last_source = source
            if waiting := self.events.waiting(source, first, MOST_EVENTS):
                done = self.translated(waiting)
                self.commit(done)
                # What is left is behind these, or the next look finds it.
                self.wake([Lane(source, done[-1][0].id + 1)])
                return len(done)
        return 0

    def next_source(self) -> tuple[str, int] | None:
        """Takes the source behind the last one from those that have events, and the number of its first."""
        with self.lock:
            ordered = sorted(self.sources, key=lambda name: (name <= self.last_source, name))
            return (ordered[0], self.sources.pop(ordered[0])) if ordered else None

    def translated(self, waiting: Sequence[StoredEvent]) -> list[tuple[StoredEvent, Translated]]:
        """As many of the events as make a batch, with what becomes of each."""
        end, changes = self.clock() + LONGEST_BATCH, 0
        done: list[tuple[StoredEvent, Translated]] = []
        for event in waiting:
            done.append((event, self.translate(event)))
            changes += len(done[-1][1].changes)
            if changes >= MOST_CHANGES or self.clock() >= end:
                break
        return done

    def commit(self, done: Sequence[tuple[StoredEvent, Translated]]) -> None:
        now = self.clock()
        try:
            self.events.commit(done, now)
        except UnstorableError as error:
            # One of them is to blame, and the others go on.
            log.warning("events are stored one by one", events=[event.id for event, _ in done], error=str(error))
            for event, made in done:
                self.commit_one(event, made, now)

    def commit_one(self, event: StoredEvent, made: Translated, now: int) -> None:
        try:
            self.events.commit([(event, made)], now)
        except UnstorableError:
            self.events.commit([(event, Translated(EventState.FAILED, UNSTORABLE, made.digest))], now)
