"""Any sender that logs in with HTTP Basic, also one that waits to be asked (401 and WWW-Authenticate).

https://www.rfc-editor.org/rfc/rfc7617
"""

import base64
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bridge.errors import NotVerifiedError
from bridge.model import Event, Request
from bridge.senders import generic, signatures
from bridge.senders.base import Secrets, Sender

SCHEME = "basic"
CHALLENGE = 'Basic realm="metronome-bridge", charset="UTF-8"'


def unwrap(request: Request, secrets: Secrets, now: int, *, options: Mapping[str, Any]) -> list[Event]:
    verify(request, secrets)
    return generic.read(request, now, options=options)


def verify(request: Request, secrets: Secrets) -> None:
    """Raises NotVerifiedError unless one of the secrets, `user:password`, logs in."""
    scheme, _, encoded = signatures.required(request, "Authorization").partition(" ")
    given = signatures.from_base64(encoded.strip())
    if scheme.lower() != SCHEME or given is None:
        raise NotVerifiedError("the header Authorization is not HTTP Basic")
    signatures.check_secret(given, secrets)


def check_secret(secret: str, **_: Any) -> str | None:
    return None if ":" in secret else "is not user:password"


def sign(request: Request, secret: str, _now: int, **_: Any) -> Request:
    value = base64.b64encode(secret.encode()).decode()
    return replace(request, headers={**request.headers, "authorization": f"Basic {value}"})


SENDER = Sender(
    name="basic",
    summary="any sender that logs in with HTTP Basic",
    url="https://www.rfc-editor.org/rfc/rfc7617",
    credential="user:password",
    unwrap=unwrap,
    read=generic.read,
    sign=sign,
    check_secret=check_secret,
    options=generic.EventSchema,
    challenge=CHALLENGE,
    undated="name its place with options.event_time",
)
