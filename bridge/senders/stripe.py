"""Stripe: one JSON event a request, signed with its time.

https://docs.stripe.com/webhooks#verify-manually
"""

from dataclasses import replace
from typing import Any

from bridge import times
from bridge.errors import NotThisShapeError
from bridge.model import Event, Request
from bridge.payload import describe, parse_object
from bridge.senders import signatures
from bridge.senders.base import Secrets, Sender, name_of
from bridge.times import SECOND

SIGNATURE = "Stripe-Signature"
#: Older schemes, such as v0, prove nothing about live events.
SCHEME = "v1"
#: What is in a thin event: https://docs.stripe.com/event-destinations#events-overview
THIN = ("id", "object", "type", "created", "livemode", "context", "related_object", "reason", "changes")


def unwrap(request: Request, secrets: Secrets, now: int) -> list[Event]:
    timestamp, given = parse_signature(signatures.required(request, SIGNATURE))
    signatures.check_fresh(signatures.whole_number(timestamp, f"t in {SIGNATURE}") * SECOND, now)
    signatures.check_match(
        map(signatures.from_hex, given), (signature(secret, timestamp, request.body) for secret in secrets if secret)
    )
    return read(request, now)


def parse_signature(header: str) -> tuple[str, list[str]]:
    """`t=<seconds>,v1=<hex>[,v1=...]`: while a secret is rolled Stripe sends one v1 for each."""
    return signatures.time_and_signatures(header, SIGNATURE, separator=",", time="t", scheme=SCHEME)


def signature(secret: str, timestamp: str, body: bytes) -> bytes:
    """The key is the whole secret as text, `whsec_` included."""
    return signatures.mac(secret.encode(), timestamp.encode() + b"." + body)


def read(request: Request, _now: int) -> list[Event]:
    event = parse_object(request.body)
    return [
        Event(
            event_id=name_of(event.get("id"), "id"),
            event_type=name_of(event.get("type"), "type"),
            occurred_at=read_time(event.get("created")),
            payload=event,
        )
    ]


def read_time(created: Any) -> int:
    """Seconds in snapshot events, ISO text in thin ones (https://docs.stripe.com/event-destinations)."""
    try:
        if isinstance(created, int) and not isinstance(created, bool):
            return times.from_epoch(created)
        if isinstance(created, str):
            return times.from_iso(created)
    except ValueError as error:
        raise NotThisShapeError(f"created is {error}") from None
    raise NotThisShapeError(f"created is {describe(created)}: seconds since 1970 were expected")


def sign(request: Request, secret: str, now: int) -> Request:
    timestamp = str(now // SECOND)
    value = f"t={timestamp},{SCHEME}={signature(secret, timestamp, request.body).hex()}"
    return replace(request, headers={**request.headers, SIGNATURE.lower(): value})


SENDER = Sender(
    name="stripe",
    summary="Stripe events, signed with the endpoint's secret",
    url="https://docs.stripe.com/webhooks",
    credential="endpoint signing secret (whsec_...)",
    unwrap=unwrap,
    read=read,
    sign=sign,
    # Of both API versions: https://docs.stripe.com/api/v2/core/events/event-types
    thin=dict.fromkeys(("v1.*", "v2.*"), THIN),
)
