"""A request without what is secret in it. Pure. Signatures stay: they prove something and disclose nothing."""

import re
from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import quote, quote_plus

from bridge.model import Request

REDACTED = "redacted"
#: A shorter secret would be found in innocent words, and is none.
SHORTEST = 4
#: Names of headers, parameters and fields that carry a secret, whoever sends them.
_SECRET = re.compile(
    r"auth|cookie|token|secret|passw|credential|session|api.?key|^key$|^code$|^sig$|clientstate",
    re.IGNORECASE,
)
#: Names that sound like it, and carry a signature or a time.
_PROOF = re.compile(r"signature|hmac|sha\d+|timestamp|-hash$", re.IGNORECASE)

_PARAMETER = re.compile(r"(?<=[?&])([^=&]+)=([^&]*)")
_JSON_FIELD = re.compile(rb'("([^"\\]{1,64})"\s*:\s*")((?:[^"\\]|\\.)*)(?=")')
_FORM_FIELD = re.compile(rb"((?:^|(?<=&))([^=&]{1,64})=)([^&]*)")
_XML_ELEMENT = re.compile(rb"(<(?:\w+:)?(\w{1,64})>)([^<]*)(?=</)")


def redact(request: Request, secrets: Sequence[str]) -> Request:
    """`secrets`: whatever else must not be seen, such as those of every source."""
    words = sorted({form for secret in secrets if secret for form in written(secret)}, key=len, reverse=True)
    return replace(
        request,
        target=blank(_PARAMETER.sub(lambda found: f"{found[1]}={without(found[1], found[2])}", request.target), words),
        headers={name: blank(without(name, value), words) for name, value in request.headers.items()},
        body=redacted_body(request.body, words),
    )


def written(secret: str) -> tuple[str, ...]:
    """A secret as it may stand in a URL, a form, or as it is. And its parts, if it is a name and a password."""
    parts = (secret, *(part for part in secret.split(":", 1)[1:] if part))
    forms = (form for part in parts for form in (part, quote(part, safe=""), quote_plus(part)))
    return tuple(form for form in forms if len(form) >= SHORTEST)


def is_secret(name: str) -> bool:
    return bool(_SECRET.search(name)) and not _PROOF.search(name)


def without(name: str, value: str) -> str:
    """The scheme stays, because a wrong one is worth knowing: `Bearer redacted`."""
    if not is_secret(name) or not value:
        return value
    scheme, space, _ = value.partition(" ")
    return f"{scheme} {REDACTED}" if space and scheme.isalpha() else REDACTED


def blank(text: str, words: Sequence[str]) -> str:
    for word in words:
        text = text.replace(word, REDACTED)
    return text


def redacted_body(body: bytes, words: Sequence[str]) -> bytes:
    for pattern in (_JSON_FIELD, _FORM_FIELD, _XML_ELEMENT):
        body = pattern.sub(
            lambda found: found[1] + (REDACTED.encode() if is_secret(found[2].decode("latin-1")) else found[3]), body
        )
    for word in words:
        body = body.replace(word.encode(), REDACTED.encode())
    return body
