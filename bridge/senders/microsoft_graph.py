"""Microsoft Graph: change notifications, and lifecycle notifications about their subscriptions.

https://learn.microsoft.com/graph/change-notifications-delivery-webhooks
https://learn.microsoft.com/graph/change-notifications-lifecycle-events
https://learn.microsoft.com/graph/api/resources/changenotification

Nothing is signed: each notification carries the clientState that its subscription was created with. One request may mix
notifications of several subscriptions, apps and tenants. Basic notifications say which resource changed, and no more;
encrypted content of rich ones is not read.
"""

import re
from dataclasses import replace
from typing import Any

import orjson

from bridge import times
from bridge.errors import NotThisShapeError, NotVerifiedError
from bridge.model import Event, Request
from bridge.payload import describe, parse_object
from bridge.senders import signatures
from bridge.senders.base import Answer, Secrets, Sender, bounded, digest_of, name_of, unnamed

STATE = "clientState"
TOKEN = "validationToken"  # noqa: S105 - the name of a parameter
#: Graph sends printable ASCII. Nothing else is repeated, or this URL would say whatever somebody lets it say.
_TOKEN = re.compile(r"[ -~]{1,2048}")

#: What tells versions of a resource apart. Which of them are there depends on the resource; some have none.
VERSIONS = ("@odata.etag", "sequenceNumber", "eventTime")

CONTENT = (
    "changeType",
    "lifecycleEvent",
    "resource",
    "resourceData.id",
    "resourceData.@odata",
    "resourceData.eventTime",
    "resourceData.sequenceNumber",
    "resourceData.organizationId",
    "subscriptionId",
    "subscriptionExpirationDateTime",
    "tenantId",
    "id",
)


def handshake(request: Request, **_: Any) -> Answer | None:
    """Before it creates a subscription, Graph wants to read the token from its own URL, decoded and as plain text."""
    token = request.query.get(TOKEN)
    if token is None:
        return None
    if not _TOKEN.fullmatch(token):
        raise NotThisShapeError(f"{TOKEN} must have 1 to 2048 printable ASCII characters")
    return Answer(token.encode(), "text/plain")


def unwrap(request: Request, secrets: Secrets, now: int) -> list[Event]:
    elements = elements_of(request)
    proven = [is_proven(element, secrets) for element in elements]
    if not any(proven):
        raise NotVerifiedError(f"no notification has the configured {STATE}: compare it with the subscription's")
    body = digest_of(request.body)
    return [
        read_element(element, number, body, now) if is_good else unproven(number, body)
        for number, (element, is_good) in enumerate(zip(elements, proven, strict=True))
    ]


def read(request: Request, now: int) -> list[Event]:
    body = digest_of(request.body)
    return [read_element(element, number, body, now) for number, element in enumerate(elements_of(request))]


def elements_of(request: Request) -> list[Any]:
    elements = parse_object(request.body).get("value")
    if not isinstance(elements, list):
        raise NotThisShapeError(f"value is {describe(elements)}: a list of notifications was expected")
    return bounded(elements)


def is_proven(element: Any, secrets: Secrets) -> bool:
    given = element.get(STATE) if isinstance(element, dict) else None
    return isinstance(given, str) and signatures.is_secret(given.encode(), secrets)


def unproven(number: int, body: str) -> Event:
    """Says that there was something, and nothing of what it was. The others are not to blame."""
    problem = f"value.{number} does not have the configured {STATE}: it was not kept"
    return Event.unreadable(digest_of(f"{number}-{body}".encode()), None, problem)


def read_element(element: Any, number: int, body: str, now: int) -> Event:
    """`body`: the digest of the whole. A bad one is kept as such: an error would bring all of them again."""
    if isinstance(element, dict):
        element = {name: value for name, value in element.items() if name != STATE}
    try:
        return read_notification(element, number, now)
    except NotThisShapeError as error:
        return Event.unreadable(digest_of(f"{number}-{body}".encode()), element, str(error))


def read_notification(element: Any, number: int, now: int) -> Event:
    if not isinstance(element, dict):
        raise NotThisShapeError(f"the notification is {describe(element)}: an object was expected")
    given = element.get("resourceData")
    resource = given if isinstance(given, dict) else {}
    return Event(
        event_id=event_id_of(element, resource, number, now),
        event_type=event_type_of(element, resource),
        occurred_at=read_time(resource.get("eventTime")),
        payload=element,
    )


def event_id_of(element: dict[str, Any], resource: dict[str, Any], number: int, now: int) -> str:
    """Its `id` is optional. Without that and a version, two changes of one resource look the same: none is dropped."""
    subscription = name_of(element.get("subscriptionId"), "subscriptionId")
    if element.get("id"):
        return name_of(f"{subscription}:{name_of(element['id'], 'id')}", "id")
    versions = {name: resource[name] for name in VERSIONS if name in resource}
    if versions:
        return digest_of(orjson.dumps([subscription, element.get("changeType"), element.get("resource"), versions]))
    return unnamed(b"%d" % number + orjson.dumps(element), None, now)


def event_type_of(element: dict[str, Any], resource: dict[str, Any]) -> str:
    """`#Microsoft.Graph.User` and updated -> user.updated"""
    if "lifecycleEvent" in element:
        return name_of(f"lifecycle.{name_of(element['lifecycleEvent'], 'lifecycleEvent')}", "lifecycleEvent")
    kind = resource.get("@odata.type")
    name = kind.rpartition(".")[2] if isinstance(kind, str) else "resource"
    change = name_of(element.get("changeType"), "changeType")
    return name_of(f"{name[:1].lower()}{name[1:]}.{change}", "@odata.type")


def read_time(given: Any) -> int | None:
    """Directory objects may say when they changed; other resources do not."""
    try:
        return times.from_iso(given) if isinstance(given, str) else None
    except ValueError as error:
        raise NotThisShapeError(f"resourceData.eventTime is {error}") from None


def sign(request: Request, secret: str, _now: int) -> Request:
    """With the clientState in every notification. What holds none is left as it is."""
    try:
        body = parse_object(request.body)
        elements = elements_of(request)
    except NotThisShapeError:
        return request
    proven = [{**element, STATE: secret} if isinstance(element, dict) else element for element in elements]
    return replace(request, body=orjson.dumps({**body, "value": proven}))


SENDER = Sender(
    name="microsoft-graph",
    summary="Microsoft Graph change notifications: ids of what changed, each with the clientState of its subscription",
    url="https://learn.microsoft.com/graph/change-notifications-delivery-webhooks",
    credential="clientState of the subscriptions",
    unwrap=unwrap,
    read=read,
    sign=sign,
    handshake=handshake,
    undated="most notifications have no time at all",
    weak="signs nothing, so whoever has the clientState can post anything: make it long and random",
    thin={"*": CONTENT},
)
