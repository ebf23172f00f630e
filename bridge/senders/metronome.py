"""Metronome's own webhooks: one notification a request, signed with its time.

https://docs.metronome.com/guides/platform-configuration/setup-webhooks
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bridge.model import Event, Request
from bridge.payload import MISSING, parse_object, walk
from bridge.senders import signatures
from bridge.senders.base import Secrets, Sender, digest_of, name_of
from bridge.senders.hmac import check_time, written_time
from bridge.senders.reading import iso_time

SIGNATURE = "Metronome-Webhook-Signature"
#: When this try was made. `Date` says the same, but proxies write over it.
DATE = "X-Metronome-Date"
FORM = "http-date"

#: Where notifications say when something happened: system notifications, all that have properties, finalized invoices.
TIMES = (("timestamp",), ("properties", "timestamp"), ("properties", "invoice_finalized_date"))
#: Only in offset notifications. Their timestamp is that of what they announce, often long before it happens.
OFFSET = "offset_id"


def unwrap(request: Request, secrets: Secrets, now: int) -> list[Event]:
    given = signatures.required(request, SIGNATURE)
    check_time(request, DATE, FORM, now)
    signatures.check_match([signatures.from_hex(given)], signatures.macs(secrets, message_of(request)))
    return read(request, now)


def message_of(request: Request) -> bytes:
    """The time as it is written in the header, a line feed, and the body."""
    return signatures.header_bytes(signatures.required(request, DATE)) + b"\n" + request.body


def read(request: Request, _now: int) -> list[Event]:
    """The id of a threshold notification may be that of the threshold, which many customers cross many times."""
    notification = parse_object(request.body)
    identity = name_of(notification.get("id"), "id")
    return [
        Event(
            event_id=name_of(f"{identity}:{digest_of(request.body)}", "id"),
            event_type=name_of(notification.get("type"), "type"),
            occurred_at=read_time(notification),
            payload=notification,
        )
    ]


def read_time(notification: Mapping[str, Any]) -> int | None:
    if OFFSET in notification:
        return None
    given = ((path, walk(notification, path)) for path in TIMES)
    told = next(((path, value) for path, value in given if value is not None and value is not MISSING), None)
    return iso_time(told[1], ".".join(told[0])) if told else None


def sign(request: Request, secret: str, now: int) -> Request:
    dated = replace(request, headers={**request.headers, DATE.lower(): written_time(now, FORM)})
    value = signatures.mac(secret.encode(), message_of(dated)).hex()
    return replace(dated, headers={**dated.headers, SIGNATURE.lower(): value})


SENDER = Sender(
    name="metronome",
    summary="Metronome's own notifications: thresholds, contracts, commits, payments",
    url="https://docs.metronome.com/guides/platform-configuration/setup-webhooks",
    credential="secret of the webhook",
    unwrap=unwrap,
    read=read,
    sign=sign,
    undated="map notifications that carry a timestamp",
)
