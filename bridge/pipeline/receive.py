"""A request becomes stored events, or nothing at all."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bridge.errors import BusyError
from bridge.mapping.rules import Source
from bridge.model import Request
from bridge.store.events import Events

#: So many requests at a time in one process are a crowd.
CROWD = 4
#: Headers that help to explain an event later. None of them authenticates anybody.
KEPT_HEADERS = ("content-type", "user-agent", "x-request-id")
#: How much of each is kept: every event of the request has them.
MAX_HEADER_LENGTH = 256

#: How much the payloads of one request may have: so many times its body, and so much more. A request may say once what
#: each of its events repeats.
EXPANSION = 8
ALLOWANCE = 1 << 20
#: Bodies that are larger are read one at a time: JSON and XML take up to 60 times as much memory once they are read,
#: and threads of one process share a processor anyway.
LARGE = 128 << 10
#: How long to wait for another large one.
PATIENCE_SECONDS = 10.0


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
        self._large = threading.Lock()

    def is_crowded(self) -> bool:
        """Whether many requests are under way in this process."""
        return self._under_way >= CROWD

    def receive(self, source: Source, request: Request, now: int) -> Received:
        """Verify, read, store. When this returns, what was new is on disk. Raises SenderError, StoreError."""
        self.count(1)
        try:
            with self.room_for(len(request.body)):
                return self.take(source, request, now)
        finally:
            self.count(-1)

    @contextmanager
    def room_for(self, size: int) -> Iterator[None]:
        """Bounds the memory that requests take at a time. Raises BusyError."""
        if size <= LARGE:
            yield
            return
        if not self._large.acquire(timeout=PATIENCE_SECONDS):
            raise BusyError("too many large requests at a time: nothing of this one was stored")
        try:
            yield
        finally:
            self._large.release()

    def count(self, more: int) -> None:
        with self._lock:
            self._under_way += more

    def take(self, source: Source, request: Request, now: int) -> Received:
        events = source.sender.unwrap(request, source.secrets, now)
        kept = (*KEPT_HEADERS, *source.sender.kept_headers)
        headers = {name: request.headers[name][:MAX_HEADER_LENGTH] for name in kept if name in request.headers}
        most = EXPANSION * len(request.body) + ALLOWANCE
        new = self.events.add(source.name, events, headers, now, most) if events else 0
        if new:
            self.wake()
        return Received(new, len(events) - new)
