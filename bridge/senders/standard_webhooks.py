"""Standard Webhooks, and Svix, whose headers only have another prefix.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
from dataclasses import replace

from bridge import times
from bridge.errors import NotThisShapeError, NotVerifiedError, SignError
from bridge.model import Event, Request
from bridge.payload import parse_object
from bridge.senders import signatures
from bridge.senders.base import Secrets, Sender, digest_of, name_of
from bridge.times import SECOND

PREFIXES = ("webhook", "svix")
SCHEME = "v1"


def unwrap(request: Request, secrets: Secrets, now: int) -> list[Event]:
    prefix = prefix_of(request)
    event_id = signatures.required(request, f"{prefix}-id")
    timestamp = signatures.required(request, f"{prefix}-timestamp")
    given = signatures.required(request, f"{prefix}-signature")
    signatures.check_fresh(signatures.whole_number(timestamp, f"{prefix}-timestamp") * SECOND, now)
    signatures.check_match(
        (signatures.from_base64(value) for scheme, _, value in map(split, given.split()) if scheme == SCHEME),
        (signature(key, event_id, timestamp, request.body) for key in map(key_of, secrets) if key),
    )
    return [event_of(request, event_id)]


def prefix_of(request: Request) -> str:
    for prefix in PREFIXES:
        if request.header(f"{prefix}-signature"):
            return prefix
    raise NotVerifiedError("the header webhook-signature is missing (or svix-signature)")


def split(entry: str) -> tuple[str, str, str]:
    return entry.partition(",")


def key_of(secret: str) -> bytes | None:
    """The key is what `whsec_<base64>` encodes, unlike Stripe's, which is the text itself."""
    return signatures.from_base64(secret.removeprefix("whsec_"))


def check_secret(secret: str) -> str | None:
    return None if key_of(secret) else "is not whsec_ and base64: copy the whole signing secret"


def signature(key: bytes, event_id: str, timestamp: str, body: bytes) -> bytes:
    return signatures.mac(key, signatures.header_bytes(f"{event_id}.{timestamp}.") + body)


def read(request: Request, _now: int) -> list[Event]:
    event_id = next((request.header(f"{prefix}-id") for prefix in PREFIXES if request.header(f"{prefix}-id")), None)
    return [event_of(request, event_id)]


def event_of(request: Request, event_id: str | None) -> Event:
    payload = parse_object(request.body)
    return Event(
        event_id=name_of(event_id or digest_of(request.body), "webhook-id"),
        event_type=name_of(payload.get("type", "untyped"), "type"),
        occurred_at=read_time(payload.get("timestamp")),
        payload=payload,
    )


def read_time(timestamp: object) -> int | None:
    """The body's own time. The header's is when this attempt was made, which would turn repeats into news."""
    if not isinstance(timestamp, str):
        return None
    try:
        return times.from_iso(timestamp)
    except ValueError as error:
        raise NotThisShapeError(f"timestamp is {error}") from None


def sign(request: Request, secret: str, now: int) -> Request:
    event_id = f"msg_{digest_of(request.body)}"
    timestamp = str(now // SECOND)
    key = key_of(secret)
    if not key:
        raise SignError(f"the secret {check_secret(secret)}")
    value = base64.b64encode(signature(key, event_id, timestamp, request.body)).decode()
    headers = {
        "webhook-id": event_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": f"{SCHEME},{value}",
    }
    return replace(request, headers={**request.headers, **headers})


SENDER = Sender(
    name="standard-webhooks",
    summary="Standard Webhooks and Svix (v1 signatures)",
    url="https://www.standardwebhooks.com",
    credential="signing secret (whsec_...)",
    unwrap=unwrap,
    read=read,
    sign=sign,
    check_secret=check_secret,
    undated="let the body carry `timestamp`, as the specification recommends",
    kept_headers=("webhook-id", "svix-id"),
)
