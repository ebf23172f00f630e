"""A reference becomes an entity's UUID, or waits."""

from collections.abc import Callable
from dataclasses import replace

from bridge.gates import Endpoint, GateState
from bridge.metronome.directory import Directory, Found
from bridge.model import Outcome, Reference, Verdict, Wait
from bridge.pipeline.gate import Held
from bridge.pipeline.gatekeeper import Gatekeeper
from bridge.pipeline.index import Indexer
from bridge.pipeline.retry import Next, decide, missing, said
from bridge.store.references import Question, References
from bridge.times import SECOND

#: As good an answer as Metronome's: it was given not long ago.
NOT_ASKED = Outcome(Verdict.ACCEPTED)


class Resolver:
    def __init__(
        self,
        references: References,
        gatekeeper: Gatekeeper,
        directory: Directory,
        indexer: Indexer,
        *,
        clock: Callable[[], int],
        jitter: Callable[[], float],
        sleep: Callable[[float], object],
        park_for: int,
    ) -> None:
        """`park_for`: for how many microseconds a change waits for its reference before it is refused."""
        self.references = references
        self.gatekeeper = gatekeeper
        self.directory = directory
        self.indexer = indexer
        self.clock = clock
        self.jitter = jitter
        self.sleep = sleep
        self.park_for = park_for

    def resolve(self, question: Question, held: Held = ()) -> bool:
        """Look up a reference, and remember the answer. Returns whether Metronome answered as it should.

        `held`: the gates at which this job holds a place.
        """
        found = self.find(question)
        gate = self.report(question, found, held)
        now = self.clock()
        if found.outcome and gate is not None and not gate.is_open(now):
            reason = said(found.outcome)
            self.references.postpone(question, gate.closed_until, reason, tries=question.tries, waits_for=Wait.GATE)
        elif found.again_at is not None:
            self.references.postpone(question, found.again_at, found.waiting, tries=question.tries)
        elif len(found.entity_ids) == 1:
            self.references.answer(question, found.entity_ids[0], now)
        else:
            self.postpone(question, found, now)
        return found.outcome is not None and found.outcome.verdict is Verdict.ACCEPTED

    def report(self, question: Question, found: Found, held: Held) -> GateState | None:
        if found.outcome is None:
            self.gatekeeper.unspend()
            return None
        return self.gatekeeper.report(found.outcome, found.endpoint, str(question.reference), held)

    def find(self, question: Question) -> Found:
        reference = question.reference
        if reference.customer is None:
            return self.paused(Endpoint.CUSTOMERS) or self.find_customer(reference, question.lease)
        customer_id = self.references.recent("customer", reference.customer, self.clock())
        if customer_id is None:
            found = self.paused(Endpoint.CUSTOMERS) or self.find_customer(reference.customer, question.lease)
            if len(found.entity_ids) != 1:
                return replace(found, about=reference.customer)
            (customer_id,) = found.entity_ids
            self.references.remember("customer", reference.customer, customer_id, self.clock())
            self.gatekeeper.report(found.outcome or NOT_ASKED, found.endpoint, str(reference.customer))
            self.pay()
        return self.paused(Endpoint.CONTRACTS) or self.directory.contracts(reference, customer_id)

    def paused(self, endpoint: Endpoint) -> Found | None:
        """What a lookup comes to whose endpoint is closed while others are open; None if it is open."""
        now = self.clock()
        opens_at = self.gatekeeper.opens_at(endpoint, now)
        return Found(None, again_at=opens_at, waiting=f"{endpoint.call} is paused") if opens_at > now else None

    def find_customer(self, reference: Reference, lease: str) -> Found:
        if reference.kind == "custom_field":
            return self.indexer.find(reference, lease, self.pay)
        return self.directory.find(reference, self.pay)

    def pay(self) -> None:
        """For one more page: whoever claimed the question has paid for the first alone."""
        if wait := self.gatekeeper.another():
            self.sleep(wait / SECOND)

    def postpone(self, question: Question, found: Found, now: int) -> None:
        """No answer, or none that can be used. Only a clear no can use up the patience for what is parked."""
        outcome = found.outcome or NOT_ASKED
        clear = outcome.verdict is Verdict.ACCEPTED
        slowly = clear or outcome.verdict in (Verdict.REFUSED, Verdict.CONFLICT)
        decision = decide(Outcome(Verdict.UNKNOWN) if slowly else outcome, question.tries, now, self.jitter())
        decision = replace(decision, reason=said(outcome), endpoint=found.endpoint)
        is_blocked = decision.next is Next.BLOCK
        self.references.postpone(
            question,
            max(decision.at, found.not_before),
            unanswered(question.reference, found) if clear else missing(decision) if is_blocked else decision.reason,
            tries=question.tries + 1,
            refuse_before=self.refuse_before(found, now) if clear else 0,
            waits_for=decision.waits_for,
        )

    def refuse_before(self, found: Found, now: int) -> int:
        """Who is not there may come. Of several none is ever the right one, until somebody sees to it."""
        return now + 1 if found.entity_ids else now - self.park_for


def unanswered(reference: Reference, found: Found) -> str:
    sought = found.about or reference
    what = "contract" if sought.customer else "customer"
    if not found.entity_ids:
        return f"no {what} in Metronome has the {sought} yet"
    return f"several {what}s in Metronome have the {sought}: {', '.join(found.entity_ids[:5])}"
