"""A request without what is secret in it. Pure. Signatures stay: they prove something and disclose nothing."""

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from urllib.parse import quote, quote_plus, unquote_plus

from bridge.model import Request

REDACTED = "redacted"
#: A shorter secret would be found in innocent words, and is none.
SHORTEST = 4
#: What is compared with a secret, to see whether it is nearly that, must have so many characters.
SHORTEST_ALIKE = 6
#: How much of a secret a text must share with it to give it away.
ALIKE = 0.6
#: Names of headers, parameters and fields that carry a secret, whoever sends them.
_SECRET = re.compile(
    r"auth|cookie|token|secret|passw|credential|session|api.?key|^key$|^code$|^sig$|clientstate",
    re.IGNORECASE,
)
#: Names that sound like it, and carry a signature or a time.
_PROOF = re.compile(r"signature|hmac|sha\d+|timestamp|-hash$", re.IGNORECASE)

_PARAMETER = re.compile(r"(?<=[?&])([^=&]+)=([^&]*)")
_JSON_FIELD = re.compile(rb'("([^"\\]{1,64})"\s*:\s*")((?:[^"\\]|\\.)*\\?)(?="|\Z)')
_FORM_FIELD = re.compile(rb"((?:^|(?<=&))([^=&]{1,64})=)([^&]*)")
_XML_ELEMENT = re.compile(rb"(<(?:\w+:)?(\w{1,64})>)([^<]*)(?=</|\Z)")
#: What stands for itself between white space, quotes and separators.
_WORD = re.compile(r"[^\s\"'<>&,;]{6,256}")


@dataclass(frozen=True, slots=True)
class Secrets:
    """What must not be seen."""

    #: As they may be written, the longest first.
    words: Sequence[str]
    #: The same without upper case.
    folded: Sequence[str]
    #: Names of headers and parameters that carry one, in lower case.
    places: Collection[str]

    def is_named(self, name: str) -> bool:
        return name.lower() in self.places or is_secret(name)

    def hide(self, text: str) -> str:
        """Without the secrets, and without what is nearly one: a wrong digit, another case, the end cut off."""
        for word in self.words:
            text = text.replace(word, REDACTED)
        return _WORD.sub(lambda found: REDACTED if self.gives_away(found[0]) else found[0], text)

    def gives_away(self, word: str) -> bool:
        given = word.casefold()
        return self.is_alike(word) or any(secret in given for secret in self.folded)

    def is_alike(self, text: str) -> bool:
        if len(text) < SHORTEST_ALIKE:
            return False
        given = unquote_plus(text).casefold()
        # A word may begin with a name, as in `v1=...`.
        parts = {given, given.partition("=")[2], given.partition(":")[2]}
        return any(alike(part, word) for part in parts if part for word in self.folded)


def redact(request: Request, secrets: Sequence[str], places: Collection[str] = ()) -> Request:
    """`secrets`: whatever else must not be seen, such as those of every source; `places`: names of what carries one."""
    words = sorted({form for secret in secrets if secret for form in written(secret)}, key=len, reverse=True)
    hidden = Secrets(words, [word.casefold() for word in words], {name.lower() for name in places})
    return replace(
        request,
        target=hidden.hide(
            _PARAMETER.sub(lambda found: f"{found[1]}={without(found[1], found[2], hidden)}", request.target)
        ),
        headers={name: hidden.hide(without(name, value, hidden)) for name, value in request.headers.items()},
        body=redacted_body(request.body, hidden),
    )


def written(secret: str) -> tuple[str, ...]:
    """A secret as it may stand in a URL, a form, or as it is. And its parts, if it is a name and a password."""
    parts = (secret, *(part for part in secret.split(":", 1)[1:] if part))
    forms = (form for part in parts for form in (part, quote(part, safe=""), quote_plus(part)))
    return tuple(form for form in forms if len(form) >= SHORTEST)


def is_secret(name: str) -> bool:
    return bool(_SECRET.search(name)) and not _PROOF.search(name)


def alike(text: str, secret: str) -> bool:
    """Whether it is a large part of the secret, begins and ends like it, or has most characters at the same places."""
    if min(len(text), len(secret)) < SHORTEST_ALIKE:
        return False
    enough = ALIKE * len(secret)
    if len(text) < enough:
        return False
    if text in secret:
        return True
    if len(text) > 2 * len(secret):
        return False
    ends = shared(text, secret) + shared(text[::-1], secret[::-1])
    return ends >= enough or sum(map(str.__eq__, text, secret)) >= enough


def shared(one: str, other: str) -> int:
    """How many characters they have in common at their beginnings."""
    return next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def without(name: str, value: str, hidden: Secrets) -> str:
    """The scheme stays, because a wrong one is worth knowing: `Bearer redacted`."""
    if not hidden.is_named(name) or not value:
        return REDACTED if hidden.is_alike(value) else value
    scheme, space, _ = value.partition(" ")
    return f"{scheme} {REDACTED}" if space and scheme.isalpha() else REDACTED


def redacted_body(body: bytes, hidden: Secrets) -> bytes:
    def field(found: re.Match[bytes]) -> bytes:
        name, value = (part.decode("latin-1") for part in found.group(2, 3))
        return found[1] + (REDACTED.encode() if hidden.is_named(name) or hidden.is_alike(value) else found[3])

    for pattern in (_JSON_FIELD, _FORM_FIELD, _XML_ELEMENT):
        body = pattern.sub(field, body)
    return in_latin_1(hidden.hide, body)


def in_latin_1(change: Callable[[str], str], body: bytes) -> bytes:
    """Every byte is a character, so that what is not changed stays as it is."""
    return change(body.decode("latin-1")).encode("latin-1")
