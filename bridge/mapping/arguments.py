"""What can never work in an expression, whatever the event: arguments that a function does not take."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any
from zoneinfo import available_timezones

from bridge.errors import RuleError
from bridge.mapping.calls import AllFunctions
from bridge.mapping.closures import Node
from bridge.mapping.expressions import Flaw
from bridge.mapping.functions import FORMS, FUNCTIONS, UNITS, pattern_problem
from bridge.mapping.hints import closest
from bridge.mapping.outcomes import EXPRESSION, LIST, NULL, OBJECT, constant, is_constant, kind_of
from bridge.payload import describe

#: What each function surely takes in each place: it stands in for what only an event can tell.
PROBES: Mapping[str, Sequence[Any]] = {
    "lower": ("a",),
    "upper": ("a",),
    "trim": ("a",),
    "replace": ("a", "b", "c"),
    "split": ("a", ","),
    "substring": ("a", 0, 1),
    "coalesce": ("a",),
    "concat": ("a",),
    "add": (1,),
    "subtract": (1, 1),
    "multiply": (1, 1),
    "divide": (1, 1),
    "round": (1, 0),
    "fixed": (1, 0),
    "date": ("2026-11-22", "UTC", "date"),
    "from_epoch": (0, "s"),
    "map_value": ("a", {"a": "b"}, "c"),
    "matches": ("a", "a"),
    "extract": ("a", "a"),
    "exists": ("a",),
}
#: What stands in for what is surely of a kind that our functions mostly refuse.
SAMPLES: Mapping[str, Any] = {LIST: [], OBJECT: {}}

#: JMESPath's words for kinds of values, in ours.
KINDS = {
    "string": "text",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
    "expref": "an expression with & before it",
    "array-number": "a list of numbers",
    "array-string": "a list of texts",
}
PLACES = ("first", "second", "third")
#: Function and place -> the words of which one is expected.
WORDS: Mapping[tuple[str, int], Callable[[], Iterable[str]]] = {
    ("date", 1): available_timezones,
    ("date", 2): lambda: FORMS,
    ("from_epoch", 1): lambda: UNITS,
}

_FUNCTIONS = AllFunctions()


def flaws(tree: Node) -> Iterator[Flaw]:
    """Every call in the tree that can never succeed."""
    for child in tree["children"]:
        if isinstance(child, dict):
            yield from flaws(child)
    if tree["type"] == "function_expression":
        yield from flaws_of_call(tree)


def flaws_of_call(call: Node) -> Iterator[Flaw]:
    name, given = call["value"], call["children"]
    problem = problem_of_ours if name in FUNCTIONS else problem_of_standard
    found = [(node, problem(name, index, node)) for index, node in enumerate(given)]
    wrong = [Flaw(message, place(node, call), "argument-type") for node, message in found if message]
    yield from wrong
    values = [known(node) for node in given]
    if not wrong and None not in values and (message := refusal(name, [value for (value,) in filter(None, values)])):
        yield Flaw(message, call["offset"], "argument-type")


def place(node: Node, otherwise: Node) -> int:
    """Where a node begins, as far as the parser knows."""
    inner = [place(child, {}) for child in node["children"] if isinstance(child, dict)]
    known = [offset for offset in (node.get("offset"), *inner) if isinstance(offset, int) and offset >= 0]
    return min(known, default=otherwise.get("offset", -1))


def problem_of_ours(name: str, index: int, node: Node) -> str | None:
    """What our function says of this argument, when all others are such as it takes."""
    kind = kind_of(node)
    if kind == EXPRESSION:
        return f"{name}() takes no expression with & before it"
    if kind == NULL and index == 0 and not FUNCTIONS[name].takes_null:
        return f"{name}() of null is always null"
    exact = known(node)
    if exact is None and kind not in SAMPLES:
        return None
    value = exact[0] if exact else SAMPLES[kind or LIST]
    probes = PROBES[name]
    values = [*probes[:index], *[probes[-1]] * (index - len(probes)), value, *probes[index + 1 :]]
    message = refusal(name, values[: max(index + 1, len(probes))])
    return message and message + explained(name, index, value)


def known(node: Node) -> tuple[Any] | None:
    """The value of what is constant and can be evaluated."""
    try:
        return (constant(node),) if is_constant(node) else None
    except RuleError:
        return None


def refusal(name: str, values: Sequence[Any]) -> str | None:
    """Why a call cannot succeed with these."""
    try:
        _FUNCTIONS.call_function(name, values)
    except RuleError as error:
        message = str(error)
        return message if message.startswith(name) else f"{name}(): what it is given {message}"
    except (TypeError, ValueError, AttributeError, ArithmeticError):
        return f"{name}() cannot take {', '.join(map(describe, values))}"
    return None


def explained(name: str, index: int, value: Any) -> str:
    """`: did you mean ...?` for words of which there is a list, and what is wrong with a pattern."""
    if (name, index) in WORDS and isinstance(value, str):
        meant = closest(value, WORDS[name, index]())
        return f": did you mean {meant!r}?" if meant else ""
    if name in ("matches", "extract") and index == 1 and isinstance(value, str):
        return pattern_problem(value)
    return ""


def problem_of_standard(name: str, index: int, node: Node) -> str | None:
    signature = AllFunctions.FUNCTION_TABLE[name]["signature"]
    types = signature[min(index, len(signature) - 1)]["types"]
    kind = kind_of(node)
    if EXPRESSION in types and kind != EXPRESSION:
        return f"{name}() takes {KINDS[EXPRESSION]} as its {PLACES[index]} argument, as in {name}({usage(name)})"
    accepted = {word.split("-")[0] for word in types}
    if (not types and kind != EXPRESSION) or kind is None or kind in accepted:
        return None
    expected = " or ".join(KINDS[word] for word in types) or "a value"
    return f"{name}() takes {expected} {where(len(signature), index)}, not {KINDS[kind]}"


def where(arguments: int, index: int) -> str:
    return f"as its {PLACES[min(index, len(PLACES) - 1)]} argument" if arguments > 1 else "here"


def usage(name: str) -> str:
    return "&path, list" if name == "map" else "list, &path"
