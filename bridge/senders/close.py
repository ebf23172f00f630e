"""Close: one entry of its event log a request, signed with its time.

https://developer.close.com/api/resources/webhooks
https://developer.close.com/api/resources/events

Close sends the whole object. A custom field that was emptied need not be in it any more, but is named among what
changed: here it is null, so that missing still means that nothing is known.
"""

from dataclasses import replace
from typing import Any

from bridge.errors import NotThisShapeError, SignError
from bridge.model import Event, Request
from bridge.payload import describe, parse_object
from bridge.senders import signatures
from bridge.senders.base import Secrets, Sender, name_of
from bridge.senders.reading import iso_time
from bridge.times import SECOND

SIGNATURE = "close-sig-hash"
TIMESTAMP = "close-sig-timestamp"


def unwrap(request: Request, secrets: Secrets, now: int) -> list[Event]:
    given = signatures.required(request, SIGNATURE)
    timestamp = signatures.required(request, TIMESTAMP)
    signatures.check_fresh(signatures.whole_number(timestamp, TIMESTAMP) * SECOND, now)
    signatures.check_match(
        [signatures.from_hex(given)],
        (signature(key, timestamp, request.body) for key in map(signatures.from_hex, secrets) if key),
    )
    return read(request, now)


def signature(key: bytes, timestamp: str, body: bytes) -> bytes:
    return signatures.mac(key, timestamp.encode() + body)


def check_secret(secret: str) -> str | None:
    """The key is what the hex encodes: as text it would verify nothing."""
    return None if signatures.from_hex(secret) else "is not hexadecimal: copy signature_key as the API answered it"


def read(request: Request, _now: int) -> list[Event]:
    body = parse_object(request.body)
    event = body.get("event")
    if not isinstance(event, dict):
        raise NotThisShapeError(f"event is {describe(event)}: an object was expected")
    kinds = [name_of(event.get(part), f"event.{part}") for part in ("object_type", "action")]
    return [
        Event(
            event_id=id_of(event),
            event_type=name_of(".".join(kinds), "event.object_type and event.action"),
            occurred_at=iso_time(event.get(time_in(event)), f"event.{time_in(event)}"),
            payload={**body, "event": whole(event)},
        )
    ]


def time_in(event: dict[str, Any]) -> str:
    """Changes that follow each other closely become one event, which is as new as the last of them."""
    return "date_created" if event.get("date_updated") is None else "date_updated"


def id_of(event: dict[str, Any]) -> str:
    """An event that took in a later change is news."""
    identity = name_of(event.get("id"), "event.id")
    updated = event.get("date_updated")
    if updated is None or updated == event.get("date_created"):
        return identity
    return name_of(f"{identity}:{name_of(updated, 'event.date_updated')}", "event.id and event.date_updated")


def whole(event: dict[str, Any]) -> dict[str, Any]:
    data, changed = event.get("data"), event.get("changed_fields")
    if not isinstance(data, dict) or not isinstance(changed, list):
        return event
    return {**event, "data": {**dict.fromkeys(name for name in changed if isinstance(name, str)), **data}}


def sign(request: Request, secret: str, now: int) -> Request:
    timestamp, key = str(now // SECOND), signatures.from_hex(secret)
    if not key:
        raise SignError(f"the secret {check_secret(secret)}")
    value = signature(key, timestamp, request.body).hex()
    return replace(request, headers={**request.headers, TIMESTAMP: timestamp, SIGNATURE: value})


SENDER = Sender(
    name="close",
    summary="Close's webhooks, signed with a key in hexadecimal",
    url="https://developer.close.com/api/resources/webhooks",
    credential="signature_key of the subscription (hex)",
    unwrap=unwrap,
    read=read,
    sign=sign,
    check_secret=check_secret,
)
