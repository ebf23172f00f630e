"""Paths and expressions: JMESPath (https://jmespath.org) with our functions, compiled once.

A plain dotted path is walked directly, which tells missing from null. An expression that comes out null or empty is
*missing* if nothing that it reads is there (see `presence`), and *null* otherwise.
"""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from jmespath.exceptions import JMESPathError, ParseError
from jmespath.parser import Parser as JMESPathParser

from bridge.errors import BridgeError, RuleError
from bridge.mapping import syntax
from bridge.mapping.calls import UNEVALUABLE, call_problem
from bridge.mapping.closures import Node, Run, closure, is_false, nodes, with_whole_names
from bridge.mapping.presence import Path, There, plain_path, presence
from bridge.mapping.sharing import RELATIVE, shared, sharing
from bridge.payload import MISSING, walk


@dataclass(frozen=True, slots=True)
class Flaw:
    """What is wrong at one place of an expression. `offset` counts characters from its beginning."""

    message: str
    offset: int = 0
    code: str = "expression-syntax"


class ExpressionError(BridgeError):
    """The text is no expression that could be evaluated. Message and offset are those of the first flaw."""

    def __init__(self, *flaws: Flaw) -> None:
        super().__init__(flaws[0].message)
        self.offset = flaws[0].offset
        self.flaws = flaws


@dataclass(frozen=True, slots=True)
class Expression:
    text: str
    #: Set for a plain path.
    steps: Path | None
    #: Every plain path it reads.
    paths: tuple[Path, ...]
    tree: Node = field(repr=False, compare=False)
    #: The tree as a function.
    run: Run = field(repr=False, compare=False)
    #: Whether anything that it reads is there. None: it reads nothing.
    there: There | None = field(default=None, repr=False, compare=False)
    #: True if it gives an id or what is looked up.
    names: bool = False

    def evaluate(self, scope: Any) -> Any:
        """The value, None or MISSING. Raises RuleError."""
        if self.steps is not None:
            return walk(scope, self.steps)
        try:
            value = self.run(scope)
        except RuleError:
            raise
        except UNEVALUABLE as error:
            raise RuleError(f"cannot be evaluated: {type(error).__name__}") from None
        return MISSING if value in (None, "") and self.misses(scope) else value

    def misses(self, scope: Any) -> bool:
        """True if nothing that it reads is there."""
        try:
            return self.there is not None and not self.there(scope)
        except (RuleError, *UNEVALUABLE):
            # A part that evaluation did not come to, such as what stands behind &&.
            return False

    def holds(self, scope: Any) -> bool:
        """As a condition. JMESPath calls null, false, empty text, an empty list and an empty object false."""
        return not is_false(self.evaluate(scope))


def compile_expression(text: str, *, for_each: bool = False, names: bool = False) -> Expression:
    """`for_each`: of a rule that has one, and evaluates it for each element. `names`: an id, or what is looked up.

    Raises ExpressionError.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", PendingDeprecationWarning)
            tree = Parser().parse(text).parsed
        check_literals(text)
        check_calls(tree)
        tree = with_whole_names(tree) if names else tree
        run = sharing(tree) if for_each else closure(tree)
        there = presence(tree, closure, shared) if for_each else presence(tree, closure)
        return Expression(text, plain_path(tree), tuple(paths(tree)), tree, run, there, names)
    except ParseError as error:
        reason, offset = syntax.reason(text, error)
        raise ExpressionError(Flaw(f"not a JMESPath expression: {reason}", offset)) from None
    except PendingDeprecationWarning:
        raise ExpressionError(Flaw(*syntax.bad_literal(text))) from None
    except (JMESPathError, ValueError, RecursionError):
        raise ExpressionError(Flaw("not a JMESPath expression: it is empty or too deep")) from None


def check_literals(text: str) -> None:
    """Raises ExpressionError for all numbers that would lose digits."""
    if flaws := [Flaw(message, offset, "wrong-value") for message, offset in syntax.inexact_literals(text)]:
        raise ExpressionError(*flaws)


def check_calls(tree: Node) -> None:
    """Raises ExpressionError for all that are wrong."""
    problems = [(call_problem(name, given), offset) for name, given, offset in calls(tree)]
    if flaws := [Flaw(problem[1], offset, problem[0]) for problem, offset in problems if problem]:
        raise ExpressionError(*flaws)


class Parser(JMESPathParser):
    """Remembers where everything stands. jmespath has no way to ask: this reaches into its parser."""

    _tokens: list[Node]
    _index: int

    def _token_nud_literal(self, token: Node) -> Node:
        return {**super()._token_nud_literal(token), "offset": token["start"]}  # type: ignore[misc]  # private, so without stubs

    def _token_nud_unquoted_identifier(self, token: Node) -> Node:
        return {**super()._token_nud_unquoted_identifier(token), "offset": token["start"]}  # type: ignore[misc]

    def _token_nud_quoted_identifier(self, token: Node) -> Node:
        field_ = super()._token_nud_quoted_identifier(token)  # type: ignore[misc]
        return {**field_, "offset": token["start"], "quoted": True}

    def _parse_comparator(self, left: Node, comparator: str) -> Node:
        operator = self._tokens[self._index - 1]
        return {**super()._parse_comparator(left, comparator), "offset": operator["start"]}  # type: ignore[misc]

    def _token_led_lparen(self, left: Node) -> Node:
        name = self._tokens[self._index - 2]
        return {**super()._token_led_lparen(left), "offset": name["start"]}  # type: ignore[misc]


def paths(node: Node) -> Iterator[Path]:
    """The plain paths that are read from the payload itself, each as far as it is plain."""
    whole = plain_path(node)
    if whole is not None:
        yield whole
        return
    children = [child for child in node["children"] if isinstance(child, dict)]
    for child in children[:1] if node["type"] in RELATIVE else children:
        yield from paths(child)


def calls(node: Node) -> Iterator[tuple[str, int, int]]:
    """Every call: the function's name, how many arguments, and where."""
    for inner in nodes(node):
        if inner["type"] == "function_expression":
            yield inner["value"], len(inner["children"]), inner["offset"]
