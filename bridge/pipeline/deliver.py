"""All open changes of one entity go to Metronome in as few calls as possible, and what came of it is remembered."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from bridge.model import Attempt, ChangeState, Field, Outcome, Reference, StoredChange, Verdict
from bridge.pipeline.fold import Fold, doubted, fold
from bridge.pipeline.gatekeeper import Gatekeeper
from bridge.pipeline.retry import Decision, Next, decide, said
from bridge.store.entities import Claim, Doubt, Entities, Mark, Settlement
from bridge.times import HOUR, MINUTE, SECOND

#: After these a call may have done what it asks for, or may still do so.
MAY_HAVE_BEEN_APPLIED = (Verdict.ACCEPTED, Verdict.UNAVAILABLE)


class CustomFields(Protocol):
    """The two calls of Metronome's API that a delivery makes."""

    def set_values(self, entity: str, entity_id: str, values: Mapping[str, str]) -> Outcome: ...

    def delete_values(self, entity: str, entity_id: str, keys: Sequence[str]) -> Outcome: ...


class Forget(Protocol):
    def __call__(
        self, entity: str, gone: str, waiting: Mapping[Reference, Collection[int]], reason: str, now: int, /
    ) -> None: ...


@dataclass(slots=True)
class Delivery:
    """One claim while it is being delivered."""

    claim: Claim
    #: Whether it holds a counted place at the gate.
    counted: bool
    known: dict[str, Field]
    attempts: list[Attempt] = field(default_factory=list)
    fields: dict[str, Field] = field(default_factory=dict)
    states: dict[int, Mark] = field(default_factory=dict)

    def hold(self, fields: Mapping[str, Field]) -> None:
        self.known.update(fields)
        self.fields.update(fields)

    def mark(self, changes: Sequence[int], state: ChangeState, reason: str | None = None) -> None:
        self.states.update(dict.fromkeys(changes, Mark(state, reason)))

    def touched(self) -> set[str]:
        """Keys that Metronome may hold our values of."""
        return {key for made in self.attempts if made.outcome.verdict in MAY_HAVE_BEEN_APPLIED for key in made.keys}


