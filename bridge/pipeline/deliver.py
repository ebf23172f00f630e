"""All open changes of one entity go to Metronome in as few calls as possible, and what came of it is remembered."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from bridge.gates import Endpoint
from bridge.model import Attempt, ChangeState, Field, Outcome, Reference, StoredChange, Verdict, Wait
from bridge.pipeline.blame import Blame
from bridge.pipeline.delivery import Delivery
from bridge.pipeline.fold import Fold, doubted, fold
from bridge.pipeline.gate import Held
from bridge.pipeline.gatekeeper import Gatekeeper
from bridge.pipeline.isolate import Search, groups_of, units_of
from bridge.pipeline.retry import DONE, Decision, Next, decide, missing, said
from bridge.pipeline.swap import Swapper
from bridge.store.conflicts import Conflicts
from bridge.store.entities import Claim, Doubt, Entities, Settlement
from bridge.store.isolation import NO_ISOLATION
from bridge.times import SECOND

#: What is found to be about single keys or values, once the others are accepted.
SEARCHED = (Next.GIVE_UP, Next.CONFLICT, Next.BLOCK)


class CustomFields(Protocol):
    """The two calls of Metronome's API that a delivery makes."""

    def set_values(self, entity: str, entity_id: str, values: Mapping[str, str]) -> Outcome: ...

    def delete_values(self, entity: str, entity_id: str, keys: Sequence[str]) -> Outcome: ...


class Forget(Protocol):
    def __call__(
        self, entity: str, gone: str, waiting: Mapping[Reference, Collection[int]], reason: str, now: int, /
    ) -> None: ...


