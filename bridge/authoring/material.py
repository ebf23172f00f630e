"""A request, read for its own sake: whose it is, and the events in it. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from bridge.authoring.suggest import is_time
from bridge.errors import NotThisShapeError, SenderError
from bridge.mapping.presence import Path
from bridge.model import Event, Request, StoredEvent
from bridge.payload import describe, parse, walk
from bridge.senders import SENDERS, Sender
from bridge.senders.base import MAX_NAME_LENGTH, compose_json
from bridge.times import MILLISECONDS_FROM

#: Senders of which the mapping file says where ids, types and times are.
GENERIC = ("hmac", "token", "basic", "none")

#: What payloads call the id, the type and the time of an event, the likeliest first.
IDS = ("event_id", "eventId", "id", "uuid", "message_id", "messageId")
TYPES = ("event_type", "eventType", "type", "event", "event_name", "topic", "action")
TIMES = (
    "occurred_at",
    "occurredAt",
    "event_time",
    "timestamp",
    "time",
    "created_at",
    "createdAt",
    "created",
    "sent_at",
)
TIMES_OF_CHANGE = ("updated_at", "updatedAt", "modified_at", "modifiedAt", "date")


@dataclass(frozen=True, slots=True)
class Material:
    """What a mapping can be drafted from."""

    request: Request
    #: None: nobody knows.
    sender: Sender | None
    #: What the mapping file says to it.
    options: Mapping[str, Any]
    #: Those that can be read.
    events: tuple[Event, ...] = field(repr=False)


def material_of(request: Request, sender: Sender | None, now: int) -> Material:
    """`sender` without its options gets those that the payload suggests. Raises SenderError if there is no event."""
    if sender is None:
        return Material(request, None, {}, tuple(bare_events(request)))
    options = options_for(sender, request)
    events = with_options(sender, options).read(request, now)
    readable = tuple(event for event in events if not event.problem)
    if not readable:
        raise NotThisShapeError(events[0].problem or "" if events else f"{sender.name}: there is no event in it")
    return Material(request, sender, options, readable)


def material_of_stored(stored: StoredEvent, sender: Sender) -> Material:
    request = Request("POST", f"/webhooks/{stored.source}", stored.headers, compose_json(stored.payload))
    event = Event(stored.event_id, stored.event_type, stored.payload, stored.occurred_at)
    return Material(request, sender, options_for(sender, request), (event,))


def with_options(sender: Sender, options: Mapping[str, Any]) -> Sender:
    """Unless it has its own already."""
    if sender.options is None or sender is not SENDERS[sender.name]:
        return sender
    return sender.bound(sender.options().load(options))


def bare_events(request: Request) -> Iterator[Event]:
    """As they are, whoever sends them."""
    body = parse(request.body)
    for element in body if isinstance(body, list) else [body]:
        if not isinstance(element, dict):
            raise NotThisShapeError(f"the event is {describe(element)}: an object was expected")
        place = place_of(element, TYPES, is_name)
        yield Event("", str(walk(element, place)) if place else "", element)


def options_for(sender: Sender, request: Request) -> dict[str, Any]:
    """Guessed, and what is needed but cannot be guessed as a likely word."""
    if sender.name not in GENERIC or sender.options is None:
        return {}
    options: dict[str, Any] = {}
    known = sender.options().fields
    if "i_understand_anyone_can_post" in known:
        options["i_understand_anyone_can_post"] = True
    if sender.name == "hmac":
        options["header"] = signature_header(request)
    return options | event_options(request)


def signature_header(request: Request) -> str:
    named = [name for name in request.headers if "signature" in name or "hmac" in name]
    return "-".join(word.capitalize() for word in (named or ["x-signature"])[0].split("-"))


def event_options(request: Request) -> dict[str, Any]:
    try:
        payload = next(bare_events(request)).payload
    except (SenderError, StopIteration):
        return {}
    options: dict[str, Any] = {}
    if place := place_of(payload, IDS, is_name):
        options["event_id"] = ".".join(map(str, place))
    if place := place_of(payload, TYPES, is_name):
        options["event_type"] = ".".join(map(str, place))
    if place := place_of(payload, TIMES, is_time) or place_of(payload, TIMES_OF_CHANGE, is_time):
        options["event_time"] = ".".join(map(str, place))
        value = walk(payload, place)
        if isinstance(value, int) and value >= MILLISECONDS_FROM:
            options["event_time_unit"] = "milliseconds"
    return options


def place_of(payload: Mapping[str, Any], names: tuple[str, ...], fits: Any) -> Path | None:
    """Where one of these names is, at the top or in what envelopes are called: `meta.id`."""
    for place in [(), ("meta",), ("event",), ("header",), ("metadata",)]:
        here = walk(payload, place)
        for name in names if isinstance(here, dict) else ():
            if name in here and fits(here[name]):
                return (*place, name)
    return None


def is_name(value: Any) -> bool:
    if isinstance(value, int):
        return not isinstance(value, bool)
    return isinstance(value, str) and 0 < len(value) <= MAX_NAME_LENGTH and value.isprintable()
