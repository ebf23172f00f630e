"""What customer data platforms send: identify, group, track, ... calls, one or several a request.

https://segment.com/docs/connections/spec/
https://www.rudderstack.com/docs/event-spec/standard-events/
"""

from dataclasses import replace
from typing import Any

from bridge.model import Event, Request
from bridge.payload import parse
from bridge.senders import generic
from bridge.senders.base import name_of

#: `timestamp` is when it happened, put right by the platform's clock. originalTimestamp is by the device's own, and
#: one that is fast would hold back all that comes later.
PLACES = {"event_id": "messageId", "event_time": "timestamp"}
#: Where that is missing: when the platform received it, by its own clock. It is the same for each try.
RECEIVED = {**PLACES, "event_time": "receivedAt"}


def read(request: Request, now: int) -> list[Event]:
    body = parse(request.body)
    if isinstance(body, list):
        return generic.read_batch(body, request, lambda call, _: read_call(call, request, now))
    return [read_call(body, request, now)]


def read_call(call: Any, request: Request, now: int) -> Event:
    late = isinstance(call, dict) and call.get("timestamp") is None and call.get("receivedAt") is not None
    event = generic.read_event(call, request, now, RECEIVED if late else PLACES)
    return replace(event, event_type=type_of(call))


def type_of(call: dict[str, Any]) -> str:
    """identify, group, page, ..., and track.<name of the event>."""
    kind = name_of(call.get("type"), "type")
    return name_of(f"track.{name_of(call.get('event'), 'event')}", "track.<event>") if kind == "track" else kind
