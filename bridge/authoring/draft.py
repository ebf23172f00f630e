"""A first mapping file, made of a payload: guesses that lint, with an example that passes. Pure."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any

from bridge.authoring.anchors import Anchor, anchors_of, snake
from bridge.authoring.material import Material
from bridge.authoring.steps import ending
from bridge.authoring.suggest import Entry, entries_of
from bridge.authoring.yaml_text import entry as yaml_entry
from bridge.authoring.yaml_text import text as yaml_text
from bridge.errors import BridgeError, RuleError, SenderError, SignError
from bridge.mapping import examples
from bridge.mapping.compiler import compile_source
from bridge.mapping.expressions import ExpressionError, compile_expression
from bridge.mapping.presence import Path
from bridge.mapping.rules import Example, FieldRule, Source, TooLong, value_of
from bridge.mapping.sharing import ELEMENT
from bridge.mapping.values import to_text
from bridge.model import MAX_KEY_LENGTH, MAX_VALUE_LENGTH, Change, Event
from bridge.payload import MISSING, parse
from bridge.senders import Sender

#: Names that say nothing without what they are a part of.
VAGUE = {"id", "name", "type", "value", "status", "state", "code", "key", "label", "title", "url", "object", "data"}

#: Senders whose secret is in the body: it must not become an example.
PROVEN_BY_BODY = ("microsoft-graph", "zoho")

#: How notes begin that an author should see beside the field.
WORTH_SAYING = ("a time", "cents")

#: What generic senders call the type of an event that has none.
UNTYPED = "untyped"

_SECRET = re.compile("authorization|cookie|signature|hmac|hash|token|secret|key|login|password", re.IGNORECASE)


@dataclass(slots=True)
class Block:
    """One rule while it is drafted."""

    anchor: Anchor
    #: Key -> its path, too_long, and a remark.
    fields: dict[str, tuple[str, bool, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Draft:
    text: str
    rules: int
    fields: int
    #: Whether an example is in it.
    has_example: bool
    #: Paths that got no field, and why.
    left_out: Mapping[str, str]


def draft(material: Material, sender: Sender, name: str, chosen: Sequence[str], now: int) -> Draft:
    """For the first event. `chosen`: paths and expressions; none: whatever can be a field. Raises BridgeError."""
    drafter = Drafter(material.events[0])
    for path in chosen:
        drafter.choose(path)
    if not chosen:
        drafter.choose_all({str(place) for option, place in material.options.items() if option.startswith("event_")})
    blocks = [block for block in drafter.blocks if block.fields]
    if not blocks:
        raise BridgeError("there is nothing to make a field of: name paths with --path")
    head = "\n".join(head_lines(material, sender, name))
    rules = "\n".join(line for number, block in enumerate(blocks) for line in rule_lines(blocks, number, material))
    bare = f"{head}\n\nrules:\n{rules}\n"
    source = compiled(name, bare)
    example = next(example_lines(source, material, now), ())
    text = "\n".join([bare, "examples:", *example]) + "\n" if example else bare
    fields = sum(len(block.fields) for block in blocks)
    return Draft(text, len(blocks), fields, bool(example), drafter.left_out)


class Drafter:
    """Finds a rule for each path."""

    def __init__(self, event: Event) -> None:
        self.payload = event.payload
        self.entries = entries_of(event.payload)
        self.blocks = [Block(anchor) for anchor in anchors_of(event, self.entries)]
        self.left_out: dict[str, str] = {}

    def choose_all(self, known: set[str]) -> None:
        """But for ids that name entities, and for what the event says of itself."""
        known = known | {block.anchor.entry.path for block in self.blocks}
        known |= {block.anchor.for_each for block in self.blocks if block.anchor.for_each}
        for one in self.entries:
            if one.path in known or any(isinstance(step, int) for step in one.steps[-1:]):
                continue
            block = self.block_for(one)
            if isinstance(one.value, list | dict):
                self.left_out[one.path] = "no value of one piece"
            elif block is None:
                self.left_out[one.path] = "no rule goes through this list: see for_each"
            elif problem := self.add(block, one, one.item if block.anchor.for_each and one.for_each else one.path):
                self.left_out[one.path] = problem

    def choose(self, path: str) -> None:
        """A path of the payload, an element's `item.x`, or an expression. Raises BridgeError."""
        try:
            expression = compile_expression(path)
        except ExpressionError as error:
            raise BridgeError(f"{path}: {error}") from None
        one = next((one for one in self.entries if path in (one.path, one.item)), None) or self.made_up(
            expression.paths[0] if expression.paths else ()
        )
        block = self.block_for(one)
        if block is None:
            raise BridgeError(f"{path} is in a list, and there is no id in its elements that would name an entity")
        written = one.item if path == one.path and one.for_each and block.anchor.for_each else path
        if problem := self.add(block, one, written):
            raise BridgeError(f"{path} {problem}")

    def made_up(self, steps: Path) -> Entry:
        """What stands for something that is no value of the payload itself, such as an expression."""
        lists = [block.anchor.for_each for block in self.blocks if block.anchor.for_each]
        return Entry(steps, None, lists[0] if steps[:1] == (ELEMENT,) and lists else None)

    def block_for(self, one: Entry) -> Block | None:
        """The rule that goes through the same list; else the one whose id is nearest."""
        within = [block for block in self.blocks if block.anchor.for_each == one.for_each]
        if not within and one.for_each is None:
            within = self.blocks
        return max(within, key=lambda block: shared(block.anchor.entry.steps, one.steps), default=None)

    def add(self, block: Block, one: Entry, path: str | None) -> str | None:
        """Why it cannot be a field, if it cannot."""
        path, too_long, problem = fitted(path or one.path, self.scopes_of(block))
        if problem is None:
            remark = "" if too_long else "; ".join(note for note in one.notes if note.startswith(WORTH_SAYING))
            block.fields[key_for(one, path, block.fields)] = (path, too_long, remark)
        return problem

    def scopes_of(self, block: Block) -> list[Any]:
        if block.anchor.for_each is None:
            return [self.payload]
        elements = compile_expression(block.anchor.for_each).evaluate(self.payload)
        return [{**self.payload, ELEMENT: element} for element in elements]


