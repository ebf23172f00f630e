"""What is allowed and can hardly be meant: each check is one function from a source to what it finds.

A finding that is wrong costs more than one that is missing: where something cannot be known, nothing is said.
"""

import re
from collections.abc import Callable, Iterator, Mapping

from bridge.mapping import overlaps, readings
from bridge.mapping.checks import check_of
from bridge.mapping.documents import Document, Path, Problem
from bridge.mapping.expressions import Expression
from bridge.mapping.findings import Finding, Reading, Subject, subject_of
from bridge.mapping.hints import misspelled
from bridge.mapping.reach import Recorder
from bridge.mapping.rules import Source, matches
from bridge.senders import published

#: Where in a path the key of a rule stands: rules, its number, the key.
RULE = 2

#: How many event types that are not known are looked at: each is compared with all that are.
MAX_UNKNOWN = 200

_SEPARATORS = re.compile(r"[^A-Za-z0-9]")


def run(source: Source, now: int) -> Iterator[Problem]:
    """Everything that the checks find, at its place. `now` dates the examples' events."""
    document = source.document
    if document is None:
        return
    subject = subject_of(source, document, now)
    for check in CHECKS:
        yield from (placed(finding, document, source.path) for finding in check(subject))


def sketch(path: str, document: Document, expressions: Mapping[Path, Expression]) -> Iterator[Problem]:
    """What can be said of a file that has errors, so that all is said at once."""
    readings_ = [Reading(place, expression, Recorder(), str(place[RULE])) for place, expression in expressions.items()]
    found = [*readings.conditions(readings_), *readings.comparisons(readings_)]
    for place, events in document.lists("events"):
        found += overlaps.patterns(place, events)
    yield from (placed(finding, document, path) for finding in found)


def placed(finding: Finding, document: Document, path: str) -> Problem:
    place = document.key_place(finding.path) if finding.key else document.place(finding.path, finding.offset)
    return Problem(path, *place, finding.message, check_of(finding.code).level, finding.code)


def conditions(subject: Subject) -> Iterator[Finding]:
    return readings.conditions(subject.readings)


def comparisons(subject: Subject) -> Iterator[Finding]:
    return readings.comparisons(subject.readings)


def patterns(subject: Subject) -> Iterator[Finding]:
    for rule in subject.rules:
        yield from overlaps.patterns((*rule.path, "events"), rule.rule.events)


def event_types(subject: Subject) -> Iterator[Finding]:
    """Event types that the sender has under nearly the same name. What an example has is true."""
    known = published.event_types(subject.source.sender.name)
    shown = {event.event_type for case in subject.cases for event in case.events}
    if not known:
        return
    given = [
        ((*rule.path, "events", index), event) for rule in subject.rules for index, event in enumerate(rule.rule.events)
    ]
    unknown = [(path, event) for path, event in given if not any(matches(event, one) for one in (*known, *shown))]
    for path, event in unknown[:MAX_UNKNOWN]:
        if meant := meant_by(event, known):
            message = f"{subject.source.sender.name} sends no {event}: did you mean {meant!r}?"
            yield Finding("unknown-event-type", message, path)


def meant_by(event: str, known: tuple[str, ...]) -> str | None:
    """The type, or the beginning of some that ends where a word does, and a *."""
    if not event.endswith("*"):
        return misspelled(event, known)
    beginnings = {one[: end.end()] for one in known for end in _SEPARATORS.finditer(one)}
    meant = misspelled(event[:-1], sorted(beginnings)) if _SEPARATORS.match(event[-2:-1]) else None
    return meant and f"{meant}*"


def unexampled(subject: Subject) -> Iterator[Finding]:
    """Rules that no example reaches."""
    if not subject.source.examples:
        yield Finding(
            "rule-without-example",
            "this source has no examples: nothing says that its rules work",
            ("rules",),
            key=True,
        )
        return
    for rule in subject.rules:
        if not rule.reach.applied:
            cause = "for its events" if not rule.reach.payloads else "that its when and for_each let through"
            yield Finding("rule-without-example", f"no example is {cause}", (*rule.path, "name"))


def empty_expectations(subject: Subject) -> Iterator[Finding]:
    """Expected changes that name no key."""
    for case in subject.cases:
        for index, expected in enumerate(case.example.expect):
            if not expected.get("set") and not expected.get("remove"):
                message = "this names no key: any change will do; say what is set or removed"
                yield Finding("example-asserts-nothing", message, ("examples", case.index, "expect", index))


def unmatched_examples(subject: Subject) -> Iterator[Finding]:
    """Examples whose events no rule is for, though some rule is for events of nearly that type."""
    if not all(rule.rule.events for rule in subject.rules):
        return
    patterns = {pattern for rule in subject.rules for pattern in rule.rule.events}
    known = published.event_types(subject.source.sender.name)
    # Of rules that are misspelled themselves `event_types` speaks.
    patterns = {pattern for pattern in patterns if not known or meant_by(pattern, known) in (None, pattern)}
    for case in subject.cases:
        types = {event.event_type for event in case.events}
        if any(rule.rule.matches(event_type) for rule in subject.rules for event_type in types):
            continue
        for event_type in sorted(types):
            if meant := next((pattern for pattern in sorted(patterns) if nearly(event_type, pattern)), None):
                message = f"no rule is for {event_type}: did you mean {meant!r}?"
                yield Finding("example-unmatched", message, ("examples", case.index, "name"))


def nearly(one: str, other: str) -> bool:
    """Whether two types are the same but for an ending of at most two letters, and for case and separators."""
    bare = sorted((_SEPARATORS.sub("", text).casefold() for text in (one, other)), key=len)
    return bare[1].startswith(bare[0]) and len(bare[1]) - len(bare[0]) <= len("ed")


CHECKS: tuple[Callable[[Subject], Iterator[Finding]], ...] = (
    conditions,
    comparisons,
    readings.items,
    readings.unreached,
    patterns,
    event_types,
    overlaps.double_writes,
    overlaps.fields,
    unexampled,
    empty_expectations,
    unmatched_examples,
)
