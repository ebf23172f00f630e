"""Finds customers by a custom field, which Metronome cannot be asked for: all of them are read, one after the other.

What was read is a hint: whoever is found by it is looked at again. Only that nobody is found rests on it, and so it is
read anew for whom nobody is found, but not too often, and by one replica at a time.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from bridge.metronome.directory import Directory, Found, Page
from bridge.model import MAX_VALUE_LENGTH, IndexState, Outcome, Reference, Verdict
from bridge.store.index import CustomerIndex, Entry
from bridge.store.references import References
from bridge.times import MINUTE, SECOND

#: How long one job reads on before it lets others have its thread.
SLICE = 2 * SECOND
#: How soon to look again whether somebody else has come to the end: as long as it took so far, within these bounds.
SHORTEST_WAIT, LONGEST_WAIT = SECOND, MINUTE
#: A walk that nobody went on with for so long begins anew: what it has seen is old, and its cursor may be too.
ABANDONED_AFTER = 10 * MINUTE
#: Two million customers. More would be a cursor that leads in a circle.
MAX_PAGES = 20_000
CIRCLE = Outcome(Verdict.UNAVAILABLE, message="the pages of customers do not come to an end")


class Indexer:
    def __init__(
        self,
        index: CustomerIndex,
        references: References,
        directory: Directory,
        *,
        clock: Callable[[], int],
        keys: Callable[[], Collection[str]],
        every: int,
        lease_for: int,
    ) -> None:
        """`keys`: the custom fields that mappings look up by; `every`: microseconds from one walk to the next."""
        self.index = index
        self.references = references
        self.directory = directory
        self.clock = clock
        self.keys = keys
        self.every = every
        self.lease_for = lease_for

    def find(self, reference: Reference, lease: str, pay: Callable[[], object]) -> Found:
        """`pay` is called before each call but the first."""
        key, value = reference.parts
        found = Found(None)
        state = self.index.state()
        if key in state.complete_keys:
            candidates = self.index.candidates(key, value)
            if candidates:
                found = self.directory.carrying(key, value, candidates)
                if found.entity_ids or (found.outcome and found.outcome.verdict is not Verdict.ACCEPTED):
                    return found
            if self.clock() < state.complete_at + self.every:
                return replace(found, not_before=state.complete_at + self.every)
        walked = self.walk(state, key, lease, pay, paid=found.outcome is None)
        return walked if walked.outcome else replace(walked, outcome=found.outcome)

    def walk(self, seen: IndexState, key: str, lease: str, pay: Callable[[], object], *, paid: bool) -> Found:
        """Read on for a while, if nobody else does. `paid`: the first call is."""
        began = now = self.clock()
        wanted = frozenset(self.keys()) | {key}
        state = self.index.change(
            partial(taken, key=key, keys=wanted, lease=lease, now=now, lease_for=self.lease_for, every=self.every)
        )
        outcome: Outcome | None = None
        while state is not None and state.lease == lease:
            if outcome or not paid:
                pay()
            page = self.directory.page(state.cursor)
            outcome = CIRCLE if leads_nowhere(state, page.cursor) else page.outcome
            now = self.clock()
            if outcome.verdict is not Verdict.ACCEPTED:
                self.index.change(partial(stopped, seen=state, outcome=outcome, now=now))
                return Found(outcome)
            until = now + self.lease_for if now < began + SLICE else now
            state = self.put(state, page, until)
        if outcome is None and seen.is_walking:
            now += min(max(now - seen.began_at, SHORTEST_WAIT), LONGEST_WAIT)
        return Found(outcome, again_at=now)

    def put(self, seen: IndexState, page: Page, until: int) -> IndexState | None:
        """Remember a page, and wake up whoever waits for somebody in it. None: somebody else has gone on."""
        now = self.clock()
        entries = [entry for customer in page.customers for entry in entries_of(customer, seen.keys)]
        state = self.index.change(partial(advanced, seen=seen, cursor=page.cursor, now=now, until=until), entries)
        if state is None:
            return None
        awaited = {Reference.of("custom_field", (entry.key, entry.value)) for entry in entries}
        self.references.wake("customer", awaited, now)
        while not state.is_walking and self.index.prune(state.walk):
            pass
        return state


def entries_of(customer: Mapping[str, Any], keys: Collection[str]) -> Iterator[Entry]:
    held = customer.get("custom_fields")
    if not isinstance(held, dict):
        return
    for key in keys:
        value = held.get(key)
        if isinstance(value, str) and 0 < len(value) <= MAX_VALUE_LENGTH and value.isprintable():
            yield Entry(key, value, customer["id"])


def taken(
    state: IndexState, *, key: str, keys: Collection[str], lease: str, now: int, lease_for: int, every: int
) -> IndexState | None:
    """The walk is ours until the lease ends: a new one, or one that others had to leave. None: it is not to be had."""
    is_fresh = key in state.complete_keys and not state.is_walking and now < state.complete_at + every
    if state.leased_until > now or is_fresh:
        return None
    goes_on = state.is_walking and key in state.keys and now - state.leased_until < ABANDONED_AFTER
    walk = state if goes_on else begun(state, keys, now)
    return replace(walk, lease=lease, leased_until=now + lease_for)


def begun(state: IndexState, keys: Collection[str], now: int) -> IndexState:
    """A walk from the first page on. What another had begun to read stays wanted."""
    wanted = {*keys, *(state.keys if state.is_walking else ())}
    return replace(
        state,
        walk=state.walk + 1,
        keys=tuple(sorted(wanted)),
        began_at=now,
        pages=0,
        cursor=None,
        is_walking=True,
    )


def advanced(state: IndexState, *, seen: IndexState, cursor: str | None, now: int, until: int) -> IndexState | None:
    """One page further, or at the end. None: the lease ended, and somebody else has gone on."""
    if not is_ours(state, seen):
        return None
    if cursor is not None:
        free = until <= now
        return replace(
            state, pages=state.pages + 1, cursor=cursor, lease=None if free else state.lease, leased_until=until
        )
    return replace(
        state,
        pages=state.pages + 1,
        cursor=None,
        is_walking=False,
        lease=None,
        leased_until=now,
        complete_keys=state.keys,
        complete_at=now,
    )


def stopped(state: IndexState, *, seen: IndexState, outcome: Outcome, now: int) -> IndexState | None:
    """Metronome does not answer: another may go on from here, or begin anew if it does not know where that is."""
    if not is_ours(state, seen):
        return None
    lost = outcome is CIRCLE or (
        seen.cursor is not None and outcome.verdict in (Verdict.REFUSED, Verdict.CONFLICT, Verdict.UNKNOWN)
    )
    return replace(state, is_walking=not lost, lease=None, leased_until=now)


def is_ours(state: IndexState, seen: IndexState) -> bool:
    return (state.lease, state.walk, state.cursor) == (seen.lease, seen.walk, seen.cursor)


def leads_nowhere(state: IndexState, cursor: str | None) -> bool:
    return cursor is not None and (cursor == state.cursor or state.pages >= MAX_PAGES)