class Deliverer:
    def __init__(
        self,
        entities: Entities,
        conflicts: Conflicts,
        swapper: Swapper,
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
        self.conflicts = conflicts
        self.swapper = swapper
        self.gatekeeper = gatekeeper
        self.metronome = metronome
        self.clock = clock
        self.jitter = jitter
        self.sleep = sleep
        self.call_budget = call_budget
        self.park_for = park_for
        self.resend_unchanged = resend_unchanged
        self.log = log
        #: Whether any change may be waiting for a unique value of another entity. The dispatcher keeps it up to date.
        self.has_conflicts = True

    def deliver(self, claim: Claim, held: Held = ()) -> Delivery:
        """Make the calls that the entity's changes ask for, and remember what came of them. Returns what was done.

        `held`: the gates at which this job holds a place.
        """
        delivery = self.deliver_alone(claim, held)
        if delivery.is_settled:
            self.help_others(delivery)
        return delivery

    def deliver_alone(self, claim: Claim, held: Held = (), *, is_paid: bool = True) -> Delivery:
        """As `deliver`, and leaves it to the caller to see what this means for entities that wait for a unique value.

        `is_paid`: the budget has been charged for the first call.
        """
        work = self.entities.load(claim, self.clock())
        delivery = Delivery(claim, held, dict(work.fields), is_paid)
        decision = self.write(delivery, work.changes)
        if decision.next is Next.DONE:
            decision = self.write_again(delivery)
        delivery.decision = decision
        settlement = self.settlement(delivery, decision, work.changes)
        delivery.is_settled = self.entities.settle(claim, settlement, self.clock())
        if not delivery.is_settled and (keys := delivery.touched()):
            # We were stopped in the middle, and the worker in our place may have written something newer before us.
            self.entities.doubt([Doubt(claim.entity, claim.entity_id, tuple(keys), self.clock())])
        if is_paid and not delivery.attempts:
            self.gatekeeper.unspend()
        return delivery

    def help_others(self, delivery: Delivery) -> None:
        """A value that this delivery has replaced or removed may be what another entity waits for, or the reverse."""
        claim = delivery.claim
        if delivery.fields and self.has_conflicts:
            self.conflicts.wake(claim.entity, claim.entity_id, delivery.fields, self.clock())
        for key in delivery.conflicts:
            self.has_conflicts = True
            if self.swapper.swap(self, claim.entity, claim.entity_id, key):
                return

    def write(self, delivery: Delivery, changes: Sequence[StoredChange]) -> Decision:
        """Deliver these changes. What Metronome refuses is searched for, and the rest is delivered without it.

        Each round sends the newest values that are left. It ends when all are accepted, or when something else than a
        refusal comes in between: then the delivery remembers how far it has come.
        """
        search = Search(delivery.claim.isolation)
        blame = Blame(delivery, search, now=self.clock(), park_for=self.park_for)
        left = list(changes)
        while True:
            folded = fold(left, delivery.known, resend_unchanged=self.resend_unchanged)
            decision = self.send(delivery, folded, left, search, blame)
            if decision.next is not Next.DONE:
                blame.stop(left)
                self.keep(delivery, left)
                delivery.isolation = search.state()
                return decision
            if not blame.is_new:
                delivery.mark(folded.effective, ChangeState.DELIVERED)
                delivery.mark(folded.superseded, ChangeState.SUPERSEDED, "superseded by newer values")
                blame.close(left)
                return decision
            left = blame.take(left)

    def keep(self, delivery: Delivery, changes: Sequence[StoredChange]) -> None:
        """Mark those changes that are delivered as a whole, although others are not."""
        open_ = [change for change in changes if change.id not in delivery.states]
        folded = fold(open_, delivery.known, resend_unchanged=self.resend_unchanged)
        unsent = {field.stamp.change for field in folded.written.values()}
        delivery.mark([one for one in folded.effective if one not in unsent], ChangeState.DELIVERED)

    def send(
        self, delivery: Delivery, folded: Fold, changes: Sequence[StoredChange], search: Search, blame: Blame
    ) -> Decision:
        """Send all values of a fold, first together, and what is refused in ever smaller groups of keys."""
        delivery.hold(folded.unchanged)
        units = units_of(folded, changes)
        search.begin(groups_of(units, search.groups))
        while (keys := search.next()) is not None:
            group = {key: folded.written[key] for key in keys if not blame.skips(key)}
            decision = self.make(delivery, group)
            if decision.next is Next.DONE:
                continue
            refused = tuple(key for key in group if delivery.known.get(key) != group[key])
            is_old = all(units[key].retry_at is not None for key in refused)
            if decision.next not in SEARCHED or not self.is_searchable(decision, is_old=is_old):
                search.again(refused)
                return decision
            if parts := () if is_old and decision.next is Next.BLOCK else search.parts(refused, units):
                search.split(parts)
            else:
                blame.on(refused, units, decision)
        return DONE

    def is_searchable(self, decision: Decision, *, is_old: bool) -> bool:
        """False if a missing permission seems to be about the endpoint: a search for the key would be wasted calls.

        `is_old`: all of what was sent has been searched through before.
        """
        if decision.next is not Next.BLOCK or is_old:
            return True
        return self.gatekeeper.is_lone(decision.endpoint or Endpoint.SET_VALUES)

    def write_again(self, delivery: Delivery) -> Decision:
        """What a worker without a lease may have written over. What is refused now waits for the next delivery."""
        wanted = doubted(delivery.known)
        if not wanted:
            return DONE
        todo = [tuple(wanted)]
        while todo:
            keys = todo.pop()
            decision = self.make(delivery, {key: wanted[key] for key in keys})
            if decision.next in (Next.GIVE_UP, Next.CONFLICT) and len(keys) > 1:
                todo += [keys[: len(keys) // 2], keys[len(keys) // 2 :]]
            elif decision.next not in (Next.DONE, Next.GIVE_UP, Next.CONFLICT):
                return decision
        return DONE

    def make(self, delivery: Delivery, wanted: Mapping[str, Field]) -> Decision:
        """The calls that set and remove these keys: none, one or two. Accepted ones are held by the delivery."""
        claim = delivery.claim
        values = {key: field.value for key, field in wanted.items() if field.value is not None}
        removed = tuple(key for key, field in wanted.items() if field.value is None)
        calls: tuple[tuple[Endpoint, str, Sequence[str], Callable[..., Outcome], Any], ...] = (
            (Endpoint.SET_VALUES, "set", tuple(values), self.metronome.set_values, values),
            (Endpoint.DELETE_VALUES, "delete", removed, self.metronome.delete_values, removed),
        )
        for endpoint, name, keys, call, content in calls:
            if not keys:
                continue
            if wait := self.must_wait(delivery, endpoint):
                return wait
            started_at = self.clock()
            outcome = call(claim.entity, claim.entity_id, content)
            changes = sorted({wanted[key].stamp.change for key in keys})
            attempt = Attempt(name, tuple(keys), outcome, started_at, self.clock() - started_at, tuple(changes))
            delivery.attempts.append(attempt)
            self.log(claim, attempt)
            decision = self.decide(outcome, endpoint, delivery)
            if decision.next is not Next.DONE:
                return decision
            delivery.hold({key: wanted[key] for key in keys})
        return DONE

    def must_wait(self, delivery: Delivery, endpoint: Endpoint) -> Decision | None:
        """None if a call may begin: one that could outlast the lease might overwrite another worker's newer value."""
        now = self.clock()
        is_admitted = not delivery.attempts and endpoint is Endpoint.SET_VALUES
        if not is_admitted and (opens_at := self.gatekeeper.opens_at(endpoint, now)) > now:
            return Decision(Next.YIELD, opens_at, f"{endpoint.call} is paused", endpoint, Wait.GATE)
        must_pay = bool(delivery.attempts) or not delivery.is_paid
        wait = self.gatekeeper.another() if must_pay else 0
        if self.clock() + wait + self.call_budget > delivery.claim.until:
            if must_pay:
                self.gatekeeper.unspend()
            return Decision(Next.YIELD, self.clock())
        if wait:
            self.sleep(wait / SECOND)
        return None

    def decide(self, outcome: Outcome, endpoint: Endpoint, delivery: Delivery) -> Decision:
        claim = delivery.claim
        gate = self.gatekeeper.report(outcome, endpoint, f"{claim.entity} {claim.entity_id}", delivery.held)
        now = self.clock()
        if gate is not None and not gate.is_open(now):
            return Decision(Next.YIELD, gate.closed_until, said(outcome), endpoint, Wait.GATE)
        decision = replace(decide(outcome, claim.tries, now, self.jitter()), endpoint=endpoint)
        if outcome.verdict is Verdict.LIMITED:
            return replace(decision, reason=f"the customer's rate limit: {said(outcome)}", waits_for=Wait.RATE_LIMIT)
        return decision

    def settlement(self, delivery: Delivery, decision: Decision, changes: Sequence[StoredChange]) -> Settlement:
        retry_at: int | None = decision.at
        tries = delivery.claim.tries + 1
        if decision.waits_for:
            delivery.wait_for(decision.waits_for, decision.reason)
        if decision.next is Next.DONE:
            retry_at, tries = None, 0
        elif decision.next is Next.YIELD:
            tries = delivery.claim.tries
        elif decision.next is Next.BLOCK:
            delivery.error = missing(decision)
            self.hold_back(delivery, changes, missing(decision))
        elif decision.next is Next.PARK and not self.park(delivery, decision, changes):
            retry_at, tries = None, 0
        return Settlement(
            attempts=tuple(delivery.attempts),
            fields=delivery.fields,
            states=delivery.states,
            retry_at=retry_at,
            tries=tries,
            error=delivery.error or decision.reason or None,
            waits_for=delivery.waits_for,
            isolation=delivery.isolation if decision.next is not Next.DONE else NO_ISOLATION,
        )

    def hold_back(self, delivery: Delivery, changes: Sequence[StoredChange], reason: str) -> None:
        """The changes that are left wait for what an operator must give."""
        delivery.mark([change.id for change in changes if change.id not in delivery.states], ChangeState.PARKED, reason)

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
