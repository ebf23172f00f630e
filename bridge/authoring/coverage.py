"""What of a mapping its examples show. A fold over explanations."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from bridge.authoring.explain import Branch, Explanation, ScopeStory, explain
from bridge.errors import OperatorError, SenderError, SignError
from bridge.mapping import examples
from bridge.mapping.calls import AllFunctions
from bridge.mapping.documents import Problem
from bridge.mapping.expressions import Expression, calls
from bridge.mapping.functions import text
from bridge.mapping.interpreter import Interpreter
from bridge.mapping.rules import Absent, Example, Fate, FieldRule, Rule, Source, TooLong

#: With how many arguments map_value has a fallback.
WITH_FALLBACK = 3


class Way(StrEnum):
    """What can become of a rule or of a field, as far as the mapping file says something about it."""

    APPLIES = "applies"
    NOT_WHEN = "when does not hold"
    NO_ELEMENT = "for_each finds nothing"
    VALUE = "value"
    DEFAULT = "default"
    MISSING = "when_missing"
    NULL = "when_null"
    TRUNCATED = "truncate"
    FALLBACK = "fallback"


@dataclass(frozen=True, slots=True)
class Point:
    """One thing that an example can show."""

    rule: str
    way: Way
    #: None: it is about the rule itself.
    field: str | None = None

    def __str__(self) -> str:
        return f"{self.field}: {self.way}" if self.field else str(self.way)


@dataclass(frozen=True, slots=True)
class Coverage:
    source: Source
    points: tuple[Point, ...]
    #: Those that no example shows.
    missed: tuple[Point, ...]

    @property
    def shown(self) -> int:
        return len(self.points) - len(self.missed)

    @property
    def percent(self) -> int:
        """Rounded down, so that 100 means all."""
        return 100 * self.shown // len(self.points)


def measure(source: Source, now: int) -> Coverage:
    """An example that cannot be read shows nothing."""
    points = tuple(point for rule in source.rules for point in points_of(rule))
    shown = {
        point
        for example in source.examples
        for explanation in explanations(source, example, now)
        for point in shown_by(explanation)
    }
    return Coverage(source, points, tuple(point for point in points if point not in shown))


def shortfall(coverage: Coverage, least: int) -> Iterator[Problem]:
    """If less than `least` percent is shown: what is not, as a problem of the file."""
    if coverage.percent < least:
        missed = "\n".join(f"  rule {rule!r}: {', '.join(what)}" for rule, what in by_rule(coverage.missed).items())
        message = (
            f"the examples show {coverage.percent}% of what the rules say, not {least}%; no example shows\n{missed}"
        )
        yield Problem(coverage.source.path, 1, 1, message, code="coverage")


def by_rule(points: Iterable[Point]) -> Mapping[str, list[str]]:
    rules: dict[str, list[str]] = {}
    for point in points:
        rules.setdefault(point.rule, []).append(str(point))
    return rules


def points_of(rule: Rule) -> Iterator[Point]:
    """All that there is to show of a rule."""
    yield Point(rule.name, Way.APPLIES)
    if rule.when:
        yield Point(rule.name, Way.NOT_WHEN)
    if rule.for_each:
        yield Point(rule.name, Way.NO_ELEMENT)
    for field in rule.fields:
        yield from (Point(rule.name, way, field.key) for way, says in SAID.items() if says(field))


def explanations(source: Source, example: Example, now: int) -> list[Explanation]:
    try:
        return [explain(source.rules, event, now) for event in examples.events_of(source, example, now)]
    except (SenderError, SignError, OperatorError):
        return []


def shown_by(explanation: Explanation) -> Iterator[Point]:
    for story in explanation.rules:
        if story.fate is Fate.NO_ELEMENT:
            yield Point(story.rule.name, Way.NO_ELEMENT)
        for scope in story.scopes:
            yield from shown_in(story.rule, scope)


def shown_in(rule: Rule, scope: ScopeStory) -> Iterator[Point]:
    if scope.fate is Fate.NOT_WHEN:
        yield Point(rule.name, Way.NOT_WHEN)
    if scope.fate not in (Fate.CHANGE, Fate.NOTHING_LEFT):
        return
    yield Point(rule.name, Way.APPLIES)
    for field in scope.fields:
        yield from (Point(rule.name, way, field.key) for way in TAKEN[field.branch])
        if field.found and falls_back(field.found.expression, scope.scope):
            yield Point(rule.name, Way.FALLBACK, field.key)


def has_fallback(expression: Expression | None) -> bool:
    found = calls(expression.tree) if expression else ()
    return any(name == "map_value" and given == WITH_FALLBACK for name, given, _ in found)


def falls_back(expression: Expression, scope: Any) -> bool:
    """Whether a map_value() in it takes its fallback."""
    if not has_fallback(expression):
        return False
    watching = Watching()
    Interpreter(watching).visit(expression.tree, scope)
    return watching.fell_back


class Watching(AllFunctions):
    fell_back = False

    def call_function(self, function_name: str, resolved_args: Iterable[Any]) -> Any:
        arguments = list(resolved_args)
        if function_name == "map_value" and len(arguments) == WITH_FALLBACK and arguments[0] not in (None, ""):
            self.fell_back |= text(arguments[0], function_name) not in arguments[1]
        return super().call_function(function_name, arguments)


#: Whether a file says something about a way of a field. Left out is what comes with the rule, as a constant does, and
#: `error`, since a rule that fails fails its example.
SAID: Mapping[Way, Callable[[FieldRule], bool]] = {
    Way.VALUE: lambda field: bool(field.path and field.path.paths),
    Way.DEFAULT: lambda field: field.default is not None and Absent.DEFAULT in (field.when_missing, field.when_null),
    Way.MISSING: lambda field: "when_missing" in field.said and field.when_missing is not Absent.ERROR,
    Way.NULL: lambda field: "when_null" in field.said and field.when_null is not Absent.ERROR,
    Way.TRUNCATED: lambda field: field.too_long is TooLong.TRUNCATE,
    Way.FALLBACK: lambda field: has_fallback(field.path),
}

TAKEN: Mapping[Branch, tuple[Way, ...]] = {
    Branch.CONSTANT: (Way.VALUE,),
    Branch.VALUE: (Way.VALUE,),
    Branch.TRUNCATED: (Way.VALUE, Way.TRUNCATED),
    Branch.DEFAULT: (Way.DEFAULT,),
    Branch.SKIPPED_MISSING: (Way.MISSING,),
    Branch.REMOVED_MISSING: (Way.MISSING,),
    Branch.SKIPPED_NULL: (Way.NULL,),
    Branch.REMOVED_NULL: (Way.NULL,),
}
