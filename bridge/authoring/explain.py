"""Why the rules made of an event what they made: every rule, every scope, every field, and the branch each took. Pure.

Whatever `rules.apply` decides is decided here by the same functions, so that the translation of an explanation is what
`apply` makes of the event.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, TypeVar

from bridge.errors import RuleError
from bridge.mapping.dating import FutureEvents, Limit
from bridge.mapping.expressions import Expression
from bridge.mapping.rules import (
    Absent,
    Fate,
    FieldRule,
    Rule,
    Translation,
    applies,
    change_of,
    fate_of,
    heaviest,
    scopes_of,
    time_of,
    value_of,
)
from bridge.mapping.sharing import as_it_is
from bridge.mapping.values import to_text
from bridge.model import Change, Event, Reference
from bridge.payload import MISSING, Missing

T = TypeVar("T")


class Branch(StrEnum):
    """Which way a field went."""

    #: The mapping file itself gives the text.
    CONSTANT = "constant"
    VALUE = "value"
    TRUNCATED = "truncated"
    DEFAULT = "default"
    SKIPPED_MISSING = "skipped-missing"
    REMOVED_MISSING = "removed-missing"
    SKIPPED_NULL = "skipped-null"
    REMOVED_NULL = "removed-null"
    FAILED = "failed"


MISSING_BRANCHES: Mapping[Absent, Branch] = {
    Absent.SKIP: Branch.SKIPPED_MISSING,
    Absent.REMOVE: Branch.REMOVED_MISSING,
    Absent.DEFAULT: Branch.DEFAULT,
}
NULL_BRANCHES: Mapping[Absent, Branch] = {
    Absent.SKIP: Branch.SKIPPED_NULL,
    Absent.REMOVE: Branch.REMOVED_NULL,
    Absent.DEFAULT: Branch.DEFAULT,
}


@dataclass(frozen=True, slots=True)
class Found:
    """What an expression found in a scope."""

    expression: Expression
    #: MISSING where there is nothing, and where it could not be evaluated.
    value: Any = field(repr=False)
    #: Why it could not be evaluated.
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class FieldStory:
    """What became of one key."""

    key: str
    branch: Branch
    #: None: the mapping file itself gives the text.
    found: Found | None
    #: The text to set, None to remove the key, MISSING where it is left alone or failed.
    outcome: str | Missing | None = field(repr=False)
    #: Why it failed: field, path and reason.
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class ScopeStory:
    """What became of a rule for the payload, or for one element of its `for_each`."""

    #: Which element, from 0. None: the rule has no `for_each`.
    number: int | None
    #: What its expressions see.
    scope: Any = field(repr=False)
    fate: Fate
    #: None: the rule has no `when`.
    when: Found | None = None
    #: None, as is all that follows: nobody asked, because `when` does not hold.
    identity: Found | None = None
    #: What names the customer under whom a contract is looked up.
    customer: Found | None = None
    reference: Reference | None = None
    reference_problem: str | None = None
    #: Where the time comes from. None: the event's own counts.
    occurred_at: Found | None = None
    #: Microseconds.
    time: int | None = None
    time_problem: str | None = None
    fields: tuple[FieldStory, ...] = ()
    change: Change | None = None
    #: Why there is no change: the first of all problems here, as `apply` gives it.
    failure: str | None = None

    @property
    def place(self) -> str:
        """As failures name it: ` [0]`."""
        return "" if self.number is None else f" [{self.number}]"


@dataclass(frozen=True, slots=True)
class RuleStory:
    """What became of one rule."""

    rule: Rule
    fate: Fate
    #: None: the rule has no `for_each`, or the event's type is none of its own.
    for_each: Found | None = None
    scopes: tuple[ScopeStory, ...] = ()
    #: Why there are no scopes.
    problem: str | None = None

    @property
    def failures(self) -> tuple[str, ...]:
        """As `apply` gives them."""
        name = f"rule {self.rule.name!r}"
        if self.problem:
            return (f"{name}: {self.problem}",)
        return tuple(f"{name}{scope.place}: {scope.failure}" for scope in self.scopes if scope.failure)


@dataclass(frozen=True, slots=True)
class Explanation:
    """What the rules made of one event, and why."""

    #: With its time, or the time of receipt in its place.
    event: Event
    #: Whether the sender said when it happened.
    dated: bool
    rules: tuple[RuleStory, ...]

    @property
    def translation(self) -> Translation:
        """What `apply` makes of the event."""
        if self.event.problem:
            return Translation((), (self.event.problem,))
        scopes = [scope for story in self.rules for scope in story.scopes]
        return Translation(
            tuple(scope.change for scope in scopes if scope.change),
            tuple(failure for story in self.rules for failure in story.failures),
            tuple((story.rule.name, story.fate) for story in self.rules),
        )


def explain(rules: Sequence[Rule], event: Event, received_at: int, future: FutureEvents | None = None) -> Explanation:
    """`received_at` stands in for the time of an event that has none, and, by `future`, for one that lies ahead."""
    dated = event.occurred_at is not None
    timed = event if dated else replace(event, occurred_at=received_at)
    limit = Limit(received_at, future) if future else None
    return Explanation(timed, dated, () if event.problem else tuple(story_of(rule, timed, limit) for rule in rules))


def story_of(rule: Rule, event: Event, limit: Limit | None) -> RuleStory:
    if not rule.matches(event.event_type):
        return RuleStory(rule, Fate.OTHER_TYPE)
    for_each = find(rule.for_each, event.payload)
    scopes, problem = attempt(lambda: [(place, as_it_is(scope)) for place, scope in scopes_of(rule, event.payload)])
    stories = tuple(
        scope_story(rule, None if rule.for_each is None else number, scope, event, limit)
        for number, (_, scope) in enumerate(scopes or ())
    )
    fates = [Fate.NO_ELEMENT, *(story.fate for story in stories)]
    return RuleStory(rule, Fate.FAILED if problem else heaviest(fates), for_each, stories, problem)


def scope_story(rule: Rule, number: int | None, scope: Any, event: Event, limit: Limit | None) -> ScopeStory:
    when = find(rule.when, scope)
    runs, failure = attempt(lambda: applies(rule, scope))
    if not runs:
        return ScopeStory(number, scope, Fate.FAILED if failure else Fate.NOT_WHEN, when, failure=failure)
    customer = rule.locator.customer
    reference, reference_problem = attempt(lambda: rule.locator.reference(scope))
    time, time_problem = attempt(lambda: time_of(rule, scope, event))
    change, failure = attempt(lambda: change_of(rule, scope, event, limit))
    fate = Fate.FAILED if failure else fate_of(change)
    return ScopeStory(
        number=number,
        scope=scope,
        fate=fate,
        when=when,
        identity=find(rule.locator.path, scope),
        customer=find(customer.path if customer else None, scope),
        reference=reference,
        reference_problem=reference_problem,
        occurred_at=find(rule.occurred_at, scope),
        time=time,
        time_problem=time_problem,
        fields=tuple(field_story(field_rule, scope) for field_rule in rule.fields),
        change=change if fate is Fate.CHANGE else None,
        failure=failure,
    )


def field_story(field_rule: FieldRule, scope: Any) -> FieldStory:
    found = find(field_rule.path, scope)
    try:
        outcome = value_of(field_rule, scope)
    except RuleError as error:
        return FieldStory(field_rule.key, Branch.FAILED, found, MISSING, str(error))
    return FieldStory(field_rule.key, branch_of(field_rule, found, outcome), found, outcome)


def branch_of(field_rule: FieldRule, found: Found | None, outcome: str | Missing | None) -> Branch:
    """Which way led from what was found to the outcome."""
    if found is None:
        return Branch.CONSTANT
    if found.value is MISSING:
        return MISSING_BRANCHES[field_rule.when_missing]
    if found.value is None or found.value == "":
        return NULL_BRANCHES[field_rule.when_null]
    return Branch.VALUE if outcome == to_text(found.value) else Branch.TRUNCATED


def attempt(call: Callable[[], T]) -> tuple[T | None, str | None]:
    """The outcome and no problem, or no outcome and the problem."""
    try:
        return call(), None
    except RuleError as error:
        return None, str(error)


def find(expression: Expression | None, scope: Any) -> Found | None:
    if expression is None:
        return None
    try:
        return Found(expression, expression.evaluate(scope))
    except RuleError as error:
        return Found(expression, MISSING, str(error))
