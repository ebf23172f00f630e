"""JMESPath's trees as nested functions, made once: they give what jmespath's own interpreter gives, in less time.

Each node becomes a function from the value that it is evaluated on to its outcome. The tests hold them against the
interpreter.
"""

import operator
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from bridge.mapping.calls import Functions
from bridge.mapping.functions import FUNCTIONS, concat, exists
from bridge.mapping.presence import CHAINS, PROJECTIONS, There, presence
from bridge.mapping.work import spend

#: A node of jmespath's tree: {type, value, children}.
Node = Any
Run = Callable[[Any], Any]
#: Makes the function of a node out of those of its children.
Maker = Callable[..., Run]

#: Numbers out of JSON, and those that are no float.
NUMBERS = (int, float, Decimal)
ORDERED = (*NUMBERS, str)

_STANDARD = Functions()


def nodes(tree: Node) -> Iterator[Node]:
    """The tree's own node, and all below it."""
    yield tree
    for child in tree["children"]:
        if isinstance(child, dict):
            yield from nodes(child)


def closure(node: Node) -> Run:
    """Raises RecursionError."""
    inner = [closure(child) for child in node["children"] if isinstance(child, dict)]
    return made(node, inner)


def made(node: Node, inner: Iterable[Run]) -> Run:
    return MAKERS[node["type"]](node, *inner)


def is_false(value: Any) -> bool:
    """Null, false, empty text, an empty list and an empty object are; 0 is not."""
    return not value and (value is False or not isinstance(value, NUMBERS))


def current(_node: Node) -> Run:
    return lambda value: value


def literal(node: Node) -> Run:
    known = node["value"]
    return lambda _: known


def field(node: Node) -> Run:
    name = node["value"]
    return lambda value: value.get(name) if isinstance(value, dict) else None


def index(node: Node) -> Run:
    number = node["value"]

    def run(value: Any) -> Any:
        if not isinstance(value, list) or not -len(value) <= number < len(value):
            return None
        return value[number]

    return run


def slice_(node: Node) -> Run:
    part = slice(*node["children"])
    return lambda value: value[part] if isinstance(value, list) else None


def chain(node: Node, *links: Run) -> Run:
    """What each link finds is what the next is evaluated on."""
    if all(child["type"] == "field" for child in node["children"]):
        return names([child["value"] for child in node["children"]])

    def run(value: Any) -> Any:
        for link in links:
            value = link(value)
        return value

    return run


def names(steps: list[str]) -> Run:
    def run(value: Any) -> Any:
        for step in steps:
            if not isinstance(value, dict):
                return None
            value = value.get(step)
        return value

    return run


def flatten(_node: Node, base: Run) -> Run:
    def run(value: Any) -> Any:
        elements = base(value)
        if not isinstance(elements, list):
            return None
        flat: list[Any] = []
        spend(len(elements))
        for element in elements:
            if isinstance(element, list):
                flat.extend(element)
            else:
                flat.append(element)
        return flat

    return run


def projection(_node: Node, base: Run, each: Run) -> Run:
    def run(value: Any) -> Any:
        elements = base(value)
        if not isinstance(elements, list):
            return None
        spend(len(elements))
        return projected(elements, each)

    return run


def value_projection(_node: Node, base: Run, each: Run) -> Run:
    def run(value: Any) -> Any:
        block = base(value)
        if not isinstance(block, dict):
            return None
        spend(len(block))
        return projected(block.values(), each)

    return run


def filter_projection(_node: Node, base: Run, each: Run, condition: Run) -> Run:
    def run(value: Any) -> Any:
        elements = base(value)
        if not isinstance(elements, list):
            return None
        spend(len(elements))
        return projected((element for element in elements if not is_false(condition(element))), each)

    return run


def projected(elements: Iterable[Any], each: Run) -> list[Any]:
    return [outcome for outcome in map(each, elements) if outcome is not None]


def comparator(node: Node, left: Run, right: Run) -> Run:
    if node["value"] == "eq":
        return lambda value: is_equal(left(value), right(value))
    if node["value"] == "ne":
        return lambda value: not is_equal(left(value), right(value))
    compare = ORDERS[node["value"]]

    def run(value: Any) -> Any:
        first, second = left(value), right(value)
        return compare(first, second) if is_ordered(first) and is_ordered(second) else None

    return run


def is_equal(first: Any, second: Any) -> bool:
    """To Python 1 and true are equal; only inside of lists and objects they are to jmespath."""
    return bool(first == second) and isinstance(first, bool) is isinstance(second, bool)


