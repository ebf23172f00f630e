"""What is allowed and can hardly be meant: each check is one function from a source to what it finds.

A finding that is wrong costs more than one that is missing: where something cannot be known, nothing is said.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress

from bridge.errors import RuleError
from bridge.mapping import event_types, overlaps, readings
from bridge.mapping.checks import check_of
from bridge.mapping.dating import FutureAction, FutureEvents, span
from bridge.mapping.documents import Document, Path, Problem
from bridge.mapping.expressions import Expression
from bridge.mapping.findings import Finding, Reading, Subject, subject_of
from bridge.mapping.reach import Recorder
from bridge.mapping.rules import Rule, Source, applies, scopes_of, time_of
from bridge.times import DAY

#: Examples may be of any day: how far in the future a time in one may lie before anything is said.
EXAMPLE_SLACK = 30 * DAY
#: Where in a path the key of a rule stands: rules, its number, the key.
RULE = 2


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


def future_times(subject: Subject) -> Iterator[Finding]:
    """Events and rules that are dated later than they can have happened, by what the examples show."""
    future = subject.source.future_events
    for case in subject.cases:
        ahead = max((event.occurred_at or 0 for event in case.events), default=0) - subject.now
        if ahead > max(future.tolerance, EXAMPLE_SLACK):
            message = f"the event of this example lies {span(ahead)} in the future: {outcome_of(future)}"
            yield Finding("future-time", message, ("examples", case.index, "name"))
    for rule in subject.rules:
        if rule.rule.occurred_at and (ahead := later_than_its_event(rule.rule, subject)) > future.tolerance:
            message = (
                f"in an example this lies {span(ahead)} after the event itself, as a renewal or expiry date does:"
                f" name the time of the change; {outcome_of(future)}"
            )
            yield Finding("future-time", message, (*rule.path, "occurred_at"))


def later_than_its_event(rule: Rule, subject: Subject) -> int:
    """How far the rule's time lies after the time of its event, in the example where that is most."""
    most = 0
    for event in (event for case in subject.cases for event in case.events if rule.matches(event.event_type)):
        with suppress(RuleError):
            for _, scope in scopes_of(rule, event.payload):
                if applies(rule, scope):
                    # An event without a time has `now`.
                    slack = EXAMPLE_SLACK if event.occurred_at in (None, subject.now) else 0
                    most = max(most, time_of(rule, scope, event) - (event.occurred_at or subject.now) - slack)
    return most


def outcome_of(future: FutureEvents) -> str:
    if future.action is FutureAction.FAIL:
        return "such changes fail (future_events)"
    return "what lies in the future when it is received is dated by receipt (future_events)"


CHECKS: tuple[Callable[[Subject], Iterator[Finding]], ...] = (
    conditions,
    comparisons,
    readings.items,
    readings.unreached,
    patterns,
    event_types.unknown,
    overlaps.double_writes,
    overlaps.fields,
    unexampled,
    empty_expectations,
    event_types.unmatched_examples,
    future_times,
)
