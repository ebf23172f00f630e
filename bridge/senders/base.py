"""What every sender module offers the bridge: one frozen Sender."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeVar

import orjson
from marshmallow import Schema

from bridge.errors import NotThisShapeError, SignError, TooMuchError
from bridge.model import Event, Request
from bridge.payload import describe

#: Several while a secret is being rotated: any of them verifies.
Secrets = Sequence[str]
Unwrap = Callable[[Request, Secrets, int], list[Event]]
Read = Callable[[Request, int], list[Event]]
Sized = TypeVar("Sized", bound=Sequence[Any])

MAX_NAME_LENGTH = 255
#: How many events one request may bring. Vendors send a hundred or so; a body of a megabyte could hold half a million.
MAX_EVENTS = 5_000


@dataclass(frozen=True, slots=True)
class Answer:
    """What the sender takes for success. Senders differ: never 202 or 204, see docs/answers.md."""

    body: bytes = b"{}"
    content_type: str = "application/json"


def no_handshake(_request: Request, **_: Any) -> Answer | None:
    """Every request brings events."""
    return None


def no_objection(secret: str, **_: Any) -> None:
    """Any text can be the secret."""


def no_places(_options: Mapping[str, Any]) -> tuple[str, ...]:
    """No option says where the secret itself is."""
    return ()


def nothing_open(_options: Mapping[str, Any]) -> None:
    """No option takes anything out of the proof."""


def compose_json(payload: Any) -> bytes:
    try:
        return orjson.dumps(payload)
    except TypeError as error:
        raise SignError(f"the payload cannot be JSON: {error}") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """A product that sends webhooks: how it proves itself, batches, and expects to be answered.

    The functions of a sender that takes options have them as the keyword `options`: see `bound`.
    """

    name: str
    summary: str
    #: The vendor's own description of all this.
    url: str
    #: What the secret is called in the vendor's pages.
    credential: str
    #: (request, secrets, now) -> events. Verifies first, then reads. Raises SenderError.
    unwrap: Callable[..., list[Event]]
    #: (request, now) -> events. Reads without verifying: for examples and `try`, never for storing.
    read: Callable[..., list[Event]]
    #: (request, secret, now) -> the request as the sender would have signed it: for `send`.
    sign: Callable[..., Request]
    #: Payload -> body as the sender would post it: the inverse of reading. Raises SignError.
    compose: Callable[[Any], bytes] = compose_json
    content_type: str = "application/json"
    answer: Answer = Answer()
    #: Why its events may not say when they happened, and the remedy. None: they always do. Else the time of
    #: receipt stands in, and a repeat that comes late looks new.
    undated: str | None = None
    #: What the vendor's own proof leaves open, and the remedy. None: it covers the whole request.
    weak: str | None = None
    #: Options -> what they leave open beside that, and the remedy.
    leaves_open: Callable[[Mapping[str, Any]], str | None] = nothing_open
    #: Options -> names of headers and parameters that carry the secret itself, where its name does not tell.
    places: Callable[[Mapping[str, Any]], tuple[str, ...]] = no_places
    #: What those are with the options filled in.
    secret_places: tuple[str, ...] = ()
    #: Event pattern -> all the paths that such events have, where the vendor sends ids and no content.
    thin: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    #: Request -> what the vendor wants to read before it sends any event. Raises NotThisShapeError.
    handshake: Callable[..., Answer | None] = no_handshake
    #: Whether anybody may post, because there is no secret. Only the sender `none`.
    open: bool = False
    #: Secret -> what is wrong with it, without repeating it.
    check_secret: Callable[..., str | None] = no_objection
    #: What a mapping file may say under `options`.
    options: type[Schema] | None = None
    #: Sent with 401, for senders that wait to be asked.
    challenge: str | None = None
    #: Headers worth keeping beside an event. Never one that authenticates.
    kept_headers: tuple[str, ...] = ()

    def bound(self, options: Mapping[str, Any]) -> "Sender":
        """This sender with its options filled in."""
        if self.options is None:
            return self
        return replace(
            self,
            unwrap=partial(self.unwrap, options=options),
            read=partial(self.read, options=options),
            sign=partial(self.sign, options=options),
            handshake=partial(self.handshake, options=options),
            check_secret=partial(self.check_secret, options=options),
            undated=None if options.get("event_time") else self.undated,
            weak=self.leaves_open(options) or self.weak,
            secret_places=self.places(options),
        )


def bounded(elements: Sized) -> Sized:
    """Returns the elements of a batch. Raises TooMuchError if there are too many to make an event of each."""
    if len(elements) > MAX_EVENTS:
        raise TooMuchError(
            f"the request holds {len(elements)} events: at most {MAX_EVENTS} are accepted at a time, so send smaller"
            " batches"
        )
    return elements


def name_of(value: Any, what: str) -> str:
    """An id or a type as the sender gives it: text of 1 to 255 characters. A whole number becomes text."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise NotThisShapeError(f"{what} is {describe(value)}: text was expected")
    if not 0 < len(value) <= MAX_NAME_LENGTH or not value.isprintable():
        raise NotThisShapeError(f"{what} must have 1 to {MAX_NAME_LENGTH} printable characters")
    return value


def joined(parts: Iterable[str]) -> str:
    """An id of several names: all of them if they are as short as one, else a digest, since indexes have limits."""
    name = ":".join(parts)
    return name if len(name) <= MAX_NAME_LENGTH else digest_of(name.encode())


def digest_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]


def unnamed(body: bytes, occurred_at: int | None, now: int) -> str:
    """An event id where the sender gives none.

    A body that tells its own time is the same event whenever it comes again. One that does not may well say the same
    thing twice and mean it twice (gold, silver, gold), so each request is then an event of its own.
    """
    return digest_of(body) if occurred_at is not None else f"{digest_of(body)}-{now}"
