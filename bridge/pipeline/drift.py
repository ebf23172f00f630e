"""Drift: where Metronome holds something else than what we wrote. Reading back finds it, writing again repairs it."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import partial

from bridge.errors import BridgeError
from bridge.metronome import reading
from bridge.metronome.client import Client
from bridge.metronome.reading import READERS, WITH_CONTRACTS, Values
from bridge.model import Outcome, Verdict
from bridge.pipeline.caller import Caller
from bridge.pipeline.retry import said
from bridge.store import Store
from bridge.store.entities import Doubt
from bridge.store.held import PAGE, Held, Holdings, Scope, SetBy
from bridge.times import SECOND

#: Entities that are marked in one transaction.
STEP = 200
#: Of customers. More than anybody has: a list without an end is an error.
MAX_PAGES = 20_000
#: How many entities a second are repaired if no budget is set.
REPAIRS_PER_SECOND = 10.0
#: What part of the budget repairs take: the rest is for what is new.
REPAIRS_SHARE = 0.5

NEEDS_CUSTOMER = "Metronome's API gives its values only with the contracts of its customer"
NEVER_READ = "Metronome's API does not give its values by its id"

#: Passes steps on, and may show how far they are.
Watch = Callable[[Sequence[Sequence[Doubt]]], Iterable[Sequence[Doubt]]]
#: Is told how many entities were dealt with.
Advance = Callable[[int], object]
#: Of entities of one kind, by their ids.
Keys = Mapping[str, Sequence[Held]]
#: What Metronome holds of them; None: the entity does not exist.
Readings = Mapping[str, Values | None]


class Kind(StrEnum):
    #: Another value than ours.
    DIFFERS = "differs"
    #: No value, and we set one.
    MISSING = "missing"
    #: A value, and we removed it.
    LEFT = "left"
    #: The entity does not exist.
    GONE = "gone"


class Side(StrEnum):
    """Whose value counts where the two differ."""

    OURS = "ours"
    METRONOME = "metronome"


@dataclass(frozen=True, slots=True)
class Difference:
    ours: Held
    kind: Kind
    #: What Metronome holds. None: nothing.
    theirs: str | None = None
    #: The event that set ours. None: it is no longer kept.
    set_by: SetBy | None = None


@dataclass(frozen=True, slots=True)
class Unread:
    """An entity that should be there to be read."""

    entity: str
    entity_id: str
    reason: str


@dataclass(slots=True)
class Report:
    #: How many entities of each kind were read.
    read: Counter[str] = field(default_factory=Counter)
    differences: list[Difference] = field(default_factory=list)
    #: Keys that were read, and of which Metronome may hold something newer than we know.
    unsure: int = 0
    #: Keys that were being written, or are going to be.
    moving: int = 0
    unread: list[Unread] = field(default_factory=list)
    #: Kinds of entities that were not read: how many there are, and why.
    left_out: dict[str, tuple[int, str]] = field(default_factory=dict)

    @property
    def repairable(self) -> list[Difference]:
        return [one for one in self.differences if one.kind is not Kind.GONE]

    def repairable_from(self, side: Side | None) -> list[Difference]:
        """Returns what can be repaired if the values of `side` count. None: not what is unsure."""
        return [one for one in self.repairable if side is not None or not one.ours.unsure]

    @property
    def is_clean(self) -> bool:
        return not self.differences and not self.unread


def compare(keys: Iterable[Held], theirs: Values | None) -> Iterator[Difference]:
    """`theirs`: what Metronome holds of the same entity; None if that does not exist. Keys of others do not matter."""
    for ours in keys:
        if theirs is None:
            if ours.value is not None:
                yield Difference(ours, Kind.GONE)
            continue
        value = theirs.get(ours.key)
        if value == ours.value:
            continue
        kind = Kind.MISSING if value is None else Kind.LEFT if ours.value is None else Kind.DIFFERS
        yield Difference(ours, kind, value)


class Inspector:
    """Reads back what we wrote. Never more than a page of entities is in memory, beside what was found."""

    def __init__(self, holdings: Holdings, caller: Caller, client: Client) -> None:
        self.holdings = holdings
        self.caller = caller
        self.client = client

    def inspect(self, scope: Scope, *, contracts: bool = False, advance: Advance = lambda _: None) -> Report:
        """`contracts`: also what is read with them."""
        report = Report()
        with_contracts: dict[str, int] = {}
        for entity, number in self.holdings.counts(scope).items():
            if entity in READERS:
                self.by_id(entity, scope, report, advance)
            elif entity in WITH_CONTRACTS and contracts:
                with_contracts[entity] = number
            else:
                why = NEEDS_CUSTOMER if entity in WITH_CONTRACTS else NEVER_READ
                report.left_out[entity] = (number, why)
                advance(number)
        if with_contracts:
            self.by_customer(with_contracts, scope, report, advance)
        return report

    def by_id(self, entity: str, scope: Scope, report: Report, advance: Advance) -> None:
        # Our side first: what is delivered while Metronome is read is seen when we look again.
        for page in self.holdings.pages(entity, scope):
            theirs = self.read(entity, list(page), report)
            self.note(entity, page, theirs, scope, report)
            advance(len(page))

    def read(self, entity: str, ids: Sequence[str], report: Report) -> Readings:
        """What Metronome holds of each; None of those that do not exist."""
        reader = READERS[entity]
        found: dict[str, Values | None] = {}
        if reader.many is not None:
            outcome, readings = self.caller.make(partial(reader.many, self.client, ids))
            expect(outcome, f"{entity}s")
            found = {one: readings[entity, one.lower()] for one in ids if (entity, one.lower()) in readings}
        for one in ids:
            if one in found:
                continue
            outcome, values = self.caller.make(partial(reader.one, self.client, one))
            if outcome.verdict is Verdict.ACCEPTED:
                found[one] = values
            elif outcome.verdict is Verdict.UNKNOWN:
                found[one] = None
            else:
                report.unread.append(Unread(entity, one, said(outcome)))
        return found

    def by_customer(self, numbers: Mapping[str, int], scope: Scope, report: Report, advance: Advance) -> None:
        """Contracts and their parts, customer by customer, until all of ours are found."""
        left = sum(numbers.values())
        found: dict[str, set[str]] = {entity: set() for entity in numbers}
        for customer in self.customers():
            for entity, ours, theirs in self.contracts_of(customer, found, scope, report):
                self.note(entity, ours, theirs, scope, report)
                found[entity].update(ours)
                left -= len(ours)
                advance(len(ours))
            if left <= 0:
                return
        for entity, seen in found.items():
            for page in self.holdings.pages(entity, scope):
                lost = [one for one in page if one not in seen]
                report.unread += [Unread(entity, one, "in no contract that Metronome gives us") for one in lost]
                advance(len(lost))

    def contracts_of(
        self, customer: str, found: Mapping[str, set[str]], scope: Scope, report: Report
    ) -> Iterator[tuple[str, Keys, Readings]]:
        """What is ours of one customer's contracts, and what Metronome holds of it."""
        readings = self.read_contracts(customer, report)
        ours = {entity: self.ours(entity, readings, seen, scope) for entity, seen in found.items()}
        if any(
            any(compare(keys, readings[entity, one])) for entity, held in ours.items() for one, keys in held.items()
        ):
            # What was delivered between the two looks is no drift: Metronome must be asked after our side was read.
            readings = self.read_contracts(customer, report)
        for entity, held in ours.items():
            yield entity, held, {one: readings[entity, one] for one in held if (entity, one) in readings}

    def read_contracts(self, customer: str, report: Report) -> Mapping[tuple[str, str], Values]:
        outcome, readings = self.caller.make(partial(reading.contracts, self.client, customer))
        if outcome.verdict is not Verdict.ACCEPTED:
            report.unread.append(Unread("customer", customer, f"its contracts: {said(outcome)}"))
        return readings

    def ours(self, entity: str, readings: Iterable[tuple[str, str]], seen: set[str], scope: Scope) -> Keys:
        ids = [one for kind, one in readings if kind == entity and one not in seen]
        wanted = [one for one in ids if not scope.ids or one in scope.ids]
        parts = (replace(scope, ids=tuple(wanted[start : start + PAGE])) for start in range(0, len(wanted), PAGE))
        return {one: keys for part in parts for page in self.holdings.pages(entity, part) for one, keys in page.items()}

    def customers(self) -> Iterator[str]:
        """Those that are archived come last: few of them have anything that is ours."""
        for archived in (False, True):
            cursor = None
            for _ in range(MAX_PAGES):
                page = partial(reading.customer_ids, self.client, cursor, archived=archived)
                outcome, (ids, cursor) = self.caller.make(page)
                expect(outcome, "customers")
                yield from ids
                if cursor is None:
                    break
            else:
                raise BridgeError(f"the list of customers has no end: {MAX_PAGES} pages were read")

    def note(self, entity: str, ours: Keys, theirs: Readings, scope: Scope, report: Report) -> None:
        """What differs, and still does when we look once more."""
        report.read[entity] += sum(one in theirs for one in ours)
        report.unsure += sum(held.unsure for one, keys in ours.items() if one in theirs for held in keys)
        suspects = [found for one, keys in ours.items() if one in theirs for found in compare(keys, theirs[one])]
        if not suspects:
            return
        settled = self.holdings.settled([one.ours for one in suspects])
        report.moving += len(suspects) - len(settled)
        for one in suspects:
            if one.ours not in settled:
                continue
            set_by = settled[one.ours]
            if scope.source is None or (set_by is not None and set_by.source == scope.source):
                report.differences.append(Difference(one.ours, one.kind, one.theirs, set_by))


