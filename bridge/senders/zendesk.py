"""Zendesk: events that a webhook subscribes to, and bodies that administrators write for triggers and automations.

https://developer.zendesk.com/documentation/webhooks/verifying/
https://developer.zendesk.com/api-reference/webhooks/event-types/webhook-event-types/

An event tells of one attribute. Whichever it is, the path `changed.<attribute>` finds its new value.
"""

import base64
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bridge import times
from bridge.model import Event, Request
from bridge.payload import parse
from bridge.senders import generic, signatures
from bridge.senders.base import Secrets, Sender, digest_of, name_of
from bridge.senders.hmac import check_time
from bridge.senders.reading import iso_time
from bridge.times import SECOND

SIGNATURE = "X-Zendesk-Webhook-Signature"
TIMESTAMP = "X-Zendesk-Webhook-Signature-Timestamp"
#: The same for each try.
INVOCATION = "X-Zendesk-Webhook-Invocation-Id"

#: Signs the tests of webhooks that do not exist yet: anybody can read it in the documentation.
PUBLISHED_SECRET = "dGhpc19zZWNyZXRfaXNfZm9yX3Rlc3Rpbmdfb25seQ=="  # noqa: S105

#: zen:event-type:organization.name_changed
EVENT = "zen:event-type:"
_CHANGED = re.compile(r"\.(\w+)_changed$")


def unwrap(request: Request, secrets: Secrets, now: int, *, options: Mapping[str, Any]) -> list[Event]:
    given = signatures.required(request, SIGNATURE)
    check_time(request, TIMESTAMP, "iso", now)
    signatures.check_match([signatures.from_base64(given)], signatures.macs(secrets, message_of(request)))
    return read(request, now, options=options)


def message_of(request: Request) -> bytes:
    """The time as it is written in the header, and the body, with nothing between them."""
    return signatures.header_bytes(signatures.required(request, TIMESTAMP)) + request.body


def read(request: Request, now: int, *, options: Mapping[str, Any]) -> list[Event]:
    body = parse(request.body)
    if isinstance(body, dict) and isinstance(body.get("type"), str) and body["type"].startswith(EVENT):
        return [read_event(body)]
    invocation = {"event_id": generic.HEADER + INVOCATION} if request.header(INVOCATION) else {}
    return generic.read(request, now, options={**invocation, **options})


def read_event(event: dict[str, Any]) -> Event:
    return Event(
        event_id=name_of(event.get("id"), "id"),
        event_type=name_of(event["type"], "type"),
        occurred_at=iso_time(event.get("time"), "time"),
        payload={**event, "changed": changes_of(event)},
    )


def changes_of(event: Mapping[str, Any]) -> dict[str, Any]:
    """`{name: "Acme"}`. A custom field is known by its title and by its id."""
    attribute, detail = _CHANGED.search(event["type"]), event.get("event")
    if attribute is None or not isinstance(detail, dict) or "current" not in detail:
        return {}
    field = detail.get("custom_field")
    names = [field.get("title"), field.get("id")] if isinstance(field, dict) else [attribute[1]]
    return {str(name): detail["current"] for name in names if isinstance(name, str | int)}


def check_secret(secret: str, *, options: Mapping[str, Any]) -> str | None:
    known = secret == PUBLISHED_SECRET
    return "is the one that Zendesk publishes for tests: copy that of the webhook" if known else None


def sign(request: Request, secret: str, now: int, *, options: Mapping[str, Any]) -> Request:
    headers = {INVOCATION.lower(): digest_of(request.body), **request.headers}
    headers[TIMESTAMP.lower()] = times.to_iso(now // SECOND * SECOND).replace(".000000", "")
    value = signatures.mac(secret.encode(), message_of(replace(request, headers=headers)))
    return replace(request, headers={**headers, SIGNATURE.lower(): base64.b64encode(value).decode()})


SENDER = Sender(
    name="zendesk",
    summary="Zendesk's event subscriptions, and JSON from triggers and automations",
    url="https://developer.zendesk.com/documentation/webhooks/verifying/",
    credential="signing secret of the webhook",
    unwrap=unwrap,
    read=read,
    sign=sign,
    options=generic.EventSchema,
    check_secret=check_secret,
    undated="write it into the bodies of triggers and name its place with options.event_time",
    kept_headers=("x-zendesk-account-id", "x-zendesk-webhook-id", "x-zendesk-webhook-invocation-id"),
)
