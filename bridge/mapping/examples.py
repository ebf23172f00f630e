"""Examples are tests that live beside the rules: an event, and what must be written because of it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

from bridge.errors import OperatorError, SenderError, SignError
from bridge.mapping import samples
from bridge.mapping.documents import Problem
from bridge.mapping.rules import Example, Source, Translation, apply
from bridge.model import Change, Event, Reference, Request


def run(source: Source, now: int) -> Iterator[Problem]:
    """What the rules make of each example that they should not, at the example's place."""
    for example in source.examples:
        for message in differences(source, example, now):
            yield Problem(source.path, *example.place, f"example {example.name!r}: {message}", code="example-failed")


def differences(source: Source, example: Example, now: int) -> Iterator[str]:
    try:
        translations = [translate(source, event) for event in events_of(source, example, now)]
    except (SenderError, SignError) as error:
        yield f"{source.sender.name} would not send this: {error}"
        return
    except OperatorError as error:
        yield str(error)
        return
    yield from (failure for translation in translations for failure in translation.failures)
    yield from compare([change for translation in translations for change in translation.changes], example.expect)


def events_of(source: Source, example: Example, now: int) -> list[Event]:
    """Its events, read as the sender's module would, but not verified.

    Raises SenderError, SignError, and OperatorError if its file cannot be used.
    """
    return read(source, request_of(source, example), now)


def request_of(source: Source, example: Example) -> Request:
    target = f"/webhooks/{source.name}"
    if example.file is None:
        return Request("POST", target, example.headers, source.sender.compose(example.event))
    content = samples.beside(Path(source.path), example.file)
    request = samples.request_of(source.sender, Path(example.file), content, target)
    return replace(request, headers={**request.headers, **example.headers})


def read(source: Source, request: Request, now: int) -> list[Event]:
    """For trying things out: nothing of it may be stored. Events without a time get `now`."""
    events = source.sender.read(request, now)
    return [replace(event, occurred_at=now) if event.occurred_at is None else event for event in events]


def translate(source: Source, event: Event) -> Translation:
    if event.problem:
        return Translation((), (event.problem,))
    return apply(source.rules, event)


def compare(changes: list[Change], expected: Any) -> Iterator[str]:
    """`set` and `remove` are compared as subsets, the number of changes exactly. What differs is one message."""
    paired = pairs(changes, expected)
    left = [change for number, change in enumerate(changes) if number not in paired.values()]
    blocks: list[list[str]] = []
    for number, expectation in enumerate(expected):
        if number in paired:
            continue
        if left:
            nearest = min(left, key=lambda change: len(list(misses(change, expectation))))
            left.remove(nearest)
            blocks.append([f"{heading(nearest)}:", *misses(nearest, expectation)])
        else:
            blocks.append(["not made:", *minus(lines_of(expectation))])
    blocks += [[f"{heading(change)}, not expected:", *plus(asked(change.set, change.remove))] for change in left]
    if blocks:
        yield "\n  ".join(["what is expected (-) and what is made (+) differ", *chain.from_iterable(blocks)])


def pairs(changes: list[Change], expected: Any) -> dict[int, int]:
    """As many expectations as possible, each with a change of its own: a broad one leaves room for a narrow one."""
    fitting = [
        [number for number, change in enumerate(changes) if not any(misses(change, expectation))]
        for expectation in expected
    ]
    taken: dict[int, int] = {}

    def place(expectation: int, tried: set[int]) -> bool:
        for change in fitting[expectation]:
            if change not in tried:
                tried.add(change)
                if change not in taken or place(taken[change], tried):
                    taken[change] = expectation
                    return True
        return False

    for number in range(len(expected)):
        place(number, set())
    return {expectation: change for change, expectation in taken.items()}


def misses(change: Change, expectation: Mapping[str, Any]) -> Iterator[str]:
    """What the one is not that the other expects, as lines of a difference."""
    if expectation.get("entity", change.entity) != change.entity:
        yield from (f"- entity: {expectation['entity']}", f"+ entity: {change.entity}")
    if "id" in expectation and change.reference != ("id", expectation["id"].lower()):
        yield from (f"- id: {expectation['id']}", f"+ {named(change.reference)}")
    if "lookup" in expectation and change.reference != expectation["lookup"]:
        yield from (f"- {named(expectation['lookup'])}", f"+ {named(change.reference)}")
    for key, text in expectation.get("set", {}).items():
        if change.set.get(key) != text:
            yield f"- set {key}: {text!r}"
            yield from plus(made_of(change, key))
    for key in expectation.get("remove", []):
        if key not in change.remove:
            yield f"- remove {key}"
            yield from plus(made_of(change, key))


def heading(change: Change) -> str:
    return f"{change.entity} {change.reference}, by rule {change.rule!r}"


def named(reference: Reference) -> str:
    return f"{'id' if reference.entity_id else 'lookup'}: {reference}"


def minus(lines: Iterable[str]) -> Iterator[str]:
    return (f"- {line}" for line in lines)


def plus(lines: Iterable[str]) -> Iterator[str]:
    return (f"+ {line}" for line in lines)


def made_of(change: Change, key: str) -> Iterator[str]:
    """What the change asks for this key, if anything."""
    return asked({key: change.set[key]} if key in change.set else {}, (key,) if key in change.remove else ())


def lines_of(expectation: Mapping[str, Any]) -> Iterator[str]:
    yield from (f"{key}: {expectation[key]}" for key in ("entity", "id") if key in expectation)
    if "lookup" in expectation:
        yield named(expectation["lookup"])
    yield from asked(expectation.get("set", {}), expectation.get("remove", ()))


def asked(values: Mapping[str, str], removed: Iterable[str]) -> Iterator[str]:
    yield from (f"set {key}: {text!r}" for key, text in values.items())
    yield from (f"remove {key}" for key in removed)
