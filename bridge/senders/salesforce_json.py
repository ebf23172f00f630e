"""Salesforce: JSON that an administrator designs, posted by a flow's HTTP callout or by Apex.

https://help.salesforce.com/s/articleView?id=platform.flow_http_callout.htm
https://developer.salesforce.com/docs/platform/apex-dev/guide/apex-callouts.html

Salesforce signs nothing. A named credential sends a secret along: in a header of its own, or as an HTTP Basic login.
"""

from collections.abc import Mapping
from typing import Any

from marshmallow import ValidationError, fields, validate, validates_schema

from bridge.model import Event, Request
from bridge.senders import basic, generic, token
from bridge.senders.base import Secrets, Sender

HEADER = {"header": "X-Api-Key"}
LOGINS = ("header", basic.SCHEME)

#: Where the JSON says what it is. SystemModstamp is when the record last changed, in ISO 8601: Apex writes
#: 2026-11-22T10:00:00.000Z, a flow's TEXT() 2026-11-22 10:00:00Z.
PLACES = {"event_id": "id", "event_type": "type", "event_time": "SystemModstamp"}


class OptionsSchema(generic.EventSchema):
    login = fields.String(
        validate=validate.OneOf(LOGINS),
        metadata={"help": "How the named credential proves itself: `header`, or `basic`. Default: header."},
    )
    header = fields.String(metadata={"help": "The header that carries the secret. Default: X-Api-Key."})

    @validates_schema
    def check_login(self, data: Mapping[str, Any], **_: Any) -> None:
        if is_basic(data) and "header" in data:
            raise ValidationError("HTTP Basic has a header of its own: drop this or login", "header")


def is_basic(options: Mapping[str, Any]) -> bool:
    return options.get("login") == basic.SCHEME


def unwrap(request: Request, secrets: Secrets, now: int, *, options: Mapping[str, Any]) -> list[Event]:
    if is_basic(options):
        basic.verify(request, secrets)
    else:
        token.verify(request, secrets, {**HEADER, **options})
    return read(request, now, options=options)


def read(request: Request, now: int, *, options: Mapping[str, Any]) -> list[Event]:
    return generic.read(request, now, options={**PLACES, **options})


def check_secret(secret: str, *, options: Mapping[str, Any]) -> str | None:
    return basic.check_secret(secret) if is_basic(options) else None


def sign(request: Request, secret: str, now: int, *, options: Mapping[str, Any]) -> Request:
    if is_basic(options):
        return basic.sign(request, secret, now)
    return token.sign(request, secret, now, options={**HEADER, **options})


SENDER = Sender(
    name="salesforce-json",
    summary="Salesforce flows and Apex: JSON of your own design, with a secret from a named credential",
    url="https://help.salesforce.com/s/articleView?id=platform.flow_http_callout.htm",
    credential="secret of your own, in the external credential; with login: basic, user:password",
    unwrap=unwrap,
    read=read,
    sign=sign,
    check_secret=check_secret,
    options=OptionsSchema,
    places=lambda options: (options["header"],) if "header" in options else (),
    weak="signs nothing, so whoever has the secret can post anything: make it long and random, and serve HTTPS only",
)
