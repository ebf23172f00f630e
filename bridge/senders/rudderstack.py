"""RudderStack's webhook and HTTP destinations: JSON events, with a shared token in a header.

https://www.rudderstack.com/docs/destinations/streaming-destinations/webhooks/
https://www.rudderstack.com/docs/destinations/streaming-destinations/http-webhook/
"""

from collections.abc import Mapping
from typing import Any

from bridge.model import Event, Request
from bridge.senders import customer_data, token
from bridge.senders.base import Secrets, Sender


def unwrap(request: Request, secrets: Secrets, now: int, *, options: Mapping[str, Any]) -> list[Event]:
    token.verify(request, secrets, options)
    return customer_data.read(request, now)


def read(request: Request, now: int, *, options: Mapping[str, Any]) -> list[Event]:
    return customer_data.read(request, now)


SENDER = Sender(
    name="rudderstack",
    summary="RudderStack's webhook and HTTP destinations, with a shared token in a header",
    url="https://www.rudderstack.com/docs/destinations/streaming-destinations/webhooks/",
    credential="token of your own, in a header of the destination",
    unwrap=unwrap,
    read=read,
    sign=token.sign,
    options=token.PlaceSchema,
    places=token.places,
    weak="signs nothing, so whoever has the token can post anything: make it long and random, and serve HTTPS only",
)
