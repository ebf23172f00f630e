"""Examples are tests that live beside the rules: an event, and what must be written because of it."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from bridge.errors import SenderError, SignError
from bridge.mapping.documents import Problem
from bridge.mapping.rules import Example, Source, Translation, apply
from bridge.model import Change, Event, Request


def run(source: Source, now: int) -> Iterator[Problem]:
    """What the rules make of each example that they should not, at the example's place."""
    for example in source.examples:
        for message in differences(source, example, now):
            yield Problem(source.path, *example.place, f"example {example.name!r}: {message}")


def differences(source: Source, example: Example, now: int) -> Iterator[str]:
    try:
        translations = [translate(source, event) for event in events_of(source, example.event, example.headers, now)]
    except (SenderError, SignError) as error:
        yield f"{source.sender.name} would not send this: {error}"
        return
    yield from (failure for translation in translations for failure in translation.failures)
    yield from compare([change for translation in translations for change in translation.changes], example.expect)


def events_of(source: Source, payload: Any, headers: Mapping[str, str], now: int) -> list[Event]:
    """The events in a payload, read as the sender's module would, but not verified. Raises SenderError, SignError."""
    body = source.sender.compose(payload)
    return read(source, Request("POST", f"/webhooks/{source.name}", headers, body), now)


def read(source: Source, request: Request, now: int) -> list[Event]:
    """For trying things out: nothing of it may be stored. Events without a time get `now`."""
    events = source.sender.read(request, now)
    return [replace(event, occurred_at=now) if event.occurred_at is None else event for event in events]


def translate(source: Source, event: Event) -> Translation:
    if event.problem:
        return Translation((), (event.problem,))
    return apply(source.rules, event)


def compare(changes: list[Change], expected: Any) -> Iterator[str]:
    """`set` and `remove` are compared as subsets, the number of changes exactly."""
    if len(changes) != len(expected):
        yield f"{len(expected)} changes are expected, {len(changes)} were made" + "".join(
            f"; made: {summary(change)}" for change in changes
        )
        return
    paired = pairs(changes, expected)
    left = [change for number, change in enumerate(changes) if number not in paired.values()]
    for number, expectation in enumerate(expected):
        if number not in paired:
            yield from min((list(misses(change, expectation)) for change in left), key=len)


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
    if expectation.get("entity", change.entity) != change.entity:
        yield f"entity: {expectation['entity']} is expected, {change.entity} was made"
    if "id" in expectation and change.reference != ("id", expectation["id"].lower()):
        yield f"id: {expectation['id']} is expected, {named(change)} was made"
    if "lookup" in expectation and change.reference != expectation["lookup"]:
        yield f"lookup: {expectation['lookup']} is expected, {named(change)} was made"
    for key, text in expectation.get("set", {}).items():
        if change.set.get(key) != text:
            made = repr(change.set[key]) if key in change.set else "nothing"
            yield f"set {key}: {text!r} is expected, {made} was made"
    for key in expectation.get("remove", []):
        if key not in change.remove:
            yield f"remove {key} is expected, it was not made"


def summary(change: Change) -> str:
    parts = [f"{key}={value!r}" for key, value in change.set.items()] + [f"-{key}" for key in change.remove]
    return f"{change.entity} {named(change)}: {', '.join(parts)}"


def named(change: Change) -> str:
    """Which entity it is about."""
    return f"id {change.reference}" if change.reference.entity_id else str(change.reference)
