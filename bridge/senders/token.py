"""Any sender that sends a shared secret along, in a header or in the URL."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import quote, urlsplit

from marshmallow import Schema, ValidationError, fields, validates_schema

from bridge.errors import NotVerifiedError
from bridge.model import Event, Request
from bridge.senders import generic, signatures
from bridge.senders.base import Secrets, Sender

#: https://www.rfc-editor.org/rfc/rfc6750#section-2.1
BEARER = {"header": "Authorization", "prefix": "Bearer "}


class PlaceSchema(Schema):
    """Where a request carries the token."""

    header = fields.String(metadata={"help": "The header that carries the token. Default: Authorization."})
    prefix = fields.String(
        metadata={"help": "What stands before the token. Default: `Bearer ` in Authorization, else nothing."}
    )
    parameter = fields.String(metadata={"help": "The query parameter that carries it, instead of a header."})

    @validates_schema
    def check_place(self, data: Mapping[str, Any], **_: Any) -> None:
        if "parameter" in data and ("header" in data or "prefix" in data):
            raise ValidationError("either parameter or header: not both", "parameter")


class OptionsSchema(PlaceSchema, generic.EventSchema):
    pass


def unwrap(request: Request, secrets: Secrets, now: int, *, options: Mapping[str, Any]) -> list[Event]:
    verify(request, secrets, options)
    return generic.read(request, now, options=options)


def verify(request: Request, secrets: Secrets, options: Mapping[str, Any]) -> None:
    """Raises NotVerifiedError unless one of the secrets is where the options say."""
    signatures.check_secret(presented(request, options), secrets)


def presented(request: Request, options: Mapping[str, Any]) -> bytes:
    if parameter := options.get("parameter"):
        if not (value := request.query.get(parameter)):
            raise NotVerifiedError(f"the URL has no ?{parameter}=...")
        return value.encode()
    header, prefix = place_of(options)
    value = signatures.required(request, header)
    if value[: len(prefix)].lower() != prefix.lower():
        raise NotVerifiedError(f"the header {header} does not begin with {prefix!r}")
    return signatures.header_bytes(value[len(prefix) :])


def place_of(options: Mapping[str, Any]) -> tuple[str, str]:
    header = options.get("header", BEARER["header"])
    default = BEARER["prefix"] if header.lower() == BEARER["header"].lower() else ""
    return header, options.get("prefix", default)


def places(options: Mapping[str, Any]) -> tuple[str, ...]:
    return (options.get("parameter") or place_of(options)[0],)


def sign(request: Request, secret: str, _now: int, *, options: Mapping[str, Any]) -> Request:
    if parameter := options.get("parameter"):
        separator = "&" if urlsplit(request.target).query else "?"
        return replace(request, target=f"{request.target}{separator}{parameter}={quote(secret, safe='')}")
    header, prefix = place_of(options)
    return replace(request, headers={**request.headers, header.lower(): (prefix + secret).encode().decode("latin-1")})


SENDER = Sender(
    name="token",
    summary="any sender that sends a shared token in a header or in the URL",
    url="https://www.rfc-editor.org/rfc/rfc6750",
    credential="token",
    unwrap=unwrap,
    read=generic.read,
    sign=sign,
    options=OptionsSchema,
    places=places,
    undated="name its place with options.event_time",
)
