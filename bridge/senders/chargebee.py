"""Chargebee: one JSON event a request, with an HTTP Basic login or a key in the URL.

https://apidocs.chargebee.com/docs/api/events
https://www.chargebee.com/docs/billing/2.0/site-configuration/webhook_settings
"""

from bridge.errors import NotVerifiedError
from bridge.model import Event, Request
from bridge.payload import parse_object
from bridge.senders import basic, generic, token
from bridge.senders.base import Secrets, Sender

#: Where an event says what it is.
PLACES = {"event_id": "id", "event_type": "event_type", "event_time": "occurred_at"}
#: The query parameter that carries a secret which is no login.
KEY = {"parameter": "key"}


def unwrap(request: Request, secrets: Secrets, now: int) -> list[Event]:
    if request.header("Authorization"):
        basic.verify(request, secrets)
    elif KEY["parameter"] in request.query:
        token.verify(request, secrets, KEY)
    else:
        raise NotVerifiedError("neither the header Authorization nor ?key=... in the URL: set one of them in Chargebee")
    return read(request, now)


def read(request: Request, now: int) -> list[Event]:
    return [generic.read_event(parse_object(request.body), request, now, PLACES)]


def sign(request: Request, secret: str, now: int) -> Request:
    """A secret with a colon is a login, another one a key."""
    return basic.sign(request, secret, now) if ":" in secret else token.sign(request, secret, now, options=KEY)


SENDER = Sender(
    name="chargebee",
    summary="Chargebee events, with an HTTP Basic login or a key in the URL",
    url="https://apidocs.chargebee.com/docs/api/events",
    credential="user:password of the webhook's basic authentication, or the key in its URL as ?key=...",
    unwrap=unwrap,
    read=read,
    sign=sign,
    challenge=basic.CHALLENGE,
    weak="signs nothing, so whoever has the password can post anything: make it long and random, serve HTTPS only, and"
    " prefer it to a key in the URL, which ends up in logs",
)