def is_ordered(value: Any) -> bool:
    return isinstance(value, ORDERED) and not isinstance(value, bool)


def or_(_node: Node, left: Run, right: Run) -> Run:
    def run(value: Any) -> Any:
        first = left(value)
        return right(value) if is_false(first) else first

    return run


def and_(_node: Node, left: Run, right: Run) -> Run:
    def run(value: Any) -> Any:
        first = left(value)
        return first if is_false(first) else right(value)

    return run


def not_(_node: Node, inner: Run) -> Run:
    return lambda value: is_false(inner(value))


def multi_select_list(_node: Node, *parts: Run) -> Run:
    return lambda value: None if value is None else [part(value) for part in parts]


def multi_select_dict(node: Node, *parts: Run) -> Run:
    names = [pair["value"] for pair in node["children"]]

    def run(value: Any) -> Any:
        if value is None:
            return None
        return {name: part(value) for name, part in zip(names, parts, strict=True)}

    return run


def key_val_pair(_node: Node, inner: Run) -> Run:
    return inner


@dataclass(frozen=True, slots=True)
class _Expression:
    """jmespath's functions know what is meant by `&` by this name of its class, and hand it to `visit`."""

    expression: Run

    def visit(self, run: Run, value: Any) -> Any:
        spend(1)
        return run(value)


def expref(_node: Node, inner: Run) -> Run:
    expression = _Expression(inner)
    return lambda _: expression


def call(node: Node, *arguments: Run) -> Run:
    name = node["value"]
    if node.get("whole"):
        return whole_concat(node, *arguments)
    if there := summed(node):
        return sum_of(there, *arguments)
    function = FUNCTIONS.get(name)
    if function is None:
        return lambda value: _STANDARD.call_function(name, [argument(value) for argument in arguments])
    made = function.call
    if function.takes_null:
        return lambda value: made(*[argument(value) for argument in arguments])
    first, *others = arguments

    def run(value: Any) -> Any:
        spend(1)
        given = first(value)
        rest = [argument(value) for argument in others]
        return made(given, *rest) if exists(given) else None

    return run


def whole_concat(node: Node, *arguments: Run) -> Run:
    """See `with_whole_names`."""
    needed = needed_parts(node)

    def run(value: Any) -> Any:
        parts = [argument(value) for argument in arguments]
        return concat(*parts) if all(exists(parts[number]) for number in needed) else None

    return run


def needed_parts(node: Node) -> list[int]:
    """All but those with a literal to fall back on, as in `suffix || ''`."""
    return [
        number
        for number, child in enumerate(node["children"])
        if not (child["type"] == "or_expression" and child["children"][1]["type"] == "literal")
    ]


def with_whole_names(node: Node) -> Node:
    """The tree of an id or a lookup: concat() of null is null there, since `h-` alone names nothing."""
    children = [with_whole_names(child) if isinstance(child, dict) else child for child in node["children"]]
    whole = {"whole": True} if node["type"] == "function_expression" and node["value"] == "concat" else {}
    return {**node, **whole, "children": children}


def summed(node: Node) -> There | None:
    """Whether `sum(items[].seats)` has anything to add up: where no element has seats it is null, and not 0."""
    kinds = [child["type"] for child in node["children"]]
    if node["value"] != "sum" or len(kinds) != 1 or kinds[0] not in (*PROJECTIONS, *CHAINS):
        return None
    return presence(node["children"][0], closure)


def sum_of(there: There, numbers: Run) -> Run:
    def run(value: Any) -> Any:
        given = numbers(value)
        return None if given == [] and not there(value) else _STANDARD.call_function("sum", [given])

    return run


ORDERS: Mapping[str, Callable[[Any, Any], bool]] = {
    "lt": operator.lt,
    "lte": operator.le,
    "gt": operator.gt,
    "gte": operator.ge,
}

MAKERS: Mapping[str, Maker] = {
    "identity": current,
    "current": current,
    "literal": literal,
    "field": field,
    "index": index,
    "slice": slice_,
    "subexpression": chain,
    "index_expression": chain,
    "pipe": chain,
    "flatten": flatten,
    "projection": projection,
    "value_projection": value_projection,
    "filter_projection": filter_projection,
    "comparator": comparator,
    "or_expression": or_,
    "and_expression": and_,
    "not_expression": not_,
    "multi_select_list": multi_select_list,
    "multi_select_dict": multi_select_dict,
    "key_val_pair": key_val_pair,
    "expref": expref,
    "function_expression": call,
}
