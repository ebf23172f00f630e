"""How an expression comes to its value, one step after the other; and where a path that finds nothing ends. Pure."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from difflib import get_close_matches
from itertools import islice, takewhile
from typing import Any

from bridge.authoring.notation import key_text, path_text
from bridge.errors import RuleError
from bridge.mapping import expressions
from bridge.mapping.calls import UNEVALUABLE
from bridge.mapping.closures import Node, with_whole_names
from bridge.mapping.expressions import Expression
from bridge.mapping.interpreter import Interpreter
from bridge.mapping.presence import Path, plain_path
from bridge.mapping.sharing import RELATIVE
from bridge.payload import MISSING, describe, parts, walk

#: Nodes that are written in the expression itself, or only mean what is there anyway.
SILENT = {"literal", "current", "identity", "expref"}
#: Nodes that may begin with a plain path and go on with something else.
TRUNKED = RELATIVE - {"pipe"} | {"flatten"}
#: Those of them that go on from child to child; the others have it in the first.
CHAINED = {"subexpression", "index_expression"}

#: How many keys a message names, and how many values are searched for a path that would have been right.
MAX_KEYS = 12
MAX_SEARCHED = 20_000


@dataclass(frozen=True, slots=True)
class Step:
    """A part of an expression, as it is written there, and what it came to."""

    text: str
    #: MISSING where a path finds nothing, and where the part cannot be evaluated.
    value: Any = field(repr=False)
    #: Why it cannot be evaluated.
    problem: str | None = None
    #: Where a path that finds nothing ends, and what is there instead. Names keys of the payload, but no values.
    ending: str | None = None


def steps_of(expression: Expression, scope: Any) -> tuple[Step, ...]:
    """Every part in the order of evaluation, a plain path as one; the last is the expression itself."""
    if expression.steps is not None:
        return (path_step(expression.text, expression.steps, scope),)
    try:
        value, problem = expression.evaluate(scope), None
    except RuleError as error:
        value, problem = MISSING, str(error)
    tree = parsed(expression.text)
    tree = with_whole_names(tree) if expression.names else tree
    recorder = Recorder(scope)
    recorder.run(tree)
    recorder.steps.pop(tree["text"], None)
    return (*recorder.steps.values(), Step(expression.text, value, problem))


def path_step(text: str, path: Path, scope: Any) -> Step:
    value = walk(scope, path)
    return Step(text, value, ending=ending(scope, path) if value is MISSING or value is None else None)


class Parser(expressions.Parser):
    """Remembers how each node is written."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text

    def _expression(self, binding_power: int = 0) -> Node:
        """As jmespath has it, but for the text."""
        first = self._tokens[self._index]
        self._index += 1
        left = getattr(self, f"_token_nud_{first['type']}")(first)
        if first["type"] != "lparen":
            self.write(first["start"], left)
        while binding_power < self.BINDING_POWER[operator := self._tokens[self._index]["type"]]:
            self._index += 1
            left = getattr(self, f"_token_led_{operator}")(left)
            self.write(first["start"], left)
        return left

    def write(self, start: int, node: Node) -> None:
        node["text"] = self.text[start : self._tokens[self._index]["start"]].strip()


def parsed(text: str) -> Node:
    """The tree of an expression that was compiled before."""
    # Not `parse`, which shares its trees with whoever else parses the same text.
    return Parser(text)._do_parse(text).parsed  # type: ignore[attr-defined]  # noqa: SLF001


class Recorder(Interpreter):
    """Keeps what every part comes to that is evaluated on the scope itself, and not on what another part found."""

    def __init__(self, scope: Any) -> None:
        super().__init__()
        self.scope = scope
        self.steps: dict[str, Step] = {}
        self.failed = False
        self.quiet = Interpreter()

    def run(self, tree: Node) -> None:
        """Ends early where a part cannot be evaluated."""
        with suppress(RuleError, *UNEVALUABLE):
            self.visit(tree, self.scope)

    def visit(self, node: Node, *arguments: Any) -> Any:
        (value,) = arguments
        if value is not self.scope or node["type"] in SILENT or "text" not in node:
            return super().visit(node, value)
        if (path := plain_path(node)) is not None:
            self.keep(path_step(node["text"], path, value))
            return self.quiet.visit(node, value)
        if path := trunk(node):
            self.keep(path_step(path_text(path), path, value))
            return self.evaluated(node, self.quiet.visit)
        return self.evaluated(node, super().visit)

    def evaluated(self, node: Node, evaluate: Callable[..., Any]) -> Any:
        try:
            value = evaluate(node, self.scope)
        except (RuleError, *UNEVALUABLE) as error:
            if not self.failed:
                reason = str(error) if isinstance(error, RuleError) else f"cannot be evaluated: {type(error).__name__}"
                self.keep(Step(node["text"], MISSING, reason))
            self.failed = True
            raise
        self.keep(Step(node["text"], value))
        return value

    def keep(self, step: Step) -> None:
        self.steps.setdefault(step.text, step)


def trunk(node: Node) -> Path:
    """The plain path that a node begins with."""
    if (whole := plain_path(node)) is not None:
        return whole
    if node["type"] not in TRUNKED:
        return ()
    children = node["children"] if node["type"] in CHAINED else node["children"][:1]
    plain = list(takewhile(lambda child: plain_path(child) is not None, children))
    rest = trunk(children[len(plain)]) if len(plain) < len(children) else ()
    return (*(step for child in plain for step in plain_path(child) or ()), *rest)


def ending(scope: Any, path: Path) -> str | None:
    """Where a path no longer leads on, and what is there instead. None: it does to its end, be that null."""
    here = scope
    for number, step in enumerate(path):
        place = path_text(path[:number]) if number else "the payload"
        if here is None:
            return f"{place} is null"
        if walk(here, (step,)) is MISSING:
            return f"{place} {dead_end(here, path, number)}{elsewhere(scope, path)}"
        here = walk(here, (step,))
    return None


def dead_end(here: Any, path: Path, number: int) -> str:
    step = path[number]
    if isinstance(here, dict):
        return f"has no {step!r}{alternatives(str(step), here)}"
    if isinstance(here, list) and isinstance(step, int):
        return f"has {len(here)} elements, and the first is [0]"
    if isinstance(here, list):
        example = path_text((*path[:number], 0, *path[number:]))
        return f"is a list of {len(here)}: write {example} for the first, or go through it with for_each"
    return f"is {describe(here)}: nothing lies below it"


def alternatives(key: str, here: dict[str, Any]) -> str:
    """`: did you mean 'tier'? It has plan, seats, tier`"""
    if not here:
        return ": it is empty"
    known = {name.casefold(): name for name in here}
    close = get_close_matches(key.casefold(), known, 1)
    meant = f"did you mean {known[close[0]]!r}? " if close else ""
    more = f" and {len(here) - MAX_KEYS} more" if len(here) > MAX_KEYS else ""
    return f": {meant}it has {', '.join(map(key_text, islice(here, MAX_KEYS)))}{more}"


def elsewhere(scope: Any, path: Path) -> str:
    """Where else in the payload there is something of that name."""
    found = [place for place, _ in islice(parts(scope), MAX_SEARCHED) if place and place[-1] == path[-1]]
    if not found or isinstance(path[-1], int):
        return ""

    def likeness(place: Sequence[str | int]) -> tuple[int, bool, int]:
        common = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(place[::-1], path[::-1], strict=False)))
        return common, not any(isinstance(step, int) for step in place), -len(place)

    return f"; there is {path_text(max(found, key=likeness))}"
