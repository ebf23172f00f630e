"""Attio: events that hold ids and no values, one or several a request, its body signed.

https://docs.attio.com/rest-api/guides/webhooks
"""

from dataclasses import replace
from typing import Any

from bridge.errors import NotThisShapeError
from bridge.model import Event, Request
from bridge.payload import describe, parse_object
from bridge.senders import signatures
from bridge.senders.base import Secrets, Sender, bounded, digest_of, name_of, unnamed

#: It comes as X-Attio-Signature too, with the same value.
SIGNATURE = "Attio-Signature"
#: The same for each try of one request.
DELIVERY = "Idempotency-Key"


def unwrap(request: Request, secrets: Secrets, now: int) -> list[Event]:
    given = signatures.required(request, SIGNATURE)
    signatures.check_match([signatures.from_hex(given)], signatures.macs(secrets, request.body))
    return read(request, now)


def read(request: Request, now: int) -> list[Event]:
    elements = parse_object(request.body).get("events")
    if not isinstance(elements, list):
        raise NotThisShapeError(f"events is {describe(elements)}: a list was expected")
    delivery = name_of(request.header(DELIVERY) or unnamed(request.body, None, now), DELIVERY)
    return [read_element(element, f"{delivery}:{position}") for position, element in enumerate(bounded(elements))]


def read_element(element: Any, identity: str) -> Event:
    """One of a batch. A bad one is kept as such: an error would bring the whole batch again, for three days."""
    try:
        return read_event(element, identity)
    except NotThisShapeError as error:
        return Event.unreadable(digest_of(identity.encode()), element, str(error))


def read_event(element: Any, identity: str) -> Event:
    if not isinstance(element, dict):
        raise NotThisShapeError(f"the event is {describe(element)}: an object was expected")
    return Event(
        event_id=name_of(identity, f"{DELIVERY} and position"),
        event_type=name_of(element.get("event_type"), "event_type"),
        payload=element,
    )


def sign(request: Request, secret: str, _now: int) -> Request:
    value = signatures.mac(secret.encode(), request.body).hex()
    headers = {DELIVERY.lower(): digest_of(request.body), **request.headers}
    return replace(request, headers={**headers, SIGNATURE.lower(): value})


SENDER = Sender(
    name="attio",
    summary="Attio's webhooks, which tell what changed but not to which value",
    url="https://docs.attio.com/rest-api/guides/webhooks",
    credential="secret of the webhook",
    unwrap=unwrap,
    read=read,
    sign=sign,
    undated="map what does not depend on the order of events",
    weak=f"signs the body, which has neither id nor time: under another {DELIVERY} a captured request looks new",
    # https://docs.attio.com/rest-api/webhook-reference
    thin={
        "*": (
            "event_type",
            "id",
            "actor",
            "parent_object_id",
            "parent_record_id",
            "duplicate_object_id",
            "duplicate_record_id",
        )
    },
    kept_headers=("idempotency-key",),
)
