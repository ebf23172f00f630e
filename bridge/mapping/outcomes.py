"""What can be known of an expression without any event: the kind of its values, and its value if it is constant.

Where nothing is certain nothing is said.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bridge.errors import RuleError
from bridge.mapping.calls import UNEVALUABLE
from bridge.mapping.closures import Node, is_false
from bridge.mapping.interpreter import Interpreter

#: Kinds of values, in JMESPath's own words.
TEXT, NUMBER, BOOLEAN, LIST, OBJECT, NULL, EXPRESSION = (
    *("string", "number", "boolean"),
    *("array", "object", "null", "expref"),
)

#: What a call gives if it gives anything but null.
GIVEN: Mapping[str, str] = {
    **dict.fromkeys(("lower", "upper", "trim", "replace", "substring", "concat", "date", "from_epoch"), TEXT),
    **dict.fromkeys(("join", "to_string", "type"), TEXT),
    **dict.fromkeys(("add", "subtract", "multiply", "divide", "round"), NUMBER),
    **dict.fromkeys(("abs", "avg", "ceil", "floor", "length", "sum", "to_number"), NUMBER),
    **dict.fromkeys(("matches", "exists", "contains", "starts_with", "ends_with"), BOOLEAN),
    **dict.fromkeys(("split", "keys", "values", "map", "sort", "sort_by", "to_array"), LIST),
    "merge": OBJECT,
}
#: What a node gives if it gives anything but null.
NODES: Mapping[str, str] = {
    **dict.fromkeys(("projection", "value_projection", "filter_projection", "flatten", "multi_select_list"), LIST),
    "multi_select_dict": OBJECT,
    "comparator": BOOLEAN,
    "not_expression": BOOLEAN,
    "expref": EXPRESSION,
}
#: Calls that always give something that is not empty, or fail.
ALWAYS_TRUE = ("type",)
#: Calls that give a number, which JMESPath calls true even if it is 0, or null for null.
COUNTS = ("length", "sum", "abs", "ceil", "floor")
#: Nodes that give a list or an object with something in it.
ALWAYS_MADE = ("multi_select_list", "multi_select_dict")
#: What one function makes of every text, and so of a text that it could have made.
FIXED: Mapping[str, Callable[[str], str]] = {"lower": str.lower, "upper": str.upper, "trim": str.strip}
#: Nodes that are constant if all their children are.
PLAIN = ("function_expression", "comparator", "and_expression", "or_expression", "not_expression")
#: Nodes whose later children see the outcome of the first, and nothing else.
CHAINED = (
    "subexpression",
    "index_expression",
    "pipe",
    "projection",
    "value_projection",
    "filter_projection",
    "flatten",
)
ORDER = ("lt", "lte", "gt", "gte")
EQUALITY = ("eq", "ne")


def is_constant(node: Node) -> bool:
    """Whether it reads nothing of the payload."""
    kind = node["type"]
    if kind in CHAINED:
        return is_constant(node["children"][0])
    if kind in PLAIN:
        return all(child["type"] == "expref" or is_constant(child) for child in node["children"])
    return bool(kind == "literal")


def constant(node: Node) -> Any:
    """Its value, for a constant node. Raises RuleError."""
    try:
        return Interpreter().visit(node, {})
    except RuleError:
        raise
    except UNEVALUABLE as error:
        raise RuleError(f"cannot be evaluated: {type(error).__name__}") from None


def kind_of(node: Node) -> str | None:
    """The kind of all that it gives, null aside; None if it can be of several, or nobody knows."""
    if is_constant(node):
        return kind_of_constant(node)
    kind = node["type"]
    if kind == "function_expression":
        return GIVEN.get(node["value"])
    if kind in ("or_expression", "and_expression"):
        kinds = {kind_of(child) for child in node["children"]}
        return kinds.pop() if len(kinds) == 1 else None
    if kind in ("pipe", "subexpression"):
        return kind_of(node["children"][-1])
    return NODES.get(kind)


def kind_of_constant(node: Node) -> str | None:
    try:
        return kind_of_value(constant(node))
    except RuleError:
        return None


def kind_of_value(value: Any) -> str | None:
    if isinstance(value, bool):
        return BOOLEAN
    kinds = {str: TEXT, int: NUMBER, float: NUMBER, list: LIST, dict: OBJECT, type(None): NULL}
    return kinds.get(type(value))


def truth(node: Node) -> bool | None:
    """Whether it always holds, or never; None if that depends."""
    kind, children = node["type"], node["children"]
    if is_constant(node):
        return truth_of_constant(node)
    if kind == "not_expression":
        inner = truth(children[0])
        return None if inner is None else not inner
    if kind in CHAINS:
        return truth_of_chain(node, CHAINS[kind])
    if kind == "comparator":
        return truth_of_comparison(node)
    is_true = kind in ALWAYS_MADE or (kind == "function_expression" and node["value"] in ALWAYS_TRUE)
    return True if is_true else None


def truth_of_constant(node: Node) -> bool | None:
    try:
        value = constant(node)
    except RuleError:
        return None
    return not is_false(value)


def truth_of_comparison(node: Node) -> bool | None:
    operator, kinds = node["value"], [kind_of(child) for child in node["children"]]
    if operator in ORDER:
        # JMESPath orders numbers and texts; of anything else it says null.
        return False if any(kind in (BOOLEAN, LIST, OBJECT, NULL) for kind in kinds) else None
    if (None not in kinds and kinds[0] != kinds[1]) or any(never_equal(*pair) for pair in both_ways(node)):
        return bool(operator == "ne")
    return None


def both_ways(node: Node) -> list[tuple[Node, Node]]:
    left, right = node["children"]
    return [(left, right), (right, left)]


def never_equal(call: Node, text: Node) -> bool:
    """Whether a function such as lower() is compared with a text that it never gives."""
    if call["type"] != "function_expression" or call["value"] not in FIXED or text["type"] != "literal":
        return False
    return isinstance(text["value"], str) and FIXED[call["value"]](text["value"]) != text["value"]


@dataclass(frozen=True, slots=True)
class Chain:
    """`&&` is decided by what is false, and two different equalities; `||` by what is true, and two inequalities."""

    decisive: bool
    comparison: str


CHAINS: Mapping[str, Chain] = {"and_expression": Chain(False, "eq"), "or_expression": Chain(True, "ne")}


def truth_of_chain(node: Node, chain: Chain) -> bool | None:
    parts = [truth(link) for link in links(node)]
    if chain.decisive in parts or contradicts(node, chain):
        return chain.decisive
    return None if None in parts else not chain.decisive


def contradicts(node: Node, chain: Chain) -> bool:
    """`a == 'x' && a == 'y'` never holds, and `a != 'x' || a != 'y'` always."""
    said: dict[str, Any] = {}
    for part in links(node):
        if part["type"] != "comparator" or part["value"] != chain.comparison:
            continue
        for subject, literal in both_ways(part):
            if literal["type"] == "literal" and subject["type"] != "literal":
                key = signature(subject)
                if key in said and said[key] != literal["value"]:
                    return True
                said[key] = literal["value"]
    return False


def links(node: Node) -> Iterator[Node]:
    """The parts of `a && b && c`."""
    for child in node["children"]:
        if child["type"] == node["type"]:
            yield from links(child)
        else:
            yield child


def signature(node: Node) -> str:
    """Says of two nodes whether they mean the same, wherever they stand."""
    children = [signature(child) if isinstance(child, dict) else repr(child) for child in node["children"]]
    return f"{node['type']}:{node.get('value')!r}({','.join(children)})"
