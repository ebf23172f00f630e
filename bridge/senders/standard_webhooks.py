"""Standard Webhooks, and Svix, whose headers only have another prefix.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md

Signatures are v1, made with a shared secret (whsec_), or v1a, made with a private key (whsk_) and verified with its
public one (whpk_). A public key proves nothing as a shared secret: everybody may know it.
"""

import base64
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from bridge.errors import NotThisShapeError, NotVerifiedError, SignError
from bridge.model import Event, Request
from bridge.payload import parse_object
from bridge.senders import signatures
from bridge.senders.base import Secrets, Sender, digest_of, name_of
from bridge.senders.reading import any_time
from bridge.times import SECOND

PREFIXES = ("webhook", "svix")
SHARED, PUBLIC, PRIVATE = "whsec_", "whpk_", "whsk_"
#: Where the body says when it happened.
TIMES = ("timestamp", "created_at")
#: Of an Ed25519 key. A private one may have the public one behind it.
KEY_LENGTH = 32


def unwrap(request: Request, secrets: Secrets, now: int) -> list[Event]:
    prefix = prefix_of(request)
    event_id = signatures.required(request, f"{prefix}-id")
    timestamp = signatures.required(request, f"{prefix}-timestamp")
    given = signatures.required(request, f"{prefix}-signature")
    signatures.check_fresh(signatures.whole_number(timestamp, f"{prefix}-timestamp") * SECOND, now)
    message = message_of(event_id, timestamp, request.body)
    shared = (signatures.mac(key, message) for key in map(shared_key, secrets) if key)
    public = [key for key in map(public_key, secrets) if key]
    signatures.check_any(
        signatures.matches(of_scheme("v1", given), shared)
        + signatures.ed25519_matches(of_scheme("v1a", given), public, message)
    )
    return [event_of(request, event_id)]


def prefix_of(request: Request) -> str:
    for prefix in PREFIXES:
        if request.header(f"{prefix}-signature"):
            return prefix
    raise NotVerifiedError("the header webhook-signature is missing (or svix-signature)")


def message_of(event_id: str, timestamp: str, body: bytes) -> bytes:
    return signatures.header_bytes(f"{event_id}.{timestamp}.") + body


def of_scheme(scheme: str, header: str) -> Iterator[bytes | None]:
    """The header is `<scheme>,<base64>`, several of them with spaces between: one for each key while one is rotated."""
    for entry in header.split():
        name, _, value = entry.partition(",")
        if name == scheme:
            yield signatures.from_base64(value)


def shared_key(secret: str) -> bytes | None:
    """The key is what `whsec_<base64>` encodes, unlike Stripe's, which is the text itself."""
    return signatures.from_base64(secret.removeprefix(SHARED))


def public_key(secret: str) -> Ed25519PublicKey | None:
    key = decoded(secret, PUBLIC)
    return Ed25519PublicKey.from_public_bytes(key) if len(key) == KEY_LENGTH else None


def private_key(secret: str) -> Ed25519PrivateKey | None:
    key = decoded(secret, PRIVATE)
    known = len(key) in (KEY_LENGTH, 2 * KEY_LENGTH)
    return Ed25519PrivateKey.from_private_bytes(key[:KEY_LENGTH]) if known else None


def decoded(secret: str, prefix: str) -> bytes:
    """What stands behind the prefix; nothing if the secret is of another kind."""
    return (signatures.from_base64(secret.removeprefix(prefix)) if secret.startswith(prefix) else None) or b""


def check_secret(secret: str) -> str | None:
    if secret.startswith(PRIVATE):
        return f"is the private key, which only the sender should have: take the public one ({PUBLIC}...)"
    if secret.startswith(PUBLIC):
        return None if public_key(secret) else f"is not {PUBLIC} and the base64 of {KEY_LENGTH} bytes: copy all of it"
    return None if shared_key(secret) else f"is not {SHARED} and base64: copy the whole signing secret"


def read(request: Request, _now: int) -> list[Event]:
    event_id = next((request.header(f"{prefix}-id") for prefix in PREFIXES if request.header(f"{prefix}-id")), None)
    return [event_of(request, event_id)]


def event_of(request: Request, event_id: str | None) -> Event:
    payload = parse_object(request.body)
    return Event(
        event_id=name_of(event_id or digest_of(request.body), "webhook-id"),
        event_type=name_of(payload.get("type", "untyped"), "type"),
        occurred_at=read_time(payload),
        payload=payload,
    )


def read_time(payload: Mapping[str, Any]) -> int | None:
    """The body's own time. The header's is when this attempt was made, which would turn repeats into news.

    The specification has ISO text; others send seconds or milliseconds, or call it `created_at`. Clerk and Resend do:
    https://clerk.com/docs/guides/development/webhooks/overview, https://resend.com/docs/webhooks/introduction
    """
    timestamp, created_at = (payload.get(name) for name in TIMES)
    if is_time(timestamp):
        return any_time(timestamp, TIMES[0])
    try:
        return any_time(created_at, TIMES[1]) if is_time(created_at) else None
    except NotThisShapeError:
        # It may be something of the vendor's own.
        return None


def is_time(value: Any) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool)


def sign(request: Request, secret: str, now: int) -> Request:
    """With a shared secret (v1) or a private key (v1a)."""
    event_id = f"msg_{digest_of(request.body)}"
    timestamp = str(now // SECOND)
    scheme, value = signature(secret, message_of(event_id, timestamp, request.body))
    headers = {
        "webhook-id": event_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": f"{scheme},{base64.b64encode(value).decode()}",
    }
    return replace(request, headers={**request.headers, **headers})


def signature(secret: str, message: bytes) -> tuple[str, bytes]:
    if shared := shared_key(secret):
        return "v1", signatures.mac(shared, message)
    if private := private_key(secret):
        return "v1a", private.sign(message)
    raise SignError(f"this secret does not sign: {SHARED} or {PRIVATE} and base64 does")


SENDER = Sender(
    name="standard-webhooks",
    summary="Standard Webhooks and Svix (signatures v1 and v1a)",
    url="https://www.standardwebhooks.com",
    credential="signing secret (whsec_...) or public key (whpk_...)",
    unwrap=unwrap,
    read=read,
    sign=sign,
    check_secret=check_secret,
    undated="let the body carry `timestamp`, as the specification recommends",
    kept_headers=("webhook-id", "svix-id"),
)
