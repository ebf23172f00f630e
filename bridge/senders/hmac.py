"""Any sender that signs with a shared secret: the mapping file says how."""

import base64
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any

from marshmallow import ValidationError, fields, validate, validates_schema

from bridge import times
from bridge.errors import NotVerifiedError, SignError
from bridge.model import Event, Request
from bridge.senders import generic, signatures
from bridge.senders.base import Secrets, Sender, digest_of

PLACES = ("{body}", "{timestamp}", "{id}", "{method}", "{url}")
_PLACES = re.compile("(" + "|".join(map(re.escape, PLACES)) + ")")

Decode = Callable[[str], bytes | None]
ENCODINGS: Mapping[str, Decode] = {"hex": signatures.from_hex, "base64": signatures.from_base64}
SECRET_ENCODINGS: Mapping[str, Decode] = {"utf8": str.encode, **ENCODINGS}
TIMESTAMP_UNITS = {"seconds": times.SECOND, "milliseconds": times.MILLISECOND}
TIMESTAMP_FORMS = (*TIMESTAMP_UNITS, "iso", "http-date")

DEFAULTS = {
    "algorithm": "sha256",
    "encoding": "hex",
    "prefix": "",
    "template": "{body}",
    "secret_encoding": "utf8",
    "timestamp_unit": "seconds",
}


class OptionsSchema(generic.EventSchema):
    header = fields.String(required=True, metadata={"help": "The header that carries the signature."})
    algorithm = fields.String(validate=validate.OneOf(signatures.ALGORITHMS), metadata={"help": "Default: sha256."})
    encoding = fields.String(validate=validate.OneOf(list(ENCODINGS)), metadata={"help": "Default: hex."})
    prefix = fields.String(metadata={"help": "What stands before the signature, such as `sha256=`."})
    separator = fields.String(
        validate=validate.Length(min=1), metadata={"help": "What stands between several signatures in the header."}
    )
    template = fields.String(metadata={"help": f"What is signed, made of {' '.join(PLACES)}. Default: {{body}}."})
    secret_encoding = fields.String(
        validate=validate.OneOf(list(SECRET_ENCODINGS)), metadata={"help": "How the secret is written. Default: utf8."}
    )
    timestamp_header = fields.String(metadata={"help": "The header that carries the signed time."})
    timestamp_unit = fields.String(
        validate=validate.OneOf(TIMESTAMP_FORMS), metadata={"help": "How that time is written. Default: seconds."}
    )
    id_header = fields.String(metadata={"help": "The header that carries the signed {id}."})

    @validates_schema
    def check_template(self, data: Mapping[str, Any], **_: Any) -> None:
        template = data.get("template", DEFAULTS["template"])
        if "{body}" not in template:
            raise ValidationError("must contain {body}, or the body would not be proven", "template")
        for place, option in (("{timestamp}", "timestamp_header"), ("{id}", "id_header")):
            if (place in template) != (option in data):
                raise ValidationError(f"{place} in template and {option} need each other", "template")


def unwrap(request: Request, secrets: Secrets, now: int, *, options: Mapping[str, Any]) -> list[Event]:
    options = {**DEFAULTS, **options}
    header = signatures.required(request, options["header"])
    given = header.split(options["separator"]) if "separator" in options else [header]
    if "timestamp_header" in options:
        check_time(request, options["timestamp_header"], options["timestamp_unit"], now)
    signatures.check_match(
        (decoded(value.strip(), options) for value in given),
        (signature(key, message, options) for key in keys(secrets, options) for message in messages(request, options)),
    )
    return generic.read(request, now, options=options)


def check_time(request: Request, header: str, unit: str, now: int) -> None:
    value = signatures.required(request, header)
    try:
        if unit == "iso":
            signed_at = times.from_iso(value)
        elif unit == "http-date":
            signed_at = times.from_datetime(parsedate_to_datetime(value))
        else:
            signed_at = signatures.whole_number(value, header) * TIMESTAMP_UNITS[unit]
    except (ValueError, OverflowError):
        raise NotVerifiedError(f"{header} is not of the form {unit}") from None
    signatures.check_fresh(signed_at, now)


def decoded(value: str, options: Mapping[str, Any]) -> bytes | None:
    if not value.startswith(options["prefix"]):
        return None
    return ENCODINGS[options["encoding"]](value.removeprefix(options["prefix"]))


def messages(request: Request, options: Mapping[str, Any]) -> Iterator[bytes]:
    """What was signed, once for each public URL if the URL is part of it."""
    parts = {
        "{body}": request.body,
        "{timestamp}": signatures.header_bytes(request.header(options.get("timestamp_header", "")) or ""),
        "{id}": signatures.header_bytes(request.header(options.get("id_header", "")) or ""),
        "{method}": request.method.encode(),
    }
    for url in request.urls if "{url}" in options["template"] else ("",):
        filled = {**parts, "{url}": url.encode()}
        yield b"".join(filled.get(piece, piece.encode()) for piece in _PLACES.split(options["template"]))


def keys(secrets: Secrets, options: Mapping[str, Any]) -> list[bytes]:
    decode = SECRET_ENCODINGS[options["secret_encoding"]]
    return [key for secret in secrets if (key := decode(secret))]


def check_secret(secret: str, *, options: Mapping[str, Any]) -> str | None:
    options = {**DEFAULTS, **options}
    return None if keys([secret], options) else f"is not {options['secret_encoding']}"


def leaves_open(options: Mapping[str, Any]) -> str | None:
    """A time that nobody signed decides which event is the newest."""
    place = options.get("event_time", "")
    header = place.removeprefix(generic.HEADER)
    if header == place or header.lower() in {
        options.get(name, "").lower() for name in ("timestamp_header", "id_header")
    }:
        return None
    return (
        f"{header} is not signed, so whoever has seen a request can post it again as a newer event: name a place in the"
        " body for event_time, or a header that is signed"
    )


def signature(key: bytes, message: bytes, options: Mapping[str, Any]) -> bytes:
    return signatures.mac(key, message, options["algorithm"])


def sign(request: Request, secret: str, now: int, *, options: Mapping[str, Any]) -> Request:
    options = {**DEFAULTS, **options}
    headers = dict(request.headers)
    if "timestamp_header" in options:
        headers[options["timestamp_header"].lower()] = written_time(now, options["timestamp_unit"])
    if "id_header" in options:
        headers[options["id_header"].lower()] = digest_of(request.body)
    if problem := check_secret(secret, options=options):
        raise SignError(f"the secret {problem}")
    request = replace(request, headers=headers)
    message = next(messages(request, options), None)
    if message is None:
        raise SignError("the URL is signed, and no public URL is set")
    value = signature(keys([secret], options)[0], message, options)
    text = value.hex() if options["encoding"] == "hex" else base64.b64encode(value).decode()
    return replace(request, headers={**headers, options["header"].lower(): options["prefix"] + text})


def written_time(now: int, unit: str) -> str:
    if unit == "iso":
        return times.to_iso(now)
    if unit == "http-date":
        return format_datetime(times.to_datetime(now), usegmt=True)
    return str(now // TIMESTAMP_UNITS[unit])


SENDER = Sender(
    name="hmac",
    summary="any sender that signs with HMAC: header, algorithm, encoding and template are options",
    url="https://www.rfc-editor.org/rfc/rfc2104",
    credential="shared secret",
    unwrap=unwrap,
    read=generic.read,
    sign=sign,
    check_secret=check_secret,
    options=OptionsSchema,
    leaves_open=leaves_open,
    undated="name its place with options.event_time",
)
