"""Paddle Billing: one event a request, signed with its time.

https://developer.paddle.com/webhooks/signature-verification
"""

from dataclasses import replace

from bridge.model import Event, Request
from bridge.payload import parse_object
from bridge.senders import signatures
from bridge.senders.base import Secrets, Sender, name_of
from bridge.senders.reading import iso_time
from bridge.times import SECOND

SIGNATURE = "Paddle-Signature"
SCHEME = "h1"


def unwrap(request: Request, secrets: Secrets, now: int) -> list[Event]:
    timestamp, given = parse_signature(signatures.required(request, SIGNATURE))
    signatures.check_fresh(signatures.whole_number(timestamp, f"ts in {SIGNATURE}") * SECOND, now)
    signatures.check_match(
        map(signatures.from_hex, given), signatures.macs(secrets, message_of(timestamp, request.body))
    )
    return read(request, now)


def parse_signature(header: str) -> tuple[str, list[str]]:
    """`ts=<seconds>;h1=<hex>[;h1=...]`: while a secret is rotated Paddle sends one h1 for each."""
    return signatures.time_and_signatures(header, SIGNATURE, separator=";", time="ts", scheme=SCHEME)


def message_of(timestamp: str, body: bytes) -> bytes:
    return timestamp.encode() + b":" + body


def read(request: Request, _now: int) -> list[Event]:
    """`notification_id` is another for each destination, and `event_id` is not."""
    event = parse_object(request.body)
    return [
        Event(
            event_id=name_of(event.get("event_id"), "event_id"),
            event_type=name_of(event.get("event_type"), "event_type"),
            occurred_at=iso_time(event.get("occurred_at"), "occurred_at"),
            payload=event,
        )
    ]


def sign(request: Request, secret: str, now: int) -> Request:
    timestamp = str(now // SECOND)
    value = signatures.mac(secret.encode(), message_of(timestamp, request.body)).hex()
    return replace(request, headers={**request.headers, SIGNATURE.lower(): f"ts={timestamp};{SCHEME}={value}"})


SENDER = Sender(
    name="paddle",
    summary="Paddle Billing's notifications, signed with the destination's secret key",
    url="https://developer.paddle.com/webhooks",
    credential="secret key of the notification destination (pdl_ntfset_...)",
    unwrap=unwrap,
    read=read,
    sign=sign,
)
