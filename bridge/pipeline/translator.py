"""The loop that turns received events into changes: one source after the other, and a little of each at a time."""

import threading
from collections.abc import Callable
from typing import Protocol

import structlog

from bridge.errors import StoreError, UnstorableError
from bridge.model import EventState, StoredEvent
from bridge.store.events import Events, Translated
from bridge.times import MILLISECOND

log = structlog.get_logger()

#: A batch ends with so many events, so many changes, or after so many microseconds: then the next source has its turn.
MOST_EVENTS = 100
MOST_CHANGES = 2000
LONGEST_BATCH = 250 * MILLISECOND
#: How long to leave a database alone that does not answer.
STORE_PAUSE_SECONDS = 1.0
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
        self, events: Events, translate: Callable[[StoredEvent], Translated], *, clock: Callable[[], int]
    ) -> None:
        """`translate` never raises; `clock` gives microseconds."""
        self.events = events
        self.translate = translate
        self.clock = clock
        self.last_source = ""
        self.news = threading.Event()

    def wake(self) -> None:
        """There are received events, or the process is to stop."""
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
            except StoreError as error:
                log.warning("store unavailable", error=str(error))
                stopping.wait(STORE_PAUSE_SECONDS)
            except Exception:
                log.exception("translator failed")
                stopping.wait(STORE_PAUSE_SECONDS)

    def step(self) -> int:
        """Translate the next events of the source whose turn it is. Returns how many. Raises StoreError."""
        waiting = self.events.waiting(self.last_source, MOST_EVENTS)
        if not waiting:
            return 0
        self.last_source = waiting[0].source
        end, changes = self.clock() + LONGEST_BATCH, 0
        done: list[tuple[StoredEvent, Translated]] = []
        for event in waiting:
            done.append((event, self.translate(event)))
            changes += len(done[-1][1].changes)
            if changes >= MOST_CHANGES or self.clock() >= end:
                break
        self.commit(done)
        return len(done)

    def commit(self, done: list[tuple[StoredEvent, Translated]]) -> None:
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
