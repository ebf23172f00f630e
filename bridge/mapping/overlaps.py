"""Checks of rules beside each other, and of event types beside each other: what is done twice, or never."""

from collections.abc import Iterator, Sequence
from itertools import combinations

from bridge.mapping.closures import Node
from bridge.mapping.documents import Path
from bridge.mapping.findings import Finding, RuleSubject, Subject
from bridge.mapping.outcomes import signature, truth
from bridge.mapping.rules import Absent, FieldRule, matches


def patterns(path: Path, events: Sequence[str]) -> Iterator[Finding]:
    """Event types that another of the same list covers."""
    known, earlier = set(events), set[str]()
    for index, event in enumerate(events):
        beginnings = (f"{event[:length]}*" for length in range(len(event.removesuffix("*")) + 1))
        wider = next((other for other in beginnings if other in known and other != event), None)
        if event in earlier:
            yield Finding("covered-pattern", f"{event} is given twice", (*path, index))
        elif wider:
            message = f"{event} is one of {wider}, which is in the list as well"
            yield Finding("covered-pattern", message, (*path, index))
        earlier.add(event)


def covers(wider: str, narrow: str) -> bool:
    """Whether every type that `narrow` names is one of those of `wider`."""
    return narrow.startswith(wider[:-1]) if wider.endswith("*") else wider == narrow


def overlap(one: str, other: str) -> bool:
    """Whether some type is named by both."""
    return matches(one, other.removesuffix("*")) or matches(other, one.removesuffix("*"))


def share_events(one: Sequence[str], other: Sequence[str]) -> bool:
    return not one or not other or any(overlap(a, b) for a in one for b in other)


def all_covered(wider: Sequence[str], narrow: Sequence[str]) -> bool:
    return not wider or (bool(narrow) and all(any(covers(a, b) for a in wider) for b in narrow))


def double_writes(subject: Subject) -> Iterator[Finding]:
    """Rules that surely set one key of one entity from one event, or do nothing beside another."""
    for one, other in combinations(subject.rules, 2):
        if one.identity != other.identity or not share_events(one.rule.events, other.rule.events):
            continue
        if (shadowed := shadow(one, other)) is not None:
            rule, by = shadowed
            message = f"rule {by.rule.name!r} does all of this in all of its cases: this one changes nothing"
            yield Finding("shadowed-rule", message, (*rule.path, "name"))
        elif both_apply(one, other):
            yield from common_keys(one, other)


def common_keys(one: RuleSubject, other: RuleSubject) -> Iterator[Finding]:
    for field in other.rule.fields:
        if any(field.key == known.key for known in one.rule.fields):
            yield Finding(
                "double-write",
                f"rule {one.rule.name!r} sets {field.key} of the same {other.rule.entity} from the same events: the"
                " later rule wins",
                (*other.path, "fields", field.key),
                key=True,
            )


def both_apply(one: RuleSubject, other: RuleSubject) -> bool:
    """Whether one applies wherever the other does. Of two conditions that differ nobody knows."""
    first, second = one.rule.when, other.rule.when
    if first is None or second is None:
        return all(condition is None or truth(condition.tree) is not False for condition in (first, second))
    return signature(first.tree) == signature(second.tree)


def shadow(one: RuleSubject, other: RuleSubject) -> tuple[RuleSubject, RuleSubject] | None:
    """The rule that changes nothing, and the one that does all of it in all of its cases."""
    for narrow, wide in ((other, one), (one, other)):
        theirs = {field.key: field for field in wide.rule.fields}
        same = all(field.key in theirs and alike(field, theirs[field.key]) for field in narrow.rule.fields)
        harmless = all(field.path is None for key, field in theirs.items() if key not in keys(narrow))
        if same and harmless and same_time(narrow, wide) and wider(wide, narrow):
            return narrow, wide
    return None


def keys(rule: RuleSubject) -> set[str]:
    return {field.key for field in rule.rule.fields}


def same_time(one: RuleSubject, other: RuleSubject) -> bool:
    times = [rule.rule.occurred_at for rule in (one, other)]
    return len({signature(time.tree) if time else "" for time in times}) == 1 and one.rule.partial == other.rule.partial


def wider(wide: RuleSubject, narrow: RuleSubject) -> bool:
    """Whether it surely applies wherever the other one does."""
    first, second = wide.rule.when, narrow.rule.when
    condition = first is None or (second is not None and signature(first.tree) == signature(second.tree))
    return condition and all_covered(wide.rule.events, narrow.rule.events)


def alike(one: FieldRule, other: FieldRule) -> bool:
    """Whether they give the same for every event."""
    return settings(one) == settings(other)


def settings(field: FieldRule) -> tuple[object, ...]:
    tree = signature(field.path.tree) if field.path else None
    return tree, field.constant, field.default, field.when_missing, field.when_null, field.too_long


def fields(subject: Subject) -> Iterator[Finding]:
    """Defaults that are never used, and fields that are never written."""
    for rule in subject.rules:
        for field in rule.rule.fields:
            path = (*rule.path, "fields", field.key)
            if field.default is not None and Absent.DEFAULT not in (field.when_missing, field.when_null):
                message = "this default is never used: when_missing and when_null both say otherwise"
                yield Finding("unused-default", message, (*path, "default"))
            if field.path and is_null(field.path.tree) and field.when_null is Absent.SKIP:
                message = "this field is never written: its path is always null, and when_null skips that"
                yield Finding("never-written", message, path, key=True)


def is_null(tree: Node) -> bool:
    return bool(tree["type"] == "literal" and tree["value"] in (None, ""))
