"""Checks of single expressions: what they ask of events that can hardly be meant."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bridge.mapping.arguments import place
from bridge.mapping.closures import Node, nodes
from bridge.mapping.findings import Finding, Reading, RuleSubject, Subject
from bridge.mapping.hints import closest
from bridge.mapping.outcomes import CHAINS, COUNTS, NUMBER, ORDER, is_constant, kind_of, links, truth
from bridge.mapping.reach import Lack
from bridge.mapping.sharing import ELEMENT, on_scope
from bridge.payload import MISSING, walk

#: Functions that take text of the author's in these places: a field there is mostly text in the wrong quotes.
TEXTS: Mapping[str, tuple[int, ...]] = {
    "replace": (1, 2),
    "split": (1,),
    "date": (1, 2),
    "from_epoch": (1,),
    "map_value": (2,),
    "matches": (1,),
    "starts_with": (1,),
    "ends_with": (1,),
    "contains": (1,),
    "join": (0,),
    "concat": tuple(range(100)),
    "coalesce": tuple(range(1, 100)),
}
#: What other languages have as literals.
BARE = ("true", "false", "null", "True", "False", "None", "nil", "undefined")


def conditions(readings: Sequence[Reading]) -> Iterator[Finding]:
    """`when`, and filters such as [?...], that always hold or never, or parts of which do."""
    for reading in readings:
        filters = [node["children"][2] for node in nodes(reading.tree) if node["type"] == "filter_projection"]
        for condition in [reading.tree, *filters] if reading.role == "when" else filters:
            for part, holds in constant_parts(condition):
                message = said_of(part, holds=holds)
                yield Finding("constant-condition", message, reading.path, offset=start(part))


def constant_parts(condition: Node) -> Iterator[tuple[Node, bool]]:
    """What of a condition never changes: what decides all of it, else the parts of && and || that do nothing."""
    outcome = True if counts(condition) else truth(condition)
    children = list(links(condition)) if condition["type"] in CHAINS else []
    if outcome is None:
        for child in children:
            yield from constant_parts(child)
        return
    deciding = [child for child in children if truth(child) is outcome]
    if deciding and CHAINS[condition["type"]].decisive is outcome:
        yield from constant_parts(deciding[0])
    else:
        yield condition, outcome


def counts(node: Node) -> bool:
    """Whether it gives a number that was hardly meant as a condition."""
    return node["type"] == "function_expression" and node["value"] in COUNTS and not is_constant(node)


def said_of(condition: Node, *, holds: bool) -> str:
    verdict = "this always holds" if holds else "this never holds"
    if kind_of(condition) == NUMBER and not is_constant(condition):
        return f"{verdict} where there is a number, because 0 counts as true as well: write length(list) > `0`"
    if condition["type"] == "literal" and isinstance(condition["value"], str):
        return f"{verdict}: a text alone is no comparison; write path == '...' for each, and a path without quotes"
    if is_constant(condition):
        return f"{verdict}: it reads nothing of the event"
    return f"{verdict}, whatever is in the event"


def start(node: Node) -> int | None:
    offset = place(node, {})
    return offset if offset >= 0 else None


def comparisons(readings: Sequence[Reading]) -> Iterator[Finding]:
    """What compares with a field where text, a number, true or false was meant."""
    for reading in readings:
        for node in nodes(reading.tree):
            if node["type"] == "comparator":
                yield from of_comparison(node, reading)
            elif node["type"] == "function_expression":
                yield from of_arguments(node, reading)


def of_comparison(node: Node, reading: Reading) -> Iterator[Finding]:
    left, right = node["children"]
    for field, other in ((right, left), (left, right)):
        if field["type"] != "field" or other["type"] == "literal" or field["offset"] in reading.record.found:
            continue
        if finding := word_for_literal(field, reading, needed=field is left):
            yield finding
            break
    for text in (left, right) if node["value"] in ORDER else ():
        if text["type"] == "literal" and is_number(text["value"]):
            yield Finding(
                "text-order",
                f"{text['value']!r} is text: numbers fail beside it, and texts are ordered letter by letter, '9' above"
                f" '10'; write to_number(path) and `{text['value']}`",
                reading.path,
                offset=text["offset"],
            )


def word_for_literal(field: Node, reading: Reading, *, needed: bool) -> Finding | None:
    """A lone name that is no field in any example. `needed`: it may well be one if its quotes are needed."""
    name = field["value"]
    if field.get("quoted") and (name.isidentifier() or not needed):
        message = (
            f"\"{name}\" in double quotes is a field of that name: text goes between single quotes, as in '{name}'"
        )
        return Finding("quoted-name", message, reading.path, offset=field["offset"])
    if name in BARE and not field.get("quoted"):
        literal = {"None": "null", "nil": "null", "undefined": "null"}.get(name, name.lower())
        message = f"{name} is a field of that name here: a literal goes between backticks, as in `{literal}`"
        return Finding("bare-word", message, reading.path, offset=field["offset"])
    if not needed and field["offset"] in reading.record.missed:
        message = f"no example has a field {name}: text goes between single quotes, as in '{name}'"
        return Finding("bare-word", message, reading.path, offset=field["offset"])
    return None


def of_arguments(call: Node, reading: Reading) -> Iterator[Finding]:
    for index, argument in enumerate(call["children"]):
        quoted = argument["type"] == "field" and argument.get("quoted")
        if quoted and index in TEXTS.get(call["value"], ()) and argument["offset"] not in reading.record.found:
            yield double_quoted(argument, reading)


def double_quoted(field: Node, reading: Reading) -> Finding:
    name = field["value"]
    message = f"\"{name}\" in double quotes is a field of that name: text goes between single quotes, as in '{name}'"
    return Finding("quoted-name", message, reading.path, offset=field["offset"])


def is_number(value: Any) -> bool:
    return isinstance(value, str) and value.strip().lstrip("-").replace(".", "", 1).isdecimal()


def items(subject: Subject) -> Iterator[Finding]:
    """`item` without for_each, and for_each without `item`."""
    for rule in subject.rules:
        reads = [
            (reading, node) for reading in rule.readings for node in roots(reading.tree) if node["value"] == ELEMENT
        ]
        if rule.rule.for_each is None:
            unknown = [(reading, node) for reading, node in reads if node["offset"] not in reading.record.found]
            for reading, node in unknown[:1]:
                message = "item is there only where the rule has for_each: add it, or drop item."
                yield Finding("item-outside", message, reading.path, offset=node["offset"])
        elif not reads and not reads_whole(rule):
            message = "for_each, and nothing in the rule reads item: every element does the same"
            yield Finding("item-unused", message, (*rule.path, "for_each"), key=True)


def roots(tree: Node) -> Iterator[Node]:
    """The fields that are looked for in the payload itself."""
    if tree["type"] == "field":
        yield tree
    for number in on_scope(tree):
        yield from roots(tree["children"][number])


def reads_whole(rule: RuleSubject) -> bool:
    """Whether something may look for item in a way that cannot be told: @, or * over all keys."""
    return any(() in reading.expression.paths for reading in rule.readings if reading.role != "for_each")


def unreached(subject: Subject) -> Iterator[Finding]:
    """Keys that no example has, though it reaches the rule: perhaps they are misspelled."""
    said = {(finding.path, finding.offset) for finding in (*comparisons(subject.readings), *items(subject))}
    for rule in subject.rules:
        for reading in rule.readings:
            for offset, lack in sorted(reading.record.missed.items()):
                if (reading.path, offset) not in said and not shown(reading, lack, subject):
                    yield Finding("unreached-path", said_of_lack(lack), reading.path, offset=offset)


def shown(reading: Reading, lack: Lack, subject: Subject) -> bool:
    """Whether some example has this path after all, perhaps for another rule."""
    steps = reading.expression.steps
    known = [path for path in ([steps] if steps else reading.expression.paths) if lack.name in path]
    return any(walk(payload, path) is not MISSING for path in known for payload in subject.payloads)


def said_of_lack(lack: Lack) -> str:
    if lack.kinds and not lack.keys:
        remedy = ": name an element, as in [0], or all with []" if "a list" in lack.kinds else ""
        return f"no example has {lack.name}: what it is looked for in is {' or '.join(sorted(lack.kinds))}{remedy}"
    meant = closest(lack.name, lack.keys)
    question = (
        f": did you mean {meant!r}?" if meant else f" here, but {some(lack.keys)}: correct it, or add it to an example"
    )
    return f"no example has {lack.name}{question}"


def some(keys: set[str], most: int = 6) -> str:
    """A few of the keys there are."""
    listed = sorted(keys)
    return ", ".join(listed[:most]) + (", ..." if len(listed) > most else "") if keys else "nothing"
