"""What the generic senders share: reading JSON whose id, type and time are named in the mapping file."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from marshmallow import Schema, fields, validate

from bridge import times
from bridge.errors import NotThisShapeError
from bridge.model import Event, Request
from bridge.payload import MISSING, describe, parse, walk
from bridge.senders.base import bounded, digest_of, name_of, unnamed

HEADER = "header:"
UNITS = {"seconds": times.SECOND, "milliseconds": times.MILLISECOND, "microseconds": 1}


class EventSchema(Schema):
    """Where a payload says what it is. Each is a plain path such as `meta.id`, or `header:X-Event-Id`."""

    event_id = fields.String(metadata={"help": "What makes two deliveries the same event."})
    event_type = fields.String(metadata={"help": "What `events` of a rule is compared with."})
    event_time = fields.String(metadata={"help": "When it happened: ISO 8601 text, or a number since 1970."})
    event_time_unit = fields.String(
        validate=validate.OneOf(list(UNITS)), metadata={"help": "The unit of a number. Left out: what its digits say."}
    )
    batch = fields.String(
        metadata={"help": "The path of the list, where one request holds many. A bare list needs none."}
    )


def read(request: Request, now: int, *, options: Mapping[str, Any]) -> list[Event]:
    return read_body(parse(request.body), request, now, options)


def read_body(body: Any, request: Request, now: int, options: Mapping[str, Any]) -> list[Event]:
    """One event, or those of a batch."""
    elements = walk(body, steps_of(options["batch"])) if "batch" in options else body
    if "batch" in options and not isinstance(elements, list):
        raise NotThisShapeError(f"{options['batch']} is {describe(elements)}: a list was expected")
    if isinstance(elements, list):
        # Once for all of them: a body may have as many elements as bytes.
        body = digest_of(request.body)
        return read_batch(
            elements, request, lambda element, n: read_event(element, request, now, options, position=n, body=body)
        )
    return [read_event(elements, request, now, options)]


def read_batch(elements: list[Any], request: Request, read_one: Callable[[Any, int], Event]) -> list[Event]:
    """Each of a batch. A bad one is kept as such: an error would bring the whole batch again."""

    body = digest_of(request.body)

    def read_element(element: Any, n: int) -> Event:
        try:
            return read_one(element, n)
        except NotThisShapeError as error:
            return Event.unreadable(digest_of(f"{n}-{body}".encode()), element, str(error))

    return [read_element(element, n) for n, element in enumerate(bounded(elements))]


def read_event(
    payload: Any,
    request: Request,
    now: int,
    options: Mapping[str, Any],
    *,
    position: int | None = None,
    body: str = "",
) -> Event:
    """`position`: where in a batch it is, whose `body` has this digest."""
    if not isinstance(payload, dict):
        raise NotThisShapeError(f"the event is {describe(payload)}: an object was expected")

    def find(option: str) -> Any:
        place = options.get(option)
        if place is None:
            return MISSING
        if place.startswith(HEADER):
            return request.header(place.removeprefix(HEADER)) or MISSING
        return walk(payload, steps_of(place))

    occurred_at = read_time(find("event_time"), options)
    event_id = find("event_id")
    if event_id is MISSING and "event_id" not in options:
        event_id = unnamed(request.body if position is None else f"{position}-{body}".encode(), occurred_at, now)
    elif position is not None and isinstance(event_id, str) and options["event_id"].startswith(HEADER):
        event_id = f"{event_id}:{position}"
    event_type = "untyped" if "event_type" not in options else find("event_type")
    return Event(
        event_id=name_of(event_id, options.get("event_id", "id")),
        event_type=name_of(event_type, options.get("event_type", "type")),
        occurred_at=occurred_at,
        payload=payload,
    )


def read_time(value: Any, options: Mapping[str, Any]) -> int | None:
    if "event_time" not in options:
        return None
    unit = UNITS.get(options.get("event_time_unit", ""))
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return times.from_epoch(value, unit) if unit else times.from_number(Decimal(repr(value)))
        if isinstance(value, str):
            return times.from_epoch(int(value), unit) if unit and value.isdecimal() else times.from_text(value)
    except (ValueError, OverflowError) as error:
        raise NotThisShapeError(f"{options['event_time']} is {error}") from None
    raise NotThisShapeError(f"{options['event_time']} is {describe(value)}: a time was expected")


def steps_of(path: str) -> list[str | int]:
    """`data.items.0.id`: a number is an index."""
    return [int(step) if step.isdecimal() else step for step in path.split(".")]
