"""Segment's webhook destination: a JSON event a request, or a batch of which only the first is signed.

https://segment.com/docs/connections/destinations/catalog/actions-webhook/
https://github.com/segmentio/action-destinations/tree/main/packages/destination-actions/src/destinations/webhook
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from marshmallow import Schema, fields

from bridge.errors import NotVerifiedError
from bridge.model import Event, Request
from bridge.senders import customer_data, signatures, token
from bridge.senders.base import Secrets, Sender

SIGNATURE = "X-Signature"


class OptionsSchema(Schema):
    batch_token_header = fields.String(
        metadata={"help": "The header in which batches, which Segment does not sign, bring one of the secrets."}
    )


def unwrap(request: Request, secrets: Secrets, now: int, *, options: Mapping[str, Any]) -> list[Event]:
    if place := token_place(request, options):
        token.verify(request, secrets, place)
    else:
        verify_signature(request, secrets)
    return customer_data.read(request, now)


def read(request: Request, now: int, *, options: Mapping[str, Any]) -> list[Event]:
    return customer_data.read(request, now)


def token_place(request: Request, options: Mapping[str, Any]) -> dict[str, str] | None:
    """Where a token proves the request, if none of its signatures could."""
    header = options.get("batch_token_header")
    return {"header": header, "prefix": ""} if header and is_batch(request.body) else None


def verify_signature(request: Request, secrets: Secrets) -> None:
    given = signatures.from_hex(signatures.required(request, SIGNATURE))
    try:
        signatures.check_match([given], (signature(secret, request.body) for secret in secrets if secret))
    except NotVerifiedError:
        if not is_batch(request.body):
            raise
        raise NotVerifiedError(
            "no signature matches: of a batch Segment signs only the first event, so set Batch Size to 0 in Segment, or"
            " set options.batch_token_header; else check the secret"
        ) from None


def signature(secret: str, body: bytes) -> bytes:
    """Of the event as it is written: all that stands between the brackets of a batch must be that one event."""
    signed = body[1:-1] if is_batch(body) else body
    return signatures.mac(secret.encode(), signed, "sha1")


def is_batch(body: bytes) -> bool:
    return body.startswith(b"[") and body.endswith(b"]")


def sign(request: Request, secret: str, now: int, *, options: Mapping[str, Any]) -> Request:
    if place := token_place(request, options):
        return token.sign(request, secret, now, options=place)
    value = signature(secret, request.body).hex()
    return replace(request, headers={**request.headers, SIGNATURE.lower(): value})


SENDER = Sender(
    name="segment",
    summary="Segment's webhook destination, signed with its shared secret",
    url="https://segment.com/docs/connections/destinations/catalog/actions-webhook/",
    credential="shared secret of the destination",
    unwrap=unwrap,
    read=read,
    sign=sign,
    options=OptionsSchema,
    places=lambda options: (options["batch_token_header"],) if "batch_token_header" in options else (),
    weak="signs only the first event of a batch, so batches are refused: set Batch Size to 0 in Segment, or send a"
    " secret in a header and name that with options.batch_token_header",
)
