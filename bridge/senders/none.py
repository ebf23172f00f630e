"""Any sender that can prove nothing: anybody who finds the URL may write custom fields.

Only behind something that lets nobody else through, such as a private network or a gateway that verifies.
"""

from collections.abc import Mapping
from typing import Any

from marshmallow import fields, validate

from bridge.model import Event, Request
from bridge.senders import generic
from bridge.senders.base import Secrets, Sender

UNDERSTOOD = "must be true: this sender lets anybody post, so use another one if you can"


class Understood(fields.Boolean):
    def _deserialize(self, value: Any, *_: Any, **__: Any) -> bool:
        if value is not True:
            raise self.make_error("invalid")
        return True


class OptionsSchema(generic.EventSchema):
    i_understand_anyone_can_post = Understood(
        required=True,
        validate=validate.Equal(True, error=UNDERSTOOD),
        error_messages={"required": UNDERSTOOD, "invalid": UNDERSTOOD, "null": UNDERSTOOD},
        metadata={"help": "`true`, or the mapping file is refused."},
    )


def unwrap(request: Request, _secrets: Secrets, now: int, *, options: Mapping[str, Any]) -> list[Event]:
    return generic.read(request, now, options=options)


def sign(request: Request, _secret: str, _now: int, **_: Any) -> Request:
    return request


SENDER = Sender(
    name="none",
    summary="any sender that proves nothing, for private networks only",
    url="https://owasp.org/API-Security/editions/2023/en/0xa2-broken-authentication/",
    credential="none: anybody may post",
    unwrap=unwrap,
    read=generic.read,
    sign=sign,
    open=True,
    options=OptionsSchema,
    undated="name its place with options.event_time",
    weak="proves nothing, so anybody who finds the URL can write custom fields: let only the sender reach it",
)
