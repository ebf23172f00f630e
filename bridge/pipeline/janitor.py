"""Prunes what is older than the retention, a little at a time, beside the deliveries, and keeps SQLite's log small."""

from collections.abc import Callable, Iterator
from typing import Protocol

import structlog

from bridge.errors import StoreError
from bridge.store.retention import Pruned

log = structlog.get_logger()

#: How long to rest between passes.
REST_SECONDS = 60.0
#: Events, or attempts, that are removed in one transaction: a few milliseconds, as SQLite lets nobody else write.
STEP = 200
#: How long to let others have the database between two steps.
PAUSE_SECONDS = 0.05

#: Waits for so many seconds. True: stop now.
Wait = Callable[[float], bool]


class Prunes(Protocol):
    def prune(self, before: int, limit: int) -> Iterator[Pruned]: ...

    def shrink_log(self) -> bool: ...


class Janitor:
    """What is older than `keep_for` microseconds goes. None: everything is kept."""

    def __init__(self, retention: Prunes, *, keep_for: int | None, clock: Callable[[], int]) -> None:
        self.retention = retention
        self.keep_for = keep_for
        self.clock = clock

    def run(self, wait: Wait) -> None:
        while not wait(REST_SECONDS):
            self.clean(wait)

    def prune(self) -> Iterator[Pruned]:
        return iter(()) if self.keep_for is None else self.retention.prune(self.clock() - self.keep_for, STEP)

    def clean(self, wait: Wait) -> None:
        """One pass. What fails is tried again with the next."""
        events = attempts = 0
        try:
            for went in self.prune():
                events += went.events
                attempts += went.attempts
                if wait(PAUSE_SECONDS):
                    break
            if not self.retention.shrink_log():
                log.warning("write-ahead log is large and cannot be emptied: a reader holds it")
        except StoreError as error:
            log.warning("store unavailable", error=str(error))
        except Exception:
            log.exception("janitor failed")
        if events or attempts:
            log.info("pruned", events=events, attempts=attempts)
