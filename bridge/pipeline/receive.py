"""A request becomes stored events, or nothing at all."""

from collections.abc import Callable
from dataclasses import dataclass

from bridge.mapping.rules import Source
from bridge.model import Request
from bridge.store.events import Events

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

    def receive(self, source: Source, request: Request, now: int) -> Received:
        """Verify, read, store. When this returns, what was new is on disk. Raises SenderError, StoreError."""
        events = source.sender.unwrap(request, source.secrets, now)
        kept = (*KEPT_HEADERS, *source.sender.kept_headers)
        headers = {name: request.headers[name] for name in kept if name in request.headers}
        new = self.events.add(source.name, events, headers, now) if events else 0
        if new:
            self.wake()
        return Received(new, len(events) - new)
