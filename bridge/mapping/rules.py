"""Events in, changes out: what a mapping means. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from bridge.errors import RuleError
from bridge.mapping.dating import FutureEvents, Limit
from bridge.mapping.documents import Document
from bridge.mapping.expressions import Expression
from bridge.mapping.functions import moment
from bridge.mapping.locators import Locator
from bridge.mapping.sharing import ELEMENT, Scope
from bridge.mapping.values import fit, to_text
from bridge.mapping.work import made, spend
from bridge.model import Change, Event
from bridge.payload import MISSING, Missing, describe
from bridge.senders import Sender

#: What is done about times in the future where a file does not say.
FUTURE_EVENTS = FutureEvents()
#: What a payload may grow to before `for_each` gives up.
MAX_ELEMENTS = 10_000


class Absent(StrEnum):
    """What becomes of a key whose path finds nothing, or finds null or empty text."""

    SKIP = "skip"
    REMOVE = "remove"
    ERROR = "error"
    #: Where the field has a default and nothing else was said.
    DEFAULT = "default"


class Fate(StrEnum):
    """What became of a rule, or of one of its scopes. The later weighs more."""

    #: The event's type is none of the rule's.
    OTHER_TYPE = "other-type"
    #: `for_each` finds nothing, or an empty list.
    NO_ELEMENT = "no-element"
    #: `when` does not hold.
    NOT_WHEN = "not-when"
    #: Every field is left alone.
    NOTHING_LEFT = "nothing-left"
    CHANGE = "change"
    FAILED = "failed"


WEIGHT: Mapping[Fate, int] = {fate: number for number, fate in enumerate(Fate)}

#: Why a rule that is for an event's type makes no change of it.
WHY_IDLE: Mapping[Fate, str] = {
    Fate.NO_ELEMENT: "for_each finds no element",
    Fate.NOT_WHEN: "when does not hold",
    Fate.NOTHING_LEFT: "the event leaves all of its fields as they are",
}


class TooLong(StrEnum):
    ERROR = "error"
    TRUNCATE = "truncate"


@dataclass(frozen=True, slots=True)
class FieldRule:
    """Where the value of one key comes from."""

    key: str
    #: None: `constant` is the value.
    path: Expression | None
    constant: str | None = None
    default: str | None = None
    when_missing: Absent = Absent.SKIP
    when_null: Absent = Absent.REMOVE
    too_long: TooLong = TooLong.ERROR
    #: Whether no two entities may have the same value. None: the file does not say.
    unique: bool | None = None
    #: Line and column in the mapping file, from 1.
    place: tuple[int, int] = field(default=(1, 1), compare=False)
    #: Which of all this the file says itself: `path`, `when_null`, ...
    said: frozenset[str] = field(default=frozenset(), compare=False)


@dataclass(frozen=True, slots=True)
class Rule:
    """Which events, which entity, and which payload path becomes which key."""

    name: str
    entity: str
    #: Exact types, or beginnings that end in `*`. Empty: every type.
    events: tuple[str, ...]
    when: Expression | None
    for_each: Expression | None
    locator: Locator
    occurred_at: Expression | None
    fields: tuple[FieldRule, ...]
    partial: bool = False

    def matches(self, event_type: str) -> bool:
        for pattern in self.events:
            if matches(pattern, event_type):
                return True
        return not self.events


@dataclass(frozen=True, slots=True)
class Example:
    """An event and the changes that the rules must make of it."""

    name: str
    event: Any
    headers: Mapping[str, str]
    expect: Sequence[Mapping[str, Any]]
    #: Line and column in the mapping file, from 1.
    place: tuple[int, int]
    #: The file that holds the event, from the folder of the mapping file on. None: `event` is it.
    file: str | None = None


@dataclass(frozen=True, slots=True)
class CaptureRule:
    """What is done with requests that are not verified while a source is being set up."""

    #: For how long, from the first of them on.
    hours: int = 24
    #: How many are kept.
    requests: int = 20
    #: Whether the sender is told that all is well, so that it does not give up the subscription.
    acknowledge: bool = False


@dataclass(frozen=True, slots=True)
class Source:
    """One configured intake: a name, a sender, its secrets and its rules."""

    name: str
    path: str
    sender: Sender
    rules: tuple[Rule, ...]
    #: Which text of the file this is.
    digest: str
    secrets: tuple[str, ...] = field(default=(), repr=False)
    #: Names of the secrets' variables that are not set. The source is closed while there are any.
    unset: tuple[str, ...] = ()
    examples: tuple[Example, ...] = ()
    future_events: FutureEvents = FUTURE_EVENTS
    #: None: what is not verified leaves no trace but a line in the log.
    capture: CaptureRule | None = None
    #: The file that it was compiled from, and where everything stands in it.
    document: Document | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Translation:
    """What the rules made of one event. A rule that failed leaves the others alone."""

    changes: tuple[Change, ...]
    #: Why rules failed: rule, field, path and reason. Nothing of the payload.
    failures: tuple[str, ...] = ()
    #: By rule, in order. Empty where the rules were not even asked.
    fates: tuple[tuple[str, Fate], ...] = ()

    @property
    def idle(self) -> str | None:
        """Why there is neither a change nor a failure, rule by rule; None if there is one."""
        if self.changes or self.failures:
            return None
        reasons = [f"rule {name!r}: {WHY_IDLE[fate]}" for name, fate in self.fates if fate in WHY_IDLE]
        return "; ".join(reasons) or "no rule is for events of this type"


def matches(pattern: str, event_type: str) -> bool:
    if pattern.endswith("*"):
        return event_type.startswith(pattern[:-1])
    return pattern == event_type


def apply(rules: Sequence[Rule], event: Event, limit: Limit | None = None) -> Translation:
    """Returns every change that the rules ask for. Without `limit` any time counts. Raises TooMuchWorkError.

    `event.occurred_at` must be set.
    """
    changes: list[Change] = []
    failures: list[str] = []
    fates: list[tuple[str, Fate]] = []
    for rule in rules:
        found = [Fate.NO_ELEMENT]
        if not rule.matches(event.event_type):
            fates.append((rule.name, Fate.OTHER_TYPE))
            continue
        try:
            for place, scope in scopes_of(rule, event.payload):
                try:
                    change = change_of(rule, scope, event, limit) if applies(rule, scope) else None
                except RuleError as error:
                    failures.append(f"rule {rule.name!r}{place}: {error}")
                    found.append(Fate.FAILED)
                    continue
                found.append(fate_of(change))
                if change and found[-1] is Fate.CHANGE:
                    changes.append(change)
                    made(len(changes))
        except RuleError as error:
            failures.append(f"rule {rule.name!r}: {error}")
            found.append(Fate.FAILED)
        fates.append((rule.name, heaviest(found)))
    return Translation(tuple(changes), tuple(failures), tuple(fates))


def fate_of(change: Change | None) -> Fate:
    """None: `when` does not hold."""
    if change is None:
        return Fate.NOT_WHEN
    return Fate.CHANGE if change.set or change.remove else Fate.NOTHING_LEFT


def heaviest(fates: Iterable[Fate]) -> Fate:
    """A failure, then a change, then why there is none."""
    return max(fates, key=WEIGHT.__getitem__)


def scopes_of(rule: Rule, payload: Any) -> Iterator[tuple[str, Any]]:
    """What the rule's expressions see: the payload, or one element after the other with the payload around it.

    All elements have one scope: whoever keeps it takes it as it is then, with `as_it_is`. Raises RuleError.
    """
    if rule.for_each is None:
        yield "", payload
        return
    elements = evaluate(rule.for_each, payload, "for_each")
    if elements is MISSING or elements is None:
        return
    if not isinstance(elements, list) or len(elements) > MAX_ELEMENTS:
        what = "a longer list" if isinstance(elements, list) else describe(elements)
        raise RuleError(f"for_each {rule.for_each.text}: is {what}: a list of at most {MAX_ELEMENTS} was expected")
    scope = Scope(payload if isinstance(payload, dict) else {}, None, {})
    for number, element in enumerate(elements):
        spend(1)
        scope[ELEMENT] = element
        yield f" [{number}]", scope


def applies(rule: Rule, scope: Any) -> bool:
    try:
        return rule.when is None or rule.when.holds(scope)
    except RuleError as error:
        raise RuleError(f"when {rule.when.text if rule.when else ''}: {error}") from None


def evaluate(expression: Expression, scope: Any, what: str) -> Any:
    try:
        return expression.evaluate(scope)
    except RuleError as error:
        raise RuleError(f"{what} {expression.text}: {error}") from None


def change_of(rule: Rule, scope: Any, event: Event, limit: Limit | None = None) -> Change:
    """Raises RuleError: one bad field fails the whole change."""
    values: dict[str, str] = {}
    remove: list[str] = []
    for field_rule in rule.fields:
        value = value_of(field_rule, scope)
        if value is None:
            remove.append(field_rule.key)
        elif not isinstance(value, Missing):
            values[field_rule.key] = value
    own = time_of(rule, scope, event)
    time, ahead = limit.dated(own, whose_time(rule)) if limit else (own, 0)
    return Change(
        rule=rule.name,
        entity=rule.entity,
        reference=rule.locator.reference(scope),
        set=values,
        remove=tuple(remove),
        occurred_at=time,
        partial=rule.partial,
        ahead=ahead,
    )


def value_of(field_rule: FieldRule, scope: Any) -> str | Missing | None:
    """The text to set, None to remove the key, MISSING to leave it alone."""
    if field_rule.path is None:
        return field_rule.constant
    try:
        value = field_rule.path.evaluate(scope)
        if value is MISSING or value is None or value == "":
            return absent(field_rule, missing=value is MISSING)
        return fit(to_text(value), truncate=field_rule.too_long is TooLong.TRUNCATE)
    except RuleError as error:
        raise RuleError(f"field {field_rule.key}: {field_rule.path.text} {error}") from None


def absent(field_rule: FieldRule, *, missing: bool) -> str | Missing | None:
    action = field_rule.when_missing if missing else field_rule.when_null
    if action is Absent.DEFAULT:
        return field_rule.default
    if action is Absent.ERROR:
        raise RuleError("is missing" if missing else "is null or empty")
    return MISSING if action is Absent.SKIP else None


def time_of(rule: Rule, scope: Any, event: Event) -> int:
    if rule.occurred_at is None:
        return event.occurred_at or 0
    value = evaluate(rule.occurred_at, scope, "occurred_at")
    try:
        return moment(value)
    except RuleError as error:
        raise RuleError(f"occurred_at {rule.occurred_at.text}: {error}") from None


def whose_time(rule: Rule) -> str:
    return f"occurred_at {rule.occurred_at.text}" if rule.occurred_at else "the event's own time"
