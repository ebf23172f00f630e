"""Shopify: one JSON object a request, its body signed; topic, ids and time stand in headers, which are not.

https://shopify.dev/docs/apps/build/webhooks/verify-deliveries
https://shopify.dev/docs/apps/build/webhooks/delivery-structure

The time is taken from the body where the body has one: a captured request then stays within the second that it had,
whatever is written into its headers.
"""

import base64
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bridge.errors import NotThisShapeError, NotVerifiedError
from bridge.model import Event, Request
from bridge.payload import parse_object
from bridge.senders import signatures
from bridge.senders.base import Secrets, Sender, digest_of, joined, name_of, unnamed
from bridge.senders.reading import iso_time
from bridge.times import SECOND

#: The second is what Shopify's Events use: https://shopify.dev/docs/apps/build/events/delivery-structure
PREFIXES = ("X-Shopify-", "Shopify-")
SIGNATURE = "Hmac-SHA256"
TOPIC = "Topic"
#: The same for each try of one delivery. Event-Id is shared by all deliveries that one action of the merchant causes.
DELIVERY = "Webhook-Id"
EVENT = "Event-Id"
TRIGGERED = "Triggered-At"

#: Topics about the end of something: its `updated_at` is older than that, if it is there at all.
ENDINGS = ("/delete", "/uninstalled")


def unwrap(request: Request, secrets: Secrets, now: int) -> list[Event]:
    given = header(request, SIGNATURE)
    if not given:
        raise NotVerifiedError(f"the header {PREFIXES[0]}{SIGNATURE} is missing")
    signatures.check_match([signatures.from_base64(given)], signatures.macs(secrets, request.body))
    return read(request, now)


def header(request: Request, name: str) -> str | None:
    return next((value for prefix in PREFIXES if (value := request.header(prefix + name))), None)


def read(request: Request, now: int) -> list[Event]:
    body = parse_object(request.body)
    topic = header(request, TOPIC)
    if not topic:
        raise NotThisShapeError(f"the header {PREFIXES[0]}{TOPIC} is missing: it says what this is about")
    changed_at = None if topic.endswith(ENDINGS) else read_change(body)
    return [
        Event(
            event_id=name_of(id_of(request, topic, changed_at, now), f"{PREFIXES[0]}{DELIVERY}"),
            event_type=name_of(topic, f"{PREFIXES[0]}{TOPIC}"),
            occurred_at=time_of(request, changed_at),
            payload=body,
        )
    ]


def read_change(body: Mapping[str, Any]) -> int | None:
    """`updated_at` of the object, or of the only thing in it: `app_subscription` wraps what it is about."""
    only = next(iter(body.values())) if len(body) == 1 else None
    given = (only if isinstance(only, dict) else body).get("updated_at")
    return None if given is None else iso_time(given, "updated_at")


def id_of(request: Request, topic: str, changed_at: int | None, now: int) -> str:
    """Shopify's id of the delivery, and with it what was said of the object, if it tells when it was changed.

    One object can be as it was before within the second that `updated_at` tells: only the delivery differs then.
    """
    delivery = header(request, DELIVERY) or header(request, EVENT)
    if changed_at is None:
        return delivery or unnamed(request.body, None, now)
    return joined([topic, digest_of(request.body), *([delivery] if delivery else [])])


def time_of(request: Request, changed_at: int | None) -> int | None:
    """`updated_at` has whole seconds; which of two changes within one came first is all that the header may say."""
    given = header(request, TRIGGERED)
    triggered_at = iso_time(given, f"{PREFIXES[0]}{TRIGGERED}") if given else None
    if changed_at is None or triggered_at is None:
        return triggered_at if changed_at is None else changed_at
    return min(max(triggered_at, changed_at), changed_at + SECOND - 1)


def sign(request: Request, secret: str, _now: int) -> Request:
    value = base64.b64encode(signatures.mac(secret.encode(), request.body)).decode()
    kept = {name: given for name, given in request.headers.items() if name != f"{PREFIXES[1]}{SIGNATURE}".lower()}
    return replace(request, headers={**kept, f"{PREFIXES[0]}{SIGNATURE}".lower(): value})


SENDER = Sender(
    name="shopify",
    summary="Shopify's webhooks, signed with the client secret of the app",
    url="https://shopify.dev/docs/apps/build/webhooks",
    credential="client secret of the app, or the signing secret of the shop's notifications",
    unwrap=unwrap,
    read=read,
    sign=sign,
    weak=(
        "signs the body and no header: a captured request can come again under another topic and as a new event, of"
        " the same second if the body has updated_at, else of any time; keep updated_at among include_fields"
    ),
    kept_headers=(
        "x-shopify-shop-domain",
        "x-shopify-event-id",
        "x-shopify-webhook-id",
        "x-shopify-api-version",
        "x-shopify-test",
    ),
)
