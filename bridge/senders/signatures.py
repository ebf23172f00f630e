"""What verification is made of. Every comparison takes constant time and every check fails closed."""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterable, Iterator

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from bridge.errors import NotVerifiedError
from bridge.model import Request
from bridge.times import SECOND

#: How far a signed time may be from ours, either way.
TOLERANCE = 300 * SECOND

ALGORITHMS = ("sha1", "sha256", "sha384", "sha512")

_WHOLE_NUMBER = re.compile(r"\d{1,16}", re.ASCII)


def required(request: Request, name: str) -> str:
    value = request.header(name)
    if not value:
        raise NotVerifiedError(f"the header {name} is missing")
    return value


def whole_number(value: str, what: str) -> int:
    if not _WHOLE_NUMBER.fullmatch(value):
        raise NotVerifiedError(f"{what} is not a whole number")
    return int(value)


def time_and_signatures(header: str, name: str, *, separator: str, time: str, scheme: str) -> tuple[str, list[str]]:
    """`t=<time>,v1=<signature>[,v1=...]`, whatever the letters are: several while a secret is rotated."""
    pairs = [part.strip().partition("=") for part in header.split(separator)]
    times_given = [value for key, _, value in pairs if key == time]
    given = [value for key, _, value in pairs if key == scheme]
    if len(times_given) != 1 or not given:
        raise NotVerifiedError(f"{name} must hold one {time} and at least one {scheme}")
    return times_given[0], given


def check_fresh(signed_at: int, now: int) -> None:
    """Raises NotVerifiedError if `signed_at` is more than five minutes before or after `now` (microseconds)."""
    if abs(now - signed_at) > TOLERANCE:
        when = "ago" if signed_at < now else "ahead"
        raise NotVerifiedError(
            f"the request was signed {abs(now - signed_at) // SECOND} seconds {when}: more than"
            f" {TOLERANCE // SECOND} is refused; check both clocks, or this is a replay"
        )


def mac(key: bytes, message: bytes, algorithm: str = "sha256") -> bytes:
    return hmac.digest(key, message, algorithm)


def macs(secrets: Iterable[str], message: bytes, algorithm: str = "sha256") -> Iterator[bytes]:
    """What each secret, used as it is written, makes of the message."""
    return (mac(secret.encode(), message, algorithm) for secret in secrets if secret)


def sha256(message: bytes) -> bytes:
    return hashlib.sha256(message).digest()


def header_bytes(value: str) -> bytes:
    """The bytes of a header, which WSGI hands over as Latin-1 (PEP 3333)."""
    return value.encode("latin-1", "backslashreplace")


def from_hex(value: str) -> bytes | None:
    try:
        return bytes.fromhex(value)
    except ValueError:
        return None


def from_base64(value: str) -> bytes | None:
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return None


def check_match(given: Iterable[bytes | None], expected: Iterable[bytes]) -> None:
    """Raises NotVerifiedError unless one of the given signatures is one of the expected ones."""
    check_any(matches(given, expected))


def matches(given: Iterable[bytes | None], expected: Iterable[bytes]) -> list[bool]:
    """Each of the given signatures compared with each of the expected ones."""
    candidates = [signature for signature in given if signature]
    return [hmac.compare_digest(one, other) for other in expected for one in candidates]


def ed25519_matches(given: Iterable[bytes | None], keys: Iterable[Ed25519PublicKey], message: bytes) -> list[bool]:
    """Each of the given signatures tried with each of the public keys (RFC 8032)."""
    candidates = [signature for signature in given if signature]
    return [is_signed(message, signature, key) for key in keys for signature in candidates]


def is_signed(message: bytes, signature: bytes, key: Ed25519PublicKey) -> bool:
    try:
        key.verify(signature, message)
    except InvalidSignature:
        return False
    return True


def check_any(found: list[bool]) -> None:
    """Raises NotVerifiedError unless something matches."""
    if not any(found):
        raise NotVerifiedError("no signature matches: check the secret, and that nothing on the way changes the body")


def check_secret(given: bytes, secrets: Iterable[str]) -> None:
    """Raises NotVerifiedError unless `given` is one of the secrets."""
    if not is_secret(given, secrets):
        raise NotVerifiedError("the secret that came with the request is not the configured one")


def is_secret(given: bytes, secrets: Iterable[str]) -> bool:
    presented = sha256(given)
    found = [hmac.compare_digest(presented, sha256(secret.encode())) for secret in secrets if secret]
    return any(found)
