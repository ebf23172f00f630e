"""HubSpot: batches from the Webhooks API and whole objects from workflows, under three kinds of signature.

https://developers.hubspot.com/docs/apps/legacy-apps/authentication/validating-requests
https://developers.hubspot.com/docs/api-reference/webhooks-webhooks-v3/guide
https://knowledge.hubspot.com/workflows/how-do-i-use-webhooks-with-hubspot-workflows

Both shapes are made to look alike: whatever HubSpot sent, the path `properties.tier` finds the property's value.
"""

import base64
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import orjson

from bridge.errors import NotThisShapeError, NotVerifiedError, SignError
from bridge.model import Event, Request
from bridge.payload import describe, parse
from bridge.senders import signatures
from bridge.senders.base import Secrets, Sender, bounded, digest_of, joined, name_of, unnamed
from bridge.senders.reading import epoch_time
from bridge.times import MILLISECOND

SIGNATURE = "X-HubSpot-Signature"
VERSION = "X-HubSpot-Signature-Version"
SIGNATURE_V3 = "X-HubSpot-Signature-v3"
TIMESTAMP = "X-HubSpot-Request-Timestamp"

#: HubSpot signs the URL with these twelve sequences decoded, and no other.
DECODED = {
    "%3A": ":",
    "%2F": "/",
    "%3F": "?",
    "%40": "@",
    "%21": "!",
    "%24": "$",
    "%27": "'",
    "%28": "(",
    "%29": ")",
    "%2A": "*",
    "%2C": ",",
    "%3B": ";",
}
_DECODABLE = re.compile("|".join(DECODED), re.IGNORECASE)

#: https://developers.hubspot.com/docs/guides/crm/understanding-the-crm#object-type-ids
OBJECTS = {"0-1": "contact", "0-2": "company", "0-3": "deal", "0-5": "ticket"}

#: How an event of the Webhooks API says what it is: https://developers.hubspot.com/docs/api-reference/webhooks-webhooks-v3/guide
TYPES = {"subscriptionId", "subscriptionType", "eventType"}

#: When an object was last changed: the first is that of contacts.
CHANGED = ("lastmodifieddate", "hs_lastmodifieddate")

#: What identifies an event of the Webhooks API: its eventId alone is not unique, and attemptNumber changes.
IDENTITY = ("portalId", "subscriptionId", "objectId", "eventId", "occurredAt", "propertyName")
#: What else may tell one event from another, where it is there. An association comes as two events, one for each end;
#: where it is generic its type is a number of a category. A merge has no objectId.
MORE = (
    *("associationType", "associationTypeId", "associationCategory", "fromObjectTypeId", "fromObjectId"),
    *("toObjectTypeId", "toObjectId", "associationRemoved", "isPrimaryAssociation"),
    *("primaryObjectId", "mergedObjectIds", "newObjectId", "messageId"),
)
FLAGS = ("associationRemoved", "isPrimaryAssociation")
#: Where the object stands that an event is about, and its type.
ABOUT = {
    "objectId": ("primaryObjectId", "fromObjectId", "canonical-vid", "vid"),
    "objectTypeId": ("fromObjectTypeId",),
    "portalId": ("portal-id",),
}


def unwrap(request: Request, secrets: Secrets, now: int) -> list[Event]:
    if request.header(SIGNATURE_V3):
        verify_v3(request, secrets, now)
    else:
        verify_v1_or_v2(request, secrets)
    return read(request, now)


def verify_v3(request: Request, secrets: Secrets, now: int) -> None:
    """HMAC of method, URL, body and time. It comes beside an older signature, which it overrules."""
    timestamp = signatures.required(request, TIMESTAMP)
    signatures.check_fresh(signatures.whole_number(timestamp, TIMESTAMP) * MILLISECOND, now)
    signatures.check_match(
        [signatures.from_base64(signatures.required(request, SIGNATURE_V3))],
        (signature_v3(secret, request, url, timestamp) for secret in secrets if secret for url in urls(request)),
    )


def signature_v3(secret: str, request: Request, url: str, timestamp: str) -> bytes:
    message = b"".join((request.method.encode(), url.encode(), request.body, timestamp.encode()))
    return signatures.mac(secret.encode(), message)


def verify_v1_or_v2(request: Request, secrets: Secrets) -> None:
    """A plain hash that begins with the secret: v1 of the body, v2 of method, URL and body."""
    given = signatures.from_hex(signatures.required(request, SIGNATURE))
    version = signatures.required(request, VERSION)
    if version not in ("v1", "v2"):
        raise NotVerifiedError(f"{VERSION} must be v1 or v2")
    calls = [""] if version == "v1" else [request.method + url for url in urls(request)]
    signatures.check_match(
        [given],
        (signatures.sha256((secret + call).encode() + request.body) for secret in secrets if secret for call in calls),
    )


def urls(request: Request) -> Iterator[str]:
    """The public URL as HubSpot signs it, and as its own client libraries do, which decode nothing."""
    for url in request.urls:
        yield _DECODABLE.sub(lambda match: DECODED[match.group().upper()], url)
        yield url


