"""Intercom: one notification a request, its body signed with HMAC-SHA1.

https://developers.intercom.com/docs/webhooks/webhook-notifications
"""

from dataclasses import replace

from bridge.errors import NotVerifiedError
from bridge.model import Event, Request
from bridge.payload import parse_object
from bridge.senders import signatures
from bridge.senders.base import Secrets, Sender, name_of
from bridge.senders.reading import epoch_time

SIGNATURE = "X-Hub-Signature"
PREFIX = "sha1="
ALGORITHM = "sha1"

#: Sent whenever a webhook is saved. It is signed, tells nothing, and has no id.
PING = "ping"


def unwrap(request: Request, secrets: Secrets, now: int) -> list[Event]:
    given = signatures.required(request, SIGNATURE)
    if not given.startswith(PREFIX):
        raise NotVerifiedError(f"{SIGNATURE} must begin with {PREFIX}")
    signatures.check_match(
        [signatures.from_hex(given.removeprefix(PREFIX))], signatures.macs(secrets, request.body, ALGORITHM)
    )
    return read(request, now)


def read(request: Request, _now: int) -> list[Event]:
    notification = parse_object(request.body)
    topic = name_of(notification.get("topic"), "topic")
    if topic == PING:
        return []
    return [
        Event(
            event_id=name_of(notification.get("id"), "id"),
            event_type=topic,
            occurred_at=epoch_time(notification.get("created_at"), "created_at"),
            payload=notification,
        )
    ]


def sign(request: Request, secret: str, _now: int) -> Request:
    value = signatures.mac(secret.encode(), request.body, ALGORITHM).hex()
    return replace(request, headers={**request.headers, SIGNATURE.lower(): PREFIX + value})


SENDER = Sender(
    name="intercom",
    summary="Intercom's notifications, signed with the client secret of the app",
    url="https://developers.intercom.com/docs/webhooks/webhook-notifications",
    credential="client secret of the app",
    unwrap=unwrap,
    read=read,
    sign=sign,
)
