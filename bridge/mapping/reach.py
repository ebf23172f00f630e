"""How far examples reach into the expressions of a rule: which keys they have, and which they never had."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from bridge.errors import OperatorError, RuleError, SenderError, SignError
from bridge.mapping.calls import UNEVALUABLE
from bridge.mapping.closures import Node, is_false
from bridge.mapping.examples import events_of
from bridge.mapping.expressions import Expression
from bridge.mapping.interpreter import Interpreter
from bridge.mapping.rules import Example, Rule, Source, applies, scopes_of
from bridge.mapping.sharing import as_it_is
from bridge.model import Event
from bridge.payload import describe

#: How many payloads, or elements of lists, an expression is tried on.
MAX_SCOPES = 200


@dataclass(slots=True)
class Lack:
    """A key that was looked for and not there: what was there instead."""

    name: str
    keys: set[str] = field(default_factory=set)
    #: What was no object at all: `a list`, `text`.
    kinds: set[str] = field(default_factory=set)


class Recorder(Interpreter):
    """Evaluates, and notes of each field of the expression whether it was there. Looks at both sides of && and ||."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[int] = set()
        self.lacks: dict[int, Lack] = {}

    def visit_field(self, node: Node, value: Any) -> Any:
        offset = node["offset"]
        if isinstance(value, dict) and node["value"] in value:
            self.found.add(offset)
        elif value is not None:
            lack = self.lacks.setdefault(offset, Lack(node["value"]))
            if isinstance(value, dict):
                lack.keys.update(value)
            else:
                lack.kinds.add(describe(value))
        return super().visit_field(node, value)

    def visit_or_expression(self, node: Node, value: Any) -> Any:
        left, right = node["children"]
        outcome = self.visit(left, value)
        if is_false(outcome):
            return self.visit(right, value)
        self.look(right, value)
        return outcome

    def visit_and_expression(self, node: Node, value: Any) -> Any:
        left, right = node["children"]
        outcome = self.visit(left, value)
        if not is_false(outcome):
            return self.visit(right, value)
        self.look(right, value)
        return outcome

    def look(self, node: Node, value: Any) -> None:
        try:
            self.visit(node, value)
        except (RuleError, *UNEVALUABLE):
            # What fails here fails in the example as well, which says so.
            return

    @property
    def missed(self) -> dict[int, Lack]:
        """By offset: what no example had."""
        return {offset: lack for offset, lack in self.lacks.items() if offset not in self.found}


@dataclass(frozen=True, slots=True)
class Case:
    """An example and the events that its sender would make of it."""

    index: int
    example: Example
    events: tuple[Event, ...]


def cases_of(source: Source, now: int) -> Iterator[Case]:
    """The examples that can be read."""
    for index, example in enumerate(source.examples):
        try:
            events = events_of(source, example, now)
        except (SenderError, SignError, OperatorError):
            continue
        yield Case(index, example, tuple(event for event in events if not event.problem))


@dataclass(frozen=True, slots=True)
class Reach:
    """What the examples show to one rule."""

    #: Payloads of its events; what its `when` saw; what its fields saw.
    payloads: tuple[Any, ...]
    scopes: tuple[Any, ...]
    applied: tuple[Any, ...]


def reach_of(rule: Rule, cases: list[Case]) -> Reach:
    payloads = [event.payload for case in cases for event in case.events if rule.matches(event.event_type)]
    scopes = [scope for payload in payloads for scope in scopes_in(rule, payload)]
    return Reach(tuple(payloads), tuple(scopes), tuple(scope for scope in scopes if holds(rule, scope)))


def scopes_in(rule: Rule, payload: Any) -> list[Any]:
    try:
        return [as_it_is(scope) for _, scope in scopes_of(rule, payload)]
    except RuleError:
        return []


def holds(rule: Rule, scope: Any) -> bool:
    try:
        return applies(rule, scope)
    except RuleError:
        return False


def recorded(expression: Expression, scopes: tuple[Any, ...]) -> Recorder:
    recorder = Recorder()
    for scope in scopes[:MAX_SCOPES]:
        recorder.look(expression.tree, scope)
    if len(scopes) > MAX_SCOPES:
        # What was not there may be in the rest.
        recorder.lacks.clear()
    return recorder
