"""GitHub: one event a request, its body signed; what kind of event it is stands in a header.

https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries
https://docs.github.com/webhooks/webhook-events-and-payloads
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import unquote_to_bytes

from bridge.errors import NotThisShapeError, NotVerifiedError
from bridge.model import Event, Request
from bridge.payload import parse_object
from bridge.senders import signatures
from bridge.senders.base import Secrets, Sender, digest_of, name_of, unnamed

SIGNATURE = "X-Hub-Signature-256"
#: SHA-1, for receivers from before 2020. It comes beside the other and is not looked at.
OLD_SIGNATURE = "X-Hub-Signature"
PREFIX = "sha256="

EVENT = "X-GitHub-Event"
DELIVERY = "X-GitHub-Delivery"

#: How a body begins if the webhook's content type is application/x-www-form-urlencoded. JSON never does.
FORM = b"payload="


def unwrap(request: Request, secrets: Secrets, now: int) -> list[Event]:
    if request.header(OLD_SIGNATURE) and not request.header(SIGNATURE):
        raise NotVerifiedError(f"{OLD_SIGNATURE} is SHA-1: send {SIGNATURE}, which GitHub sends beside it")
    given = signatures.required(request, SIGNATURE)
    if not given.startswith(PREFIX):
        raise NotVerifiedError(f"{SIGNATURE} must begin with {PREFIX}")
    signatures.check_match([signatures.from_hex(given.removeprefix(PREFIX))], signatures.macs(secrets, request.body))
    return read(request, now)


def read(request: Request, now: int) -> list[Event]:
    event = parse_object(json_of(request.body))
    return [
        Event(
            event_id=name_of(request.header(DELIVERY) or unnamed(request.body, None, now), DELIVERY),
            event_type=type_of(request, event),
            payload=event,
        )
    ]


def json_of(body: bytes) -> bytes:
    if not body.startswith(FORM):
        return body
    value, _, _ = body.removeprefix(FORM).partition(b"&")
    return unquote_to_bytes(value.replace(b"+", b" "))


def type_of(request: Request, event: Mapping[str, Any]) -> str:
    """`marketplace_purchase.changed`; `push`, which has no action."""
    kind = request.header(EVENT)
    if not kind:
        raise NotThisShapeError(f"the header {EVENT} is missing: it says what kind of event this is")
    action = event.get("action")
    return name_of(kind if action is None else f"{kind}.{name_of(action, 'action')}", f"{EVENT} and action")


def sign(request: Request, secret: str, _now: int) -> Request:
    value = signatures.mac(secret.encode(), request.body)
    headers = {DELIVERY.lower(): digest_of(request.body), **request.headers}
    return replace(request, headers={**headers, SIGNATURE.lower(): PREFIX + value.hex()})


SENDER = Sender(
    name="github",
    summary="GitHub's webhooks of repositories, organizations, apps and the Marketplace",
    url="https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries",
    credential="webhook secret",
    unwrap=unwrap,
    read=read,
    sign=sign,
    undated="map events whose payload has a time, such as effective_date",
    weak=(
        f"signs the body and no header: under another {DELIVERY} a captured request looks new, unless occurred_at"
        " takes the time from the body"
    ),
    kept_headers=("x-github-event", "x-github-hook-id", "x-github-hook-installation-target-id"),
)
