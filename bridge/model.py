"""The words of the bridge as frozen values. Every room speaks them; rows, responses and requests die at the edges."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

import orjson

#: What can carry custom fields, as POST /v1/customFields/setValues lists it.
#: https://docs.metronome.com/api-reference/custom-fields/set-custom-field-values
ENTITIES = (
    "alert",
    "billable_metric",
    "charge",
    "commit",
    "contract",
    "contract_credit",
    "contract_product",
    "customer",
    "discount",
    "invoice",
    "package_commit",
    "package_credit",
    "package_scheduled_charge",
    "package_subscription",
    "product",
    "professional_service",
    "rate_card",
    "scheduled_charge",
    "subscription",
)

#: The type of an event that could not be read. No rule applies to it.
UNREADABLE = "unreadable"

#: What entities are looked up by that takes more than one text.
COMPOUND = ("custom_field", "uniqueness_key", "salesforce_opportunity_id")

#: Metronome's limit on a custom field value, in characters.
MAX_VALUE_LENGTH = 200
#: Metronome's limit on a custom field key, in characters.
MAX_KEY_LENGTH = 100


@dataclass(frozen=True, slots=True)
class Request:
    """One webhook request as it came in: the bytes are untouched."""

    method: str
    #: Path and query, exactly as they were sent.
    target: str
    #: Names in lower case.
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    #: Where senders reach this bridge from outside, without a trailing slash. Some senders sign the whole URL.
    public_urls: tuple[str, ...] = ()

    def header(self, name: str) -> str | None:
        return self.headers.get(name.lower())

    @property
    def urls(self) -> tuple[str, ...]:
        return tuple(base + self.target for base in self.public_urls)

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))


@dataclass(frozen=True, slots=True)
class Capture:
    """A request that was refused, kept for a while so that its setting up can be mended. Nothing in it is secret."""

    source: str
    received_at: int
    #: Why it was refused.
    reason: str
    #: What would have to be otherwise for it to be accepted.
    findings: tuple[str, ...]
    #: Redacted.
    request: Request
    #: Whether something was taken out of the body, or cut off it: then it cannot be verified again.
    is_whole: bool
    id: int = 0


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened. Only a sender's `unwrap` makes one from a request."""

    #: The sender's own id, or one made up by the sender module: unique within a source.
    event_id: str
    event_type: str
    payload: Any = field(repr=False)
    #: When it happened, by the sender's clock. None where the sender does not say.
    occurred_at: int | None = None
    #: Why this element of a batch cannot be read. It is stored as failed.
    problem: str | None = None

    @classmethod
    def unreadable(cls, identity: str, payload: Any, problem: str) -> "Event":
        """An element of a batch that is kept although it cannot be read: refusing it would refuse the whole batch."""
        return cls(f"{UNREADABLE}-{identity}", UNREADABLE, payload, problem=problem)


