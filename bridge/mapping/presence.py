"""Whether a payload has anything where an expression reads, be it null: *missing* and *null* differ.

`items[].seats` is there if an element has seats, and missing if there are elements and none of them has. Of an empty
list it is there: the payload says that there are none.
"""

from collections.abc import Callable, Sequence
from typing import Any

from bridge.payload import MISSING, walk

Node = Any
Path = tuple[str | int, ...]
#: Value -> whether anything is there.
There = Callable[[Any], bool]
#: Makes a function of a node.
Evaluate = Callable[[Node], Callable[[Any], Any]]
#: Wraps what is asked of the payload itself: see `sharing`.
Keep = Callable[[Node, There], There]

CHAINS = ("subexpression", "index_expression", "pipe")
PROJECTIONS = ("projection", "value_projection", "filter_projection")
#: Nodes that read nothing by themselves. An `&expression` is evaluated by the function that takes it.
READ_NOTHING = ("literal", "expref")
#: The kind of value on which a node finds something.
NEEDS: dict[str, type] = {"flatten": list, "slice": list, "index": list}
IDENTITY = {"type": "identity", "children": []}


def plain_path(node: Node) -> Path | None:
    """The steps of `a.b[0].c`; None for anything that is more than that."""
    kind = node["type"]
    if kind == "field":
        return (node["value"],)
    if kind == "index" and node["value"] >= 0:
        return (node["value"],)
    if kind in ("subexpression", "index_expression"):
        parts = [plain_path(child) for child in node["children"]]
        return None if None in parts else tuple(step for part in parts if part for step in part)
    return () if kind in ("identity", "current") else None


def presence(node: Node, evaluate: Evaluate, keep: Keep = lambda _, there: there) -> There | None:
    """Tells of a value whether what the node reads in it is there. None: it reads nothing."""
    kind = node["type"]
    if kind in READ_NOTHING:
        return None
    if (steps := plain_path(node)) is not None:
        return lambda value: walk(value, steps) is not MISSING
    if kind in PROJECTIONS:
        return keep(node, of_projection(node, evaluate))
    if kind in CHAINS:
        head, *links = node["children"]
        return keep(node, of_chain(head, links, evaluate))
    if kind in NEEDS:
        return keep(node, of_list(node, evaluate))
    inner = [there for child in node["children"] if (there := presence(child, evaluate, keep))]
    return (lambda value: any(there(value) for there in inner)) if inner else None


def always(_value: Any) -> bool:
    return True


def of_projection(node: Node, evaluate: Evaluate) -> There:
    """`items[].seats`: whether one of the elements that are gone through has seats, or there are none."""
    base, each, *condition = node["children"]
    base_there, base_value = presence(base, evaluate) or always, evaluate(base)
    each_there = presence(each, evaluate) or always
    elements_of = evaluate({**node, "children": [base, IDENTITY, *condition]})

    def there(value: Any) -> bool:
        if not base_there(value):
            return False
        elements = elements_of(value)
        if elements is None:
            return base_value(value) is None
        return not elements or any(map(each_there, elements))

    return there


def of_chain(head: Node, links: Sequence[Node], evaluate: Evaluate) -> There:
    """`(items[].seats)[0]`, `items[?main] | [0].seats`: each link on what the one before it found."""
    steps = [(presence(link, evaluate) or always, evaluate(link)) for link in (head, *links[:-1])]
    last = of_link(links[-1], evaluate)

    def there(value: Any) -> bool:
        for step_there, run in steps:
            if not step_there(value):
                return False
            value = run(value)
        return last(value)

    return there


def of_link(node: Node, evaluate: Evaluate) -> There:
    """An index beyond what a filter has left is null: the payload says that there is no such element."""
    steps = plain_path(node)
    if not steps or not isinstance(steps[0], int):
        return presence(node, evaluate) or always
    first = steps[0]

    def there(value: Any) -> bool:
        return (isinstance(value, list) and first >= len(value)) or walk(value, steps) is not MISSING

    return there


def of_list(node: Node, evaluate: Evaluate) -> There:
    inner = [child for child in node["children"] if isinstance(child, dict)]
    base_there, base_value = (presence(inner[0], evaluate) or always, evaluate(inner[0])) if inner else (always, None)

    def there(value: Any) -> bool:
        found = base_value(value) if base_value else value
        return base_there(value) and (found is None or isinstance(found, list))

    return there