def read(request: Request, now: int) -> list[Event]:
    body = parse(request.body)
    if isinstance(body, list):
        return [read_element(element) for element in bounded(body)]
    if not isinstance(body, dict):
        raise NotThisShapeError(f"the body is {describe(body)}: a list of events or one object was expected")
    if not TYPES.isdisjoint(body):
        return [read_element(body)]
    return [read_workflow(body, request.body, now)]


def read_element(element: Any) -> Event:
    """One event of a batch. A bad one is kept as such: an error would bring the whole batch again, for a day."""
    try:
        return read_api_event(element)
    except NotThisShapeError as error:
        return Event.unreadable(digest_of(orjson.dumps(element)), element, str(error))


def read_api_event(element: Any) -> Event:
    if not isinstance(element, dict):
        raise NotThisShapeError(f"the element is {describe(element)}: an object was expected")
    name = element.get("propertyName")
    return Event(
        event_id=joined(identity_of(element)),
        event_type=name_of(element.get("subscriptionType", element.get("eventType")), "subscriptionType"),
        occurred_at=epoch_time(element.get("occurredAt"), "occurredAt", MILLISECOND),
        payload={
            **about(element),
            **element,
            "properties": {name: element.get("propertyValue")} if isinstance(name, str) else {},
        },
    )


def identity_of(element: Mapping[str, Any]) -> list[str]:
    """What tells it from other events, and is the same for each attempt."""
    parts = [part_of(element.get(key, "-"), key) for key in IDENTITY]
    parts += [part_of(element[key], key) for key in MORE if element.get(key) is not None]
    if element.get("eventId") is None:
        same = {key: value for key, value in element.items() if key != "attemptNumber"}
        parts.append(digest_of(orjson.dumps(same, option=orjson.OPT_SORT_KEYS)))
    return parts


def part_of(value: Any, key: str) -> str:
    if key == "mergedObjectIds" and isinstance(value, list):
        return "+".join(name_of(one, key) for one in value)
    if key in FLAGS and isinstance(value, bool):
        return str(value)
    return "-" if value is None else name_of(value, key)


def about(body: Mapping[str, Any]) -> dict[str, Any]:
    """The object under the name that most events have for it."""
    found = {name: next((body[key] for key in keys if body.get(key) is not None), None) for name, keys in ABOUT.items()}
    return {name: value for name, value in found.items() if value is not None}


def read_workflow(body: dict[str, Any], raw: bytes, now: int) -> Event:
    """The object as it is, with `properties.<name>.value` brought up to `properties.<name>`."""
    details = body.get("properties")
    details = details if isinstance(details, dict) else {}
    occurred_at = newest(details)
    properties = {
        name: detail["value"] if isinstance(detail, dict) and "value" in detail else detail
        for name, detail in details.items()
    }
    return Event(
        event_id=unnamed(raw, occurred_at, now),
        event_type=f"workflow.{object_of(body)}",
        occurred_at=occurred_at,
        payload={**about(body), **body, "properties": properties, "propertyDetails": details} if details else body,
    )


def object_of(body: dict[str, Any]) -> str:
    """contact, company, deal, ...: old contacts are known by their `vid`."""
    if "vid" in body:
        return "contact"
    object_type = body.get("objectTypeId")
    known = OBJECTS.get(object_type) if isinstance(object_type, str) else None
    given = body.get("objectType")
    return known or (given.lower() if isinstance(given, str) and given.isidentifier() else "object")


def newest(details: dict[str, Any]) -> int | None:
    """A workflow's request has no time of its own; the object is as new as its newest property."""
    stamped = [part for detail in details.values() if isinstance(detail, dict) for part in (detail, *versions(detail))]
    given = [part["timestamp"] for part in stamped if isinstance(part, dict) and isinstance(part.get("timestamp"), int)]
    return max((epoch_time(timestamp, "timestamp", MILLISECOND) for timestamp in given), default=last_change(details))


def last_change(details: dict[str, Any]) -> int | None:
    """HubSpot's own property for that, where no property tells its time: milliseconds, as text."""
    values = [detail.get("value") for name in CHANGED if isinstance(detail := details.get(name), dict)]
    value = next((value for value in values if isinstance(value, str) and value.isdecimal()), None)
    return None if value is None else epoch_time(int(value), "lastmodifieddate", MILLISECOND)


def versions(detail: dict[str, Any]) -> list[Any]:
    """The history of a property: all that tells the time in the old form of contacts."""
    given = detail.get("versions")
    return given if isinstance(given, list) else []


def sign(request: Request, secret: str, now: int) -> Request:
    timestamp = str(now // MILLISECOND)
    url = next(urls(request), None)
    if url is None:
        raise SignError("HubSpot signs the public URL, and none is set")
    value = signature_v3(secret, request, url, timestamp)
    headers = {TIMESTAMP.lower(): timestamp, SIGNATURE_V3.lower(): base64.b64encode(value).decode()}
    return replace(request, headers={**request.headers, **headers})


SENDER = Sender(
    name="hubspot",
    summary="HubSpot's Webhooks API and workflow webhooks (signatures v1, v2 and v3)",
    url="https://developers.hubspot.com/docs/apps/legacy-apps/authentication/validating-requests",
    credential="client secret of the app",
    unwrap=unwrap,
    read=read,
    sign=sign,
    undated="let the workflow send whole properties, which carry their times",
    kept_headers=("x-hubspot-correlation-id",),
)