class EventState(StrEnum):
    RECEIVED = "received"
    TRANSLATED = "translated"
    IGNORED = "ignored"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event as remembered."""

    #: Rises with every event received, over all replicas: of two events of one time, the higher came later.
    id: int
    source: str
    event_id: str
    event_type: str
    occurred_at: int
    received_at: int
    payload: Any = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    state: EventState = EventState.RECEIVED
    reason: str | None = None
    #: Which text of the mapping file translated it.
    digest: str | None = None


class Reference(NamedTuple):
    """How a rule names its entity: `id` with a UUID, or a lookup still to be resolved.

    What is looked up by one text has it as its value. What takes more has a JSON list of texts, and at its end the
    reference to the customer under whom it is looked up: `["K-1",["ingest_alias","cus_1"]]`.
    """

    kind: str
    value: str

    @classmethod
    def of(cls, kind: str, parts: Sequence[str], customer: "Reference | None" = None) -> "Reference":
        if len(parts) == 1 and customer is None:
            return cls(kind, parts[0])
        under = [[customer.kind, *customer.parts]] if customer else []
        return cls(kind, orjson.dumps([*parts, *under]).decode())

    @property
    def entity_id(self) -> str | None:
        return self.value if self.kind == "id" else None

    @property
    def terms(self) -> list[Any]:
        return list(orjson.loads(self.value)) if self.kind in COMPOUND else [self.value]

    @property
    def parts(self) -> tuple[str, ...]:
        """What the entity itself is looked up by."""
        return tuple(term for term in self.terms if isinstance(term, str))

    @property
    def customer(self) -> "Reference | None":
        """Under whom it is looked up."""
        last = self.terms[-1]
        return Reference.of(last[0], last[1:]) if isinstance(last, list) else None

    def __str__(self) -> str:
        if self.kind == "id":
            return self.value
        under = f" under the customer {self.customer}" if self.customer else ""
        return " ".join((self.kind, *self.parts)) + under


class Target(NamedTuple):
    """One key of one entity, as a rule names it."""

    entity: str
    reference: Reference
    key: str


class ChangeState(StrEnum):
    #: Waits for its entity's turn.
    PENDING = "pending"
    #: Waits for its reference, for its entity, or (`partial`) for some of its keys, to exist in Metronome.
    PARKED = "parked"
    #: Metronome holds it, or held it.
    DELIVERED = "delivered"
    #: Every key had a newer value already: no call was made for it.
    SUPERSEDED = "superseded"
    #: Metronome will not have it. Can be replayed.
    REFUSED = "refused"
    #: An operator gave it up, or a replay took its place.
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class Change:
    """What one rule of one event asks of one entity."""

    rule: str
    entity: str
    reference: Reference
    set: Mapping[str, str]
    remove: tuple[str, ...]
    occurred_at: int
    #: Whether keys that Metronome takes are set although it refuses others: else it is all or nothing.
    partial: bool = False
    #: How far its own time lay in the future, in microseconds, so that it is dated by receipt. 0: it is not.
    ahead: int = 0


class Stamp(NamedTuple):
    """Who wins a key: the newest event time, then the event received later, then its later translation."""

    occurred_at: int
    event: int
    change: int


@dataclass(frozen=True, slots=True)
class StoredChange:
    """A change as remembered."""

    id: int
    event: int
    source: str
    rule: str
    entity: str
    reference: Reference
    #: None until the reference is resolved.
    entity_id: str | None
    #: Every key it touches; None removes.
    values: Mapping[str, str | None]
    occurred_at: int
    created_at: int
    state: ChangeState = ChangeState.PENDING
    reason: str | None = None
    partial: bool = False
    #: When it was to be tried again after Metronome had not taken it; None if that never happened.
    retry_at: int | None = None
    #: Which text of the mapping file made it.
    digest: str | None = None

    @property
    def stamp(self) -> Stamp:
        return Stamp(self.occurred_at, self.event, self.id)


@dataclass(frozen=True, slots=True)
class Field:
    """The last known state of one key of one entity, and the change that made it so."""

    #: None: removed.
    value: str | None
    stamp: Stamp
    #: Whether Metronome may hold something older: somebody who had lost the lease has written over it.
    doubted: bool = False
    #: True if Metronome may hold something newer that we do not know of: the database was restored from a backup.
    unsure: bool = False


@dataclass(frozen=True, slots=True)
class Write:
    """The fold of an entity's changes: at most one setValues and one deleteValues call."""

    set: Mapping[str, str]
    remove: tuple[str, ...]


class Verdict(StrEnum):
    """What an answer of Metronome means for the call."""

    ACCEPTED = "accepted"
    #: 429: everyone must wait.
    LIMITED = "limited"
    #: 5xx, 408, a timeout, no connection: worth another try.
    UNAVAILABLE = "unavailable"
    #: 401: Metronome rejects the token; no event is to blame.
    UNAUTHORIZED = "unauthorized"
    #: 403: the token lacks a permission for this endpoint or resource.
    FORBIDDEN = "forbidden"
    #: 404: no such entity, perhaps not yet.
    UNKNOWN = "unknown"
    #: 409: conflicts with what Metronome holds now, for example a unique value that another entity has.
    CONFLICT = "conflict"
    #: 400, 422: Metronome rejects this write.
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Outcome:
    """Metronome's answer to one call."""

    verdict: Verdict
    #: None: there was no answer.
    status: int | None = None
    message: str = ""
    #: How long to wait, in microseconds: what Metronome asks for, within bounds.
    retry_after: int | None = None
    #: What a rate limit (429) counts: "customer" or "client", by X-Metronome-Rate-Limit-Type. None: not said.
    scope: str | None = None
    #: Reserved for Metronome's error code.
    code: str | None = None


class Wait(StrEnum):
    """What an entity or a lookup waits for that only time or an operator can give."""

    PERMISSION = "permission"
    UNIQUE_VALUE = "unique value"
    RATE_LIMIT = "rate limit"
    #: It was about to be called when a gate closed.
    GATE = "gate"


@dataclass(frozen=True, slots=True)
class IndexState:
    """How far all customers are read, for all replicas, to find one by a custom field: see `pipeline.index`."""

    #: Which walk through all customers goes on, or was the last.
    walk: int = 0
    #: What is read by it.
    keys: tuple[str, ...] = ()
    began_at: int = 0
    pages: int = 0
    #: Where it goes on; None: at the first page.
    cursor: str | None = None
    is_walking: bool = False
    #: Who goes on with it, and until when nobody else may.
    lease: str | None = None
    leased_until: int = 0
    #: What the last walk that came to its end has read, and when that was.
    complete_keys: tuple[str, ...] = ()
    complete_at: int = 0


@dataclass(frozen=True, slots=True)
class Attempt:
    """One HTTP call to Metronome and its outcome."""

    call: str
    keys: tuple[str, ...]
    outcome: Outcome
    started_at: int
    #: Microseconds.
    duration: int
    changes: tuple[int, ...]