class Deliverer:
    def __init__(
        self,
        entities: Entities,
        gatekeeper: Gatekeeper,
        metronome: CustomFields,
        *,
        clock: Callable[[], int],
        jitter: Callable[[], float],
        sleep: Callable[[float], object],
        call_budget: int,
        park_for: int,
        resend_unchanged: bool,
        log: Callable[[Claim, Attempt], None],
        forget: Forget,
    ) -> None:
        """`call_budget`: the longest that one call can take; `park_for`: how long to wait for an entity to exist.

        `forget` has references looked up again whose answer Metronome does not know: see `References.forget`.
        """
        self.forget = forget
        self.entities = entities
        self.gatekeeper = gatekeeper
        self.metronome = metronome
        self.clock = clock
        self.jitter = jitter
        self.sleep = sleep
        self.call_budget = call_budget
        self.park_for = park_for
        self.resend_unchanged = resend_unchanged
        self.log = log

    def deliver(self, claim: Claim, *, counted: bool = False) -> bool:
        """`counted`: this job holds a place at the gate. Whether Metronome answered as it should."""
        work = self.entities.load(claim, self.clock())
        delivery = Delivery(claim, counted, dict(work.fields))
        decision = self.write(delivery, work.changes)
        if decision.next is Next.DONE:
            decision = self.write_again(delivery)
        settled = self.entities.settle(claim, self.settlement(delivery, decision, work.changes), self.clock())
        if not settled and (keys := delivery.touched()):
            # We were stopped in the middle, and whoever took our place may have written something newer before us.
            self.entities.doubt([Doubt(claim.entity, claim.entity_id, tuple(keys), self.clock())])
        return bool(delivery.attempts) and decision.next not in (Next.RETRY, Next.YIELD)

    def write(self, delivery: Delivery, changes: Sequence[StoredChange]) -> Decision:
        """Deliver these changes, the newest first. What is refused is halved until the bad change stands alone."""
        folded = fold(changes, delivery.known, resend_unchanged=self.resend_unchanged)
        decision = self.make(delivery, folded)
        if decision.next is Next.DONE:
            delivery.mark(folded.effective, ChangeState.DELIVERED)
            delivery.mark(folded.superseded, ChangeState.SUPERSEDED, "newer values were known")
            return decision
        if decision.next is not Next.GIVE_UP:
            return decision
        if len(changes) == 1:
            return self.refused(delivery, changes[0], folded, decision.reason)
        half = len(changes) // 2
        for part in (changes[:half], changes[half:]):
            decision = self.write(delivery, part)
            if decision.next is not Next.DONE:
                return decision
        return Decision(Next.DONE)

    def refused(self, delivery: Delivery, change: StoredChange, folded: Fold, reason: str) -> Decision:
        """One change alone is refused: as a whole, or only the keys that are to blame."""
        if not change.partial:
            delivery.mark([change.id], ChangeState.REFUSED, reason)
            return Decision(Next.DONE)
        bad: dict[str, str] = {}
        decision = self.write_good_keys(delivery, folded.written, reason, bad)
        if decision.next is Next.DONE:
            delivery.states[change.id] = self.partly(change, bad)
        return decision

    def write_good_keys(
        self, delivery: Delivery, wanted: Mapping[str, Field], reason: str, bad: dict[str, str]
    ) -> Decision:
        """Halve what was refused until each bad key stands alone; `bad` gets those, and why."""
        keys = list(wanted)
        if len(keys) == 1:
            bad[keys[0]] = reason
            return Decision(Next.DONE)
        for part in (keys[: len(keys) // 2], keys[len(keys) // 2 :]):
            half = {key: wanted[key] for key in part}
            decision = self.make(delivery, Fold(half))
            if decision.next is Next.GIVE_UP:
                decision = self.write_good_keys(delivery, half, decision.reason, bad)
            if decision.next is not Next.DONE:
                return decision
        return Decision(Next.DONE)

    def write_again(self, delivery: Delivery) -> Decision:
        """What somebody without a lease may have written over. What is refused now waits for the next delivery."""
        wanted = doubted(delivery.known)
        decision = self.make(delivery, Fold(wanted))
        if decision.next is not Next.GIVE_UP:
            return decision
        return self.write_good_keys(delivery, wanted, decision.reason, {})

    def partly(self, change: StoredChange, bad: Mapping[str, str]) -> Mark:
        """The bad keys wait, and are tried again ever more seldom, until the change is too old."""
        if not bad:
            return Mark(ChangeState.DELIVERED)
        now = self.clock()
        reason = "; ".join(f"{key}: {why}" for key, why in bad.items())
        if change.created_at < now - self.park_for:
            return Mark(ChangeState.REFUSED, reason)
        return Mark(ChangeState.PARKED, reason, now + min(max(now - change.created_at, MINUTE), HOUR))

    def make(self, delivery: Delivery, folded: Fold) -> Decision:
        """The calls that a fold asks for: none, one or two."""
        delivery.hold(folded.unchanged)
        write, claim = folded.write, delivery.claim
        calls = (
            ("set", tuple(write.set), partial(self.metronome.set_values, claim.entity, claim.entity_id, write.set)),
            (
                "delete",
                write.remove,
                partial(self.metronome.delete_values, claim.entity, claim.entity_id, write.remove),
            ),
        )
        for name, keys, call in calls:
            if not keys:
                continue
            if not self.may_call(delivery):
                return Decision(Next.YIELD, self.clock())
            started_at = self.clock()
            outcome = call()
            changes = sorted({folded.written[key].stamp.change for key in keys})
            attempt = Attempt(name, keys, outcome, started_at, self.clock() - started_at, tuple(changes))
            delivery.attempts.append(attempt)
            self.log(claim, attempt)
            decision = self.decide(outcome, delivery)
            if decision.next is not Next.DONE:
                return decision
            delivery.hold({key: folded.written[key] for key in keys})
        return Decision(Next.DONE)

    def may_call(self, delivery: Delivery) -> bool:
        """Whether a call may begin: if it could outlast the lease, somebody else's newer value might be overwritten."""
        wait = self.gatekeeper.another() if delivery.attempts else 0
        if self.clock() + wait + self.call_budget > delivery.claim.until:
            return False
        if wait:
            self.sleep(wait / SECOND)
        return True

    def decide(self, outcome: Outcome, delivery: Delivery) -> Decision:
        gate = self.gatekeeper.report(outcome, counted=delivery.counted)
        now = self.clock()
        if gate is not None and not gate.is_open(now):
            return Decision(Next.YIELD, gate.closed_until, said(outcome))
        return decide(outcome, delivery.claim.tries, now, self.jitter())

    def settlement(self, delivery: Delivery, decision: Decision, changes: Sequence[StoredChange]) -> Settlement:
        retry_at: int | None = decision.at
        tries = delivery.claim.tries + 1
        if decision.next is Next.DONE:
            retry_at, tries = None, 0
        elif decision.next is Next.YIELD:
            tries = delivery.claim.tries
        elif decision.next is Next.PARK and not self.park(delivery, decision, changes):
            retry_at, tries = None, 0
        return Settlement(
            attempts=tuple(delivery.attempts),
            fields=delivery.fields,
            states=delivery.states,
            retry_at=retry_at,
            tries=tries,
            error=decision.reason or None,
        )

    def look_up_again(self, claim: Claim, changes: Sequence[StoredChange], reason: str) -> set[int]:
        """What a lookup found may have been merged or archived since: the same reference may lead elsewhere now.

        Returns the numbers of the changes that wait for a lookup.
        """
        waiting: dict[Reference, list[int]] = {}
        for change in changes:
            if change.reference.entity_id is None:
                waiting.setdefault(change.reference, []).append(change.id)
        if waiting:
            self.forget(claim.entity, claim.entity_id, waiting, f"looked up again: {reason}", self.clock())
        return {number for numbers in waiting.values() for number in numbers}

    def park(self, delivery: Delivery, decision: Decision, changes: Sequence[StoredChange]) -> bool:
        """The entity does not exist, perhaps not yet. Whether any change still waits for it."""
        refuse_before = self.clock() - self.park_for
        left = [change for change in changes if change.id not in delivery.states]
        too_old = [change.id for change in left if change.created_at < refuse_before]
        asked = self.look_up_again(delivery.claim, [one for one in left if one.id not in too_old], decision.reason)
        delivery.mark([change.id for change in left if change.id not in asked], ChangeState.PARKED, decision.reason)
        delivery.mark(too_old, ChangeState.REFUSED, decision.reason)
        return len(too_old) < len(left)
