"""Zuora callouts: a JSON body that an administrator wrote, with an HTTP Basic login that Zuora waits to be asked for.

https://docs.zuora.com/zuora-platform/extensibility/events-and-notifications/callout-templates/callout-template-overview
https://knowledgecenter.zuora.com/Central_Platform/Notifications/C_Configure_Callout_Notifications
"""

from collections.abc import Mapping
from typing import Any

from bridge.model import Event, Request
from bridge.payload import parse
from bridge.senders import basic, generic
from bridge.senders.base import Answer, Secrets, Sender

#: The same however often Zuora tries; Zuora-Request-Id is another one each time.
NOTIFICATION_ID = "Zuora-Notification-Id"

#: What a merge field without a value may become.
NOTHING = "null"


def unwrap(request: Request, secrets: Secrets, now: int, *, options: Mapping[str, Any]) -> list[Event]:
    basic.verify(request, secrets)
    return read(request, now, options=options)


def read(request: Request, now: int, *, options: Mapping[str, Any]) -> list[Event]:
    identity = {"event_id": f"{generic.HEADER}{NOTIFICATION_ID}"} if request.header(NOTIFICATION_ID) else {}
    return generic.read_body(with_nulls(parse(request.body)), request, now, {**identity, **options})


def with_nulls(value: Any) -> Any:
    """The same with null where Zuora wrote the text `null`."""
    if isinstance(value, dict):
        return {key: with_nulls(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [with_nulls(inner) for inner in value]
    return None if value == NOTHING else value


SENDER = Sender(
    name="zuora",
    summary="Zuora callouts, which log in with HTTP Basic once they are asked to",
    url="https://docs.zuora.com/zuora-platform/extensibility/events-and-notifications/callout-templates/callout-template-overview",
    credential="user:password of the callout's basic authentication",
    unwrap=unwrap,
    read=read,
    sign=basic.sign,
    check_secret=basic.check_secret,
    answer=Answer(b'{"success":true}'),
    options=generic.EventSchema,
    challenge=basic.CHALLENGE,
    undated="let the callout carry {{DataSource.Account.UpdatedDate}} or the like, and name it with options.event_time",
    weak="signs nothing, so whoever has the password can post anything: make it long and random, and serve HTTPS only;"
    " or let Zuora sign with HMAC, and use the sender hmac",
    kept_headers=("zuora-notification-id", "zuora-request-id"),
)
