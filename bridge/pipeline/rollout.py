"""What a candidate for the mapping files would change: both are run over stored events, and their end states compared.

Only what can make a difference is read: the keys of rules that are not the same in both, and for these keys every rule
of every source, since the newest event wins a key whoever sent it.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

from bridge.mapping import files
from bridge.mapping.files import Mappings
from bridge.mapping.rules import Rule, Source
from bridge.model import UNREADABLE, Stamp, StoredEvent
from bridge.pipeline.compare import Difference, Folded, Kind, compare
from bridge.pipeline.translate import outcome
from bridge.store.history import History, Span
from bridge.store.references import References
from bridge.store.spill import Spill

#: How many different reasons of failures are told apart.
MOST_REASONS = 100
OTHER_REASONS = "other reasons"
#: So that a source with ever new types of events takes no memory.
MOST_TYPES = 1000
#: How many references are looked for at once.
AT_A_TIME = 500

#: An entity and one of its keys.
Key = tuple[str, str]

#: Which element of a list a rule was at.
_ELEMENT = re.compile(r"^(rule '.*?') \[\d+\]: ")


@dataclass(frozen=True, slots=True)
class Selection:
    """What is asked about: all that fits everything that is said."""

    #: Only what the file of this source changes.
    source: str | None = None
    entity: str | None = None
    key: str | None = None

    def has(self, entity: str, key: str) -> bool:
        return self.entity in (None, entity) and self.key in (None, key)


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """A source whose events are read, with those of its rules that matter. None: it has no mapping file."""

    source: str
    before: Source | None
    after: Source | None


@dataclass(frozen=True, slots=True)
class Edit:
    """How one mapping file differs from itself."""

    source: str
    #: Digests. None: there is no such file.
    before: str | None
    after: str | None
    #: The names of the rules that differ.
    rules: tuple[str, ...]
    #: Whether another sender reads what comes. Stored events are as the one before has read them.
    has_other_sender: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """What is read, and which keys may differ."""

    edits: tuple[Edit, ...]
    readings: tuple[Reading, ...]
    keys: frozenset[Key]


def candidate(path: Path, current: Mappings) -> Mappings:
    """A folder in place of the current one; or one file, in place of the current one of its name or beside the others.

    Secrets play no part.
    """
    if path.is_dir():
        return files.load(path, unset)
    source, problems = files.load_file(path, unset)
    return Mappings({**current.sources, source.name: source} if source else current.sources, tuple(problems))


def unset(_name: str) -> None:
    """An environment without secrets."""


def plan(before: Mapping[str, Source], after: Mapping[str, Source], selection: Selection) -> Plan:
    names = sorted(before.keys() | after.keys())
    asked = [name for name in names if selection.source in (None, name)]
    sides = {name: (before.get(name), (after if name in asked else before).get(name)) for name in names}
    differing = [rule for pair in sides.values() for rule in different(*map(rules_of, pair))]
    keys = frozenset(key for rule in differing for key in keys_of(rule, selection))
    readings = (Reading(name, *(pruned(source, keys) for source in pair)) for name, pair in sides.items())
    return Plan(
        edits=tuple(edit for name, pair in sides.items() if (edit := edit_of(name, *pair))),
        readings=tuple(one for one in readings if rules_of(one.before) or rules_of(one.after)),
        keys=keys,
    )


def edit_of(name: str, before: Source | None, after: Source | None) -> Edit | None:
    """None: the files are the same."""
    old, new = (source.digest if source else None for source in (before, after))
    if old == new:
        return None
    rules = dict.fromkeys(rule.name for rule in different(rules_of(before), rules_of(after)))
    has_other_sender = before is not None and after is not None and before.sender.name != after.sender.name
    return Edit(name, old, new, tuple(rules), has_other_sender)


def rules_of(source: Source | None) -> tuple[Rule, ...]:
    return source.rules if source else ()


def keys_of(rule: Rule, selection: Selection) -> list[Key]:
    return [(rule.entity, one.key) for one in rule.fields if selection.has(rule.entity, one.key)]


def different(before: Sequence[Rule], after: Sequence[Rule]) -> list[Rule]:
    """The rules that are not in both. All, if those that are stand in another order: it decides ties."""
    shared = [rule for rule in before if rule in after]
    if shared != [rule for rule in after if rule in before]:
        return [*before, *after]
    return [rule for rule in chain(before, after) if rule not in shared]


def pruned(source: Source | None, keys: frozenset[Key]) -> Source | None:
    """With only the rules that write one of the keys. What the others make differs in nothing."""
    if source is None:
        return None
    everything = Selection()
    return replace(source, rules=tuple(rule for rule in source.rules if not keys.isdisjoint(keys_of(rule, everything))))


@dataclass(frozen=True, slots=True)
class Failure:
    """Why rules fail, and of how many events."""

    source: str
    reason: str
    events: int
    #: The number of one of them.
    example: int


@dataclass(slots=True)
class Tally:
    """Counts the events whose rules fail, and why."""

    events: int = 0
    reasons: Counter[tuple[str, str]] = field(default_factory=Counter)
    examples: dict[tuple[str, str], int] = field(default_factory=dict)

    def note(self, event: StoredEvent, reasons: set[str]) -> None:
        self.events += bool(reasons)
        for reason in reasons:
            known = (event.source, reason)
            if known not in self.reasons and len(self.reasons) >= MOST_REASONS:
                known = (event.source, OTHER_REASONS)
            self.reasons[known] += 1
            self.examples.setdefault(known, event.id)

    def failures(self) -> list[Failure]:
        """The most frequent first."""
        return [Failure(*known, count, self.examples[known]) for known, count in self.reasons.most_common()]


@dataclass(frozen=True, slots=True)
class Summary:
    """How many differences, by kind, of each key of each kind of entity."""

    keys: Mapping[Key, Mapping[Kind, int]]
    #: How many entities have any.
    entities: int

    @property
    def total(self) -> int:
        return sum(sum(kinds.values()) for kinds in self.keys.values())

    def of(self, kind: Kind) -> int:
        return sum(kinds.get(kind, 0) for kinds in self.keys.values())


class Comparison:
    """Reads events and holds what both mappings make of them."""

    def __init__(self, plan: Plan, before: Spill, after: Spill) -> None:
        self.plan = plan
        self.before = Folded(before, only=plan.keys)
        self.after = Folded(after, only=plan.keys)
        #: Failures that are only there after, and those that were only there before.
        self.failing = Tally()
        self.mended = Tally()
        #: How many events fail as they did.
        self.still_failing = 0
        #: How many events were looked at, by source.
        self.read: Counter[str] = Counter()

    def run(self, history: History, span: Span, advance: Callable[[int, int], object]) -> None:
        """`advance` is told how many numbers of the span were passed, once for each source, and how many events."""
        for reading in self.plan.readings:
            self.read_source(reading, history, span, advance)

    def read_source(
        self, reading: Reading, history: History, span: Span, advance: Callable[[int, int], object]
    ) -> None:
        sides = lru_cache(MOST_TYPES)(partial(sides_of, reading))
        passed = span.first - 1
        for page in history.pages(reading.source, span):
            for event in page.events(lambda event_type: sides(event_type) is not None):
                self.add(event, sides(event.event_type) or (None, None))
            self.read[reading.source] += len(page.rows)
            advance(page.last - passed, len(page.rows))
            passed = page.last
        advance(span.last - passed, 0)

    def add(self, event: StoredEvent, sides: tuple[Source | None, Source | None]) -> None:
        before, after = sides
        old = outcome(event, before)
        new = old if after is before else outcome(event, after)
        for folded, made in ((self.before, old), (self.after, new)):
            for number, change in enumerate(made.changes):
                folded.add(change, Stamp(change.occurred_at, event.id, number))
        if old.failures or new.failures:
            was, will_be = set(map(without_element, old.failures)), set(map(without_element, new.failures))
            self.failing.note(event, will_be - was)
            self.mended.note(event, was - will_be)
            self.still_failing += was == will_be

    @property
    def unseen(self) -> list[str]:
        """The sources whose rules differ, and of which no event was read."""
        edited = {edit.source for edit in self.plan.edits if edit.rules}
        return [one.source for one in self.plan.readings if one.source in edited and not self.read[one.source]]

    def differences(self) -> Iterator[Difference]:
        """In the order of targets. Can be asked for again and again."""
        return compare(self.before, self.after)

    def summary(self) -> Summary:
        keys: dict[Key, Counter[Kind]] = {}
        entities, last = 0, None
        for one in self.differences():
            target = one.target
            keys.setdefault((target.entity, target.key), Counter())[one.kind] += 1
            entities += (target.entity, target.reference) != last
            last = target.entity, target.reference
        return Summary(keys, entities)


class Located(NamedTuple):
    difference: Difference
    #: None where a lookup has not found it, or not yet.
    entity_id: str | None


def located(differences: Iterable[Difference], references: References) -> Iterator[Located]:
    """With the entities that lookups have found."""
    rest = iter(differences)
    while some := list(islice(rest, AT_A_TIME)):
        targets = {(one.target.entity, one.target.reference) for one in some}
        known = references.known([target for target in targets if target[1].entity_id is None])
        for one in some:
            reference = one.target.reference
            yield Located(one, reference.entity_id or known.get((one.target.entity, reference)))


def sides_of(reading: Reading, event_type: str) -> tuple[Source | None, Source | None] | None:
    """What events of a type are translated by, before and after: one and the same where it cannot matter.

    None: nothing applies to them.
    """
    if event_type == UNREADABLE:
        return None
    before, after = (matching(source, event_type) for source in (reading.before, reading.after))
    if before is None or after is None or before.rules != after.rules:
        return before, after
    return (before, before) if before.rules else None


def matching(source: Source | None, event_type: str) -> Source | None:
    if source is None:
        return None
    return replace(source, rules=tuple(rule for rule in source.rules if rule.matches(event_type)))


def without_element(failure: str) -> str:
    """So that failures of all elements of a list count as one."""
    return _ELEMENT.sub(r"\1: ", failure)