def expect(outcome: Outcome, what: str) -> None:
    """Raises BridgeError."""
    if outcome.verdict is not Verdict.ACCEPTED:
        raise BridgeError(f"{what} cannot be listed: {said(outcome)}")


def pace(rate: float) -> int:
    """Microseconds from one repair to the next. `rate`: the budget in calls a second; 0: there is none."""
    return round(SECOND / (rate * REPAIRS_SHARE if rate else REPAIRS_PER_SECOND))


def repair(
    store: Store,
    differences: Iterable[Difference],
    *,
    now: int,
    pace: int,
    ours_counts: bool = False,
    watch: Watch = iter,
) -> int:
    """Have the running bridge write ours again, the oldest first. How many entities that is about.

    Through the queue, so that nothing newer is overwritten; spread over time, so that what is new need not wait.
    `ours_counts`: also where Metronome may hold something newer than we know.
    """
    doubts = [
        Doubt(entity, entity_id, keys, now + number * pace)
        for number, (entity, entity_id, keys) in enumerate(oldest_first(differences))
    ]
    for step in watch([doubts[start : start + STEP] for start in range(0, len(doubts), STEP)]):
        store.entities.doubt(step, ours_counts=ours_counts)
    store.signal.announce()
    return len(doubts)


def adopt(store: Store, differences: Sequence[Difference]) -> int:
    """Take Metronome's values for what was written, without a call. Returns how many keys that was done for."""
    steps = (differences[start : start + STEP] for start in range(0, len(differences), STEP))
    return sum(store.holdings.adopt([(one.ours, one.theirs) for one in step]) for step in steps)


def oldest_first(differences: Iterable[Difference]) -> list[tuple[str, str, tuple[str, ...]]]:
    """Entities with the keys to repair, by the time of the oldest of them."""
    of_entity: dict[tuple[str, str], list[Held]] = {}
    for one in differences:
        of_entity.setdefault((one.ours.entity, one.ours.entity_id), []).append(one.ours)
    ages = {which: min((held.stamp, held.set_at) for held in keys) for which, keys in of_entity.items()}
    return [(*which, tuple(held.key for held in of_entity[which])) for which in sorted(ages, key=lambda one: ages[one])]
