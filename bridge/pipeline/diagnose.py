"""Why a request was refused: what would have to be otherwise for it to be accepted. Pure.

Each suspicion is tried by verifying again with one thing changed, so a finding is never a guess; and it never says what
the right signature would have been.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime

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


@dataclass(frozen=True, slots=True)
class Case:
    """A request that was refused, and everything that bears on it."""

    source: Source
    request: Request
    now: int
    #: By their names, this one included.
    sources: Mapping[str, Source]

    def accepts(self, **otherwise: object) -> bool:
        """Whether it is verified with something changed: `request`, `secrets` or `now`."""
        given = {"request": self.request, "secrets": self.source.secrets, "now": self.now, **otherwise}
        return verifies(self.source, given["request"], given["secrets"], given["now"])


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
    return tuple(finding for suspect in SUSPICIONS for finding in suspect(case))


def clock(case: Case) -> Iterator[str]:
    for signed_at in sorted(set(signing_times(case.request))):
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
        for number in _NUMBER.findall(value):
            yield int(number) * (SECOND if len(number) == DIGITS_OF_SECONDS else MILLISECOND)
        for read in (times.from_iso, http_date):
            try:
                yield read(value)
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
        elif verifies(other, case.request, other.secrets, case.now):
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