def shared(steps: Path, others: Path) -> int:
    """How much of the way two values have in common."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(steps, others, strict=False)))


def fitted(path: str, scopes: Sequence[Any]) -> tuple[str, bool, str | None]:
    """The path, made text if it is a list or an object; whether it is too long somewhere; why it will not do."""
    expression = compile_expression(path)
    try:
        values = [expression.evaluate(scope) for scope in scopes]
    except RuleError as error:
        return path, False, str(error)
    if all(value is MISSING for value in values):
        where = ending(scopes[0], expression.steps) if expression.steps and scopes else None
        return path, False, f"finds nothing{f': {where}' if where else ''}"
    lists = [value for value in values if isinstance(value, list | dict)]
    if lists:
        texts = all(isinstance(value, list) and all(isinstance(one, str) for one in value) for value in lists)
        path = f"join(', ', {path})" if texts else f"to_string({path})"
        expression = compile_expression(path)
    too_long = False
    try:
        for scope in scopes:
            value = expression.evaluate(scope)
            too_long = too_long or len(to_text("" if value in (None, MISSING) else value)) > MAX_VALUE_LENGTH
            value_of(FieldRule("", expression, too_long=TooLong.TRUNCATE), scope)
    except RuleError as error:
        return path, False, str(error).removeprefix(f"field : {path} ")
    return path, too_long, None


def key_for(one: Entry, path: str, taken: Iterable[str]) -> str:
    """The last name of the path, and as many of those before it as it takes to say something new."""
    names = [snake(step) for step in one.steps if isinstance(step, str)] or [snake(path)]
    if one.item:
        names = [
            snake(step)
            for step in compile_expression(one.item).steps or ()
            if step != ELEMENT and isinstance(step, str)
        ] or names
    names = [name for name in names if name] or ["field"]
    least = 2 if names[-1] in VAGUE and len(names) > 1 else 1
    for count in range(least, len(names) + 1):
        key = "_".join(names[-count:])[-MAX_KEY_LENGTH:].strip("_")
        if key not in taken:
            return key
    number = 2
    while f"{key[: MAX_KEY_LENGTH - 6]}_{number}" in taken:
        number += 1
    return f"{key[: MAX_KEY_LENGTH - 6]}_{number}"


def head_lines(material: Material, sender: Sender, name: str) -> Iterator[str]:
    yield "# A draft, made of one event: look at what is guessed, then run `metronome-bridge check`."
    yield f"sender: {sender.name}"
    if not sender.open:
        variable = "_".join(re.findall("[A-Z0-9]+", name.upper())) or "SOURCE"
        yield f'secrets: ["${{{"" if variable[0].isalpha() else "S_"}{variable}_WEBHOOK_SECRET}}"]'
    if material.options:
        yield from yaml_entry("options:", dict(material.options), 2)


def rule_lines(blocks: Sequence[Block], number: int, material: Material) -> Iterator[str]:
    block = blocks[number]
    anchor = block.anchor
    again = [other for other in blocks[:number] if other.anchor.entity == anchor.entity]
    event_type = material.events[0].event_type
    yield f"  - name: {anchor.entity}{f' {len(again) + 1}' if again else ''}"
    if event_type and event_type != UNTYPED and "*" not in event_type:
        yield f"    events: [{yaml_text(event_type)}]"
    if anchor.for_each:
        yield f"    for_each: {yaml_text(anchor.for_each)}"
        yield f"    when: {yaml_text(f'exists({anchor.path})')}"
    yield f"    entity: {anchor.entity}"
    if anchor.comment:
        yield f"    # {anchor.comment}"
    path = yaml_text(anchor.path)
    yield f"    id: {path}" if anchor.kind == "id" else f"    lookup: {{{anchor.kind}: {path}}}"
    yield "    fields:"
    for key, (field_path, too_long, remark) in block.fields.items():
        written = yaml_text(field_path)
        value = f"{{path: {written}, too_long: truncate}}" if too_long else written
        yield f"      {yaml_text(key)}: {value}{f'  # {remark}' if remark else ''}"


def compiled(name: str, text: str) -> Source:
    """Raises BridgeError, which nothing but an odd payload should bring about."""
    source, problems = compile_source(name, f"{name}.yaml", text, lambda _: None)
    if source is None:
        raise BridgeError("no mapping file can be made of this: " + "; ".join(map(str, problems)))
    return source


def example_lines(source: Source, material: Material, now: int) -> Iterator[Sequence[str]]:
    """The event as an example, in the first of the forms in which it can be posted and does what it should."""
    first = material.events[0]
    headers = {name: value for name, value in material.request.headers.items() if not _SECRET.search(name)}
    for document in documents_of(material):
        if not is_same(read(source, document, headers, now), first):
            continue
        for name in list(headers):
            without = {other: value for other, value in headers.items() if other != name}
            if is_same(read(source, document, without, now), first):
                headers = without
        translations = [examples.translate(source, event) for event in read(source, document, headers, now)]
        if any(translation.failures for translation in translations):
            continue
        expect = [expectation(change) for translation in translations for change in translation.changes]
        example = {"name": f"{first.event_type or 'an event'} as it came", "event": document}
        example |= {"headers": headers} if headers else {}
        yield [*yaml_entry("", [{**example, "expect": expect}], 2)][1:]


def documents_of(material: Material) -> Iterator[Any]:
    payload = material.events[0].payload
    yield payload
    yield [payload]
    if material.sender is not None and material.sender.name in PROVEN_BY_BODY:
        return
    try:
        body = parse(material.request.body)
    except SenderError:
        return
    yield body
    if isinstance(body, list):
        yield body[:1]


def read(source: Source, document: Any, headers: Mapping[str, str], now: int) -> list[Event]:
    try:
        return examples.events_of(source, Example("drafted", document, headers, (), (1, 1)), now)
    except (SenderError, SignError):
        return []


def is_same(events: Sequence[Event], first: Event) -> bool:
    return any(
        event.payload == first.payload and (not first.event_type or event.event_type == first.event_type)
        for event in events[:1]
    )


def expectation(change: Change) -> dict[str, Any]:
    kind, value = change.reference
    whose = {"id": value} if kind == "id" else {"lookup": {kind: value}}
    sets = {"set": dict(change.set)} if change.set else {}
    return {"entity": change.entity, **whose, **sets, **({"remove": list(change.remove)} if change.remove else {})}
