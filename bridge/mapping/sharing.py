"""Expressions of a rule that goes through a list: what has nothing to do with the element is reckoned once for all.

Else a sum over all elements, asked for by each of them, would take a minute where there are 10,000.
"""

from collections.abc import Collection
from typing import Any

from bridge.errors import RuleError
from bridge.mapping.closures import Node, Run, closure, made
from bridge.mapping.presence import There

#: What `for_each` calls the element that it is at.
ELEMENT = "item"

#: Nodes whose later children are evaluated on the outcome of the first, not on the payload.
RELATIVE = {"subexpression", "index_expression", "pipe", "projection", "value_projection", "filter_projection"}
#: Nodes that may take long.
COSTLY = {"function_expression", "projection", "value_projection", "filter_projection", "flatten"}


class Scope(dict[str, Any]):
    """A payload with one element of it beside. `shared`: what is known already, for all its elements together."""

    __slots__ = ("shared",)

    def __init__(self, around: dict[str, Any], element: Any, shared: dict[int, Any]) -> None:
        super().__init__(around)
        self[ELEMENT] = element
        self.shared = shared


def as_it_is(scope: Any) -> Any:
    """To keep: the original gets another element."""
    return Scope(scope, scope[ELEMENT], scope.shared) if isinstance(scope, Scope) else scope


def sharing(node: Node) -> Run:
    """As `closure`, for scopes with an element. Raises RecursionError."""
    if node["type"] in COSTLY and not reads_element(node):
        return once(closure(node))
    shares = on_scope(node)
    return made(
        node,
        [
            sharing(child) if number in shares else closure(child)
            for number, child in enumerate(node["children"])
            if isinstance(child, dict)
        ],
    )


def shared(node: Node, there: There) -> There:
    """For `presence`: asked once for all elements where it has nothing to do with the element."""
    return there if reads_element(node) else once(there)


def reads_element(node: Node) -> bool:
    """Whether it reads the element, or the scope as a whole."""
    if node["type"] in ("current", "identity"):
        return True
    if node["type"] == "field":
        return bool(node["value"] == ELEMENT)
    return any(reads_element(node["children"][number]) for number in on_scope(node))


def on_scope(node: Node) -> Collection[int]:
    """Which of its children are evaluated on the scope itself."""
    if node["type"] == "expref":
        return ()
    numbers = [number for number, child in enumerate(node["children"]) if isinstance(child, dict)]
    return numbers[:1] if node["type"] in RELATIVE else numbers


def once(run: Run) -> Run:
    key = id(run)

    def evaluate(scope: Any) -> Any:
        if not isinstance(scope, Scope):
            return run(scope)
        if key not in scope.shared:
            scope.shared[key] = kept(run, scope)
        value, problem = scope.shared[key]
        if problem is not None:
            raise RuleError(problem)
        return value

    return evaluate


def kept(run: Run, scope: Scope) -> tuple[Any, str | None]:
    """The value and no problem, or no value and the problem."""
    try:
        return run(scope), None
    except RuleError as error:
        return None, str(error)
