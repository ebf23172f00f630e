"""What the checks of a mapping look at, and what they find."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bridge.mapping.documents import Document, Path
from bridge.mapping.expressions import Expression
from bridge.mapping.locators import Locator
from bridge.mapping.outcomes import signature
from bridge.mapping.reach import Case, Reach, Recorder, cases_of, reach_of, recorded
from bridge.mapping.rules import FieldRule, Rule, Source


@dataclass(frozen=True, slots=True)
class Finding:
    code: str
    message: str
    #: Where in the file: the value there, its key, or a character of an expression.
    path: Path
    key: bool = False
    offset: int | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """One expression of a rule: where it stands, and what the examples show to it."""

    path: Path
    expression: Expression
    record: Recorder
    #: when, for_each, id, lookup, occurred_at or field.
    role: str

    @property
    def tree(self) -> Any:
        return self.expression.tree


@dataclass(frozen=True, slots=True)
class RuleSubject:
    rule: Rule
    path: Path
    reach: Reach
    readings: tuple[Reading, ...]

    @property
    def identity(self) -> tuple[str, ...]:
        """Two rules of one identity change the same entities."""
        each = self.rule.for_each
        return (self.rule.entity, *identity_of(self.rule.locator), signature(each.tree) if each else "")


@dataclass(frozen=True, slots=True)
class Subject:
    """A source, the file that it was compiled from, and its examples."""

    source: Source
    document: Document
    cases: tuple[Case, ...]
    rules: tuple[RuleSubject, ...]
    now: int

    @property
    def readings(self) -> list[Reading]:
        return [reading for rule in self.rules for reading in rule.readings]

    @property
    def payloads(self) -> Iterator[Any]:
        for case in self.cases:
            for event in case.events:
                yield event.payload


def subject_of(source: Source, document: Document, now: int) -> Subject:
    cases = list(cases_of(source, now))
    rules = [rule_subject(index, rule, document, cases) for index, rule in enumerate(source.rules)]
    return Subject(source, document, tuple(cases), tuple(rules), now)


def rule_subject(index: int, rule: Rule, document: Document, cases: list[Case]) -> RuleSubject:
    path: Path = ("rules", index)
    reach = reach_of(rule, cases)
    role = "id" if rule.locator.kind == "id" else "lookup"
    given = [
        ("for_each", ("for_each",), rule.for_each, reach.payloads),
        ("when", ("when",), rule.when, reach.scopes),
        *((role, inner, expression, reach.applied) for inner, expression in rule.locator.expressions((role,))),
        ("occurred_at", ("occurred_at",), rule.occurred_at, reach.applied),
        *(("field", field_path(field, path, document), field.path, reach.applied) for field in rule.fields),
    ]
    readings = [
        Reading((*path, *inner), expression, recorded(expression, scopes), role)
        for role, inner, expression, scopes in given
        if expression is not None
    ]
    return RuleSubject(rule, path, reach, tuple(readings))


def identity_of(locator: Locator) -> Iterator[str]:
    yield from (locator.kind, signature(locator.path.tree), locator.key or "")
    if locator.crosswalk:
        yield from (locator.crosswalk.file, locator.crosswalk.column)
    if locator.customer:
        yield from identity_of(locator.customer)


def field_path(field: FieldRule, rule: Path, document: Document) -> Path:
    """Where the field's expression stands, below its rule."""
    short = ("fields", field.key)
    longer = (*short, "path")
    return longer if (*rule, *longer) in document.values else short
