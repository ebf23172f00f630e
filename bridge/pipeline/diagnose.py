"""Why a request was refused: what would have to be otherwise for it to be accepted. Pure.

Each suspicion is tried by verifying again with one thing changed, so a finding is never a guess; and it never says what
the right signature would have been. Who posted has proven nothing, so the work is bounded: by the size of the body, by
the times that headers may mention, and by how often anything is verified.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from email.utils import parsedate_to_datetime
from itertools import islice

import orjson

from bridge import times
from bridge.errors import NotVerifiedError, SenderError
from bridge.mapping.rules import Source
from bridge.model import Request
from bridge.times import MILLISECOND, SECOND

#: Headers in which proxies tell under which name they were called.
HOST_HEADERS = ("host", "x-forwarded-host", "x-original-host")
_NUMBER = re.compile(r"\b\d{10}(?:\d{3})?\b")
#: Seconds have ten digits until the year 2286, milliseconds three more.
DIGITS_OF_SECONDS = 10


#: A larger body is not diagnosed: each suspicion hashes it, and many read it.
MAX_BODY_BYTES = 64 << 10
TOO_LARGE = f"more than {MAX_BODY_BYTES >> 10} KiB are not looked into: have the sender send something smaller"
#: How often a request is verified again.
MAX_TRIES = 100
#: How many of the times that headers mention are tried, the nearest first, and how much of a header is read for them.
MAX_TIMES = 8
MAX_READ = 512
MAX_DATE_LENGTH = 64


class OutOfTriesError(Exception):
    """Everything that may be tried was tried."""


class Tries:
    """How often something was verified for one request."""

    def __init__(self, most: int = MAX_TRIES) -> None:
        self.left = most

    def take(self) -> None:
        if not self.left:
            raise OutOfTriesError
        self.left -= 1


@dataclass(frozen=True, slots=True)
class Case:
    """A request that was refused, and everything that bears on it."""

    source: Source
    request: Request
    now: int
    #: By their names, this one included.
    sources: Mapping[str, Source]
    tries: Tries = field(default_factory=Tries)

    def accepts(self, **otherwise: object) -> bool:
        """Whether it is verified with something changed: `request`, `secrets` or `now`."""
        given = {"request": self.request, "secrets": self.source.secrets, "now": self.now, **otherwise}
        return self.verifies(self.source, given["request"], given["secrets"], given["now"])

    def verifies(self, source: Source, request: object, secrets: object, now: object) -> bool:
        """Raises OutOfTriesError."""
        self.tries.take()
        return verifies(source, request, secrets, now)


def verifies(source: Source, request: object, secrets: object, now: object) -> bool:
    try:
        source.sender.unwrap(request, secrets, now)
    except NotVerifiedError:
        return False
    except SenderError:
        # It could not be read, but what cannot be verified is never read.
        return True
    return True


def diagnose(case: Case) -> tuple[str, ...]:
    """What was found, the likeliest first. Empty: nothing that is tried here helps."""
    if len(case.request.body) > MAX_BODY_BYTES:
        return (TOO_LARGE,)
    found: list[str] = []
    with suppress(OutOfTriesError):
        for suspect in SUSPICIONS:
            found.extend(suspect(case))
    return tuple(found)


def clock(case: Case) -> Iterator[str]:
    times_given = set(islice(signing_times(case.request), MAX_TRIES))
    for signed_at in sorted(times_given, key=lambda at: abs(at - case.now))[:MAX_TIMES]:
        if case.accepts(now=signed_at):
            seconds = abs(case.now - signed_at) // SECOND
            when = "before it arrived" if signed_at < case.now else "after it arrived"
            yield (
                f"the signature is right, but it was made {seconds} seconds {when}: set this machine's clock (NTP),"
                " or this is an old request sent again"
            )
            return


def signing_times(request: Request) -> Iterator[int]:
    """Every time that a header mentions."""
    for value in request.headers.values():
        for number in _NUMBER.findall(value[:MAX_READ]):
            yield int(number) * (SECOND if len(number) == DIGITS_OF_SECONDS else MILLISECOND)
        for read in (times.from_iso, http_date):
            try:
                yield read(value[:MAX_DATE_LENGTH])
            except (ValueError, OverflowError):
                continue


def http_date(value: str) -> int:
    return times.from_datetime(parsedate_to_datetime(value))


def url(case: Case) -> Iterator[str]:
    for base in called_as(case.request):
        if base not in case.request.public_urls and case.accepts(request=replace(case.request, public_urls=(base,))):
            yield f"the signature is right for {base}: set BRIDGE_PUBLIC_URL to it (several with commas between them)"
            return


def called_as(request: Request) -> Iterator[str]:
    for name in HOST_HEADERS:
        if host := request.header(name):
            yield from (f"{scheme}://{host}" for scheme in ("https", "http"))
    for base in request.public_urls:
        yield base.replace("http://", "https://", 1) if base.startswith("http://") else base.replace("https", "http", 1)


def secret(case: Case) -> Iterator[str]:
    for change, what in SECRET_MISTAKES:
        changed = [change(one) for one in case.source.secrets]
        if changed != list(case.source.secrets) and case.accepts(secrets=changed):
            yield f"the secret would be right {what}: set it anew"
            return


def without_prefix(given: str) -> str:
    return given.removeprefix("whsec_")


def with_prefix(given: str) -> str:
    return given if given.startswith("whsec_") else f"whsec_{given}"


SECRET_MISTAKES: tuple[tuple[Callable[[str], str], str], ...] = (
    (str.strip, "without the white space around it"),
    (lambda given: given.strip().strip("\"'"), "without the quotes around it"),
    (without_prefix, "without whsec_ in front"),
    (with_prefix, "with whsec_ in front"),
)


def mixed_up(case: Case) -> Iterator[str]:
    for name, other in case.sources.items():
        if name == case.source.name or other.sender.open:
            continue
        if case.accepts(secrets=other.secrets):
            yield f"it is signed with a secret of the source {name}: the secrets, or the URLs, are mixed up"
        elif case.verifies(other, case.request, other.secrets, case.now):
            yield f"the source {name} would accept it: the sender was given the wrong URL"


def body(case: Case) -> Iterator[str]:
    for change, what in BODY_CHANGES:
        changed = change(case.request.body)
        if changed != case.request.body and case.accepts(request=replace(case.request, body=changed)):
            yield f"the signature is right for the body {what}: something on the way changes it, such as a proxy"
            return


def rewritten(options: int) -> Callable[[bytes], bytes]:
    def rewrite(given: bytes) -> bytes:
        try:
            return orjson.dumps(orjson.loads(given), option=options)
        except (orjson.JSONDecodeError, TypeError):
            return given

    return rewrite


BODY_CHANGES: tuple[tuple[Callable[[bytes], bytes], str], ...] = (
    (lambda given: given.rstrip(b"\r\n"), "without its last line break"),
    (lambda given: given + b"\n", "with a line break at its end"),
    (lambda given: given.replace(b"\r\n", b"\n"), "with other line breaks"),
    (lambda given: given.replace(b"\n", b"\r\n"), "with other line breaks"),
    (rewritten(0), "with no white space"),
    (rewritten(orjson.OPT_INDENT_2), "indented by two"),
)

SUSPICIONS: tuple[Callable[[Case], Iterator[str]], ...] = (clock, url, secret, mixed_up, body)
