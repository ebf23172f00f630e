"""Checks of event types: those that the sender does not send, but nearly, and those that no rule is for, but nearly."""

import re
from collections.abc import Iterator, Mapping
from itertools import islice

from bridge.mapping.findings import Finding, Subject
from bridge.mapping.rules import matches
from bridge.mapping.spelling import misspelled
from bridge.senders import published

#: How many different event types of one file are looked at: each is compared with all that are known.
MAX_PATTERNS = 200

_SEPARATORS = re.compile(r"[^A-Za-z0-9]")


def unknown(subject: Subject) -> Iterator[Finding]:
    """Event types that the sender has under nearly the same name."""
    meant = slips(subject)
    for rule in subject.rules:
        for index, event in enumerate(rule.rule.events):
            if event in meant:
                message = f"{subject.source.sender.name} sends no {event}: did you mean {meant[event]!r}?"
                yield Finding("unknown-event-type", message, (*rule.path, "events", index))


def unmatched_examples(subject: Subject) -> Iterator[Finding]:
    """Examples whose events no rule is for, though some rule is for events of nearly that type."""
    if not all(rule.rule.events for rule in subject.rules):
        return
    # Of slips `unknown` speaks.
    patterns = {pattern for rule in subject.rules for pattern in rule.rule.events} - slips(subject).keys()
    for case in subject.cases:
        types = {event.event_type for event in case.events}
        if any(rule.rule.matches(event_type) for rule in subject.rules for event_type in types):
            continue
        for event_type in sorted(types):
            if meant := next((pattern for pattern in sorted(patterns) if nearly(event_type, pattern)), None):
                message = f"no rule is for {event_type}: did you mean {meant!r}?"
                yield Finding("example-unmatched", message, ("examples", case.index, "name"))


def slips(subject: Subject) -> Mapping[str, str]:
    """Event type of a rule -> what was probably meant. What an example has is true, whether it is known or not."""
    known = published.event_types(subject.source.sender.name)
    if not known:
        return {}
    shown = {event.event_type for case in subject.cases for event in case.events}
    patterns = dict.fromkeys(pattern for rule in subject.rules for pattern in rule.rule.events)
    unknown = (
        pattern
        for pattern in islice(patterns, MAX_PATTERNS)
        if not any(matches(pattern, event_type) for event_type in (*known, *shown))
    )
    return {pattern: meant for pattern in unknown if (meant := meant_by(pattern, known))}


def meant_by(pattern: str, known: tuple[str, ...]) -> str | None:
    """The type, or the beginning of some that ends where a word does, and a *."""
    if not pattern.endswith("*"):
        return misspelled(pattern, known)
    if not _SEPARATORS.match(pattern[-2:-1]):
        return None
    beginnings = {one[: end.end()] for one in known for end in _SEPARATORS.finditer(one)}
    meant = misspelled(pattern[:-1], sorted(beginnings))
    return meant and f"{meant}*"


def nearly(one: str, other: str) -> bool:
    """Whether two types are the same but for an ending of at most two letters, and for case and separators."""
    bare = sorted((_SEPARATORS.sub("", text).casefold() for text in (one, other)), key=len)
    return bare[1].startswith(bare[0]) and len(bare[1]) - len(bare[0]) <= len("ed")
