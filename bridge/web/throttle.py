"""Log lines that any client can cause, by the thousand: a bounded number a second, then how many were left out."""

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import structlog

from bridge.times import SECOND

log = structlog.get_logger()

#: Lines a second, in each process.
MOST = 10


class Throttle:
    def __init__(self, clock: Callable[[], int], most: int = MOST) -> None:
        self.clock = clock
        self.most = most
        self._lock = threading.Lock()
        self._second = 0
        self._written = 0
        self._omitted = 0

    def warning(self, event: str, **facts: Any) -> None:
        self.write(log.warning, event, facts)

    def error(self, event: str, **facts: Any) -> None:
        self.write(log.error, event, facts)

    def write(self, line: Callable[..., Any], event: str, facts: Mapping[str, Any]) -> None:
        """A log that cannot be written changes no answer, and stops no connection."""
        if self.admits():
            with suppress(Exception):
                line(event, **facts)

    def admits(self) -> bool:
        """Whether there is room for one more line in this second. The first one without room starts the count."""
        with self._lock:
            second = self.clock() // SECOND
            if second != self._second:
                self._second, self._written = second, 0
            if self._written < self.most:
                self._written += 1
                return True
            self._omitted += 1
            is_first = self._omitted == 1
        if is_first:
            timer = threading.Timer(1.0, self.tell)
            timer.daemon = True
            timer.start()
        return False

    def tell(self) -> None:
        with self._lock:
            omitted, self._omitted = self._omitted, 0
        if omitted:
            with suppress(Exception):
                log.warning("requests without a line of their own", omitted=omitted)
