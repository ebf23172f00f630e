"""A request becomes stored events, or nothing at all."""

import threading
from collections.abc import Callable
from dataclasses import dataclass

from bridge.mapping.rules import Source
from bridge.model import Request
from bridge.store.events import Events

#: So many requests at a time in one process are a crowd.
CROWD = 4
#: Headers that help to explain an event later. None of them authenticates anybody.
KEPT_HEADERS = ("content-type", "user-agent", "x-request-id")


@dataclass(frozen=True, slots=True)
class Received:
    new: int
    #: Events that had come before.
    seen: int


class Receiver:
    def __init__(self, events: Events, wake: Callable[[], None]) -> None:
        self.events = events
        self.wake = wake
        self._lock = threading.Lock()
        self._under_way = 0

    def is_crowded(self) -> bool:
        """Whether many requests are under way in this process."""
        return self._under_way >= CROWD

    def receive(self, source: Source, request: Request, now: int) -> Received:
        """Verify, read, store. When this returns, what was new is on disk. Raises SenderError, StoreError."""
        self.count(1)
        try:
            return self.take(source, request, now)
        finally:
            self.count(-1)

    def count(self, more: int) -> None:
        with self._lock:
            self._under_way += more

    def take(self, source: Source, request: Request, now: int) -> Received:
        events = source.sender.unwrap(request, source.secrets, now)
        kept = (*KEPT_HEADERS, *source.sender.kept_headers)
        headers = {name: request.headers[name] for name in kept if name in request.headers}
        new = self.events.add(source.name, events, headers, now) if events else 0
        if new:
            self.wake()
        return Received(new, len(events) - new)
