"""A reference becomes an entity's UUID, or waits."""

from collections.abc import Callable

from bridge.metronome.directory import Directory, Found
from bridge.model import Outcome, Reference, Verdict
from bridge.pipeline.gatekeeper import Gatekeeper
from bridge.pipeline.retry import decide, said
from bridge.store.references import Question, References
from bridge.times import SECOND


class Resolver:
    def __init__(
        self,
        references: References,
        gatekeeper: Gatekeeper,
        directory: Directory,
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
        self.clock = clock
        self.jitter = jitter
        self.sleep = sleep
        self.park_for = park_for

    def resolve(self, question: Question, *, counted: bool = False) -> bool:
        """`counted`: this job holds a place at the gate. Whether Metronome answered as it should."""
        found = self.directory.find(question.reference, self.pay)
        gate = self.gatekeeper.report(found.outcome, counted=counted)
        now = self.clock()
        if gate is not None and not gate.is_open(now):
            self.references.postpone(question, gate.closed_until, said(found.outcome), tries=question.tries)
        elif len(found.entity_ids) == 1:
            self.references.answer(question, found.entity_ids[0], now)
        else:
            self.postpone(question, found, now)
        return found.outcome.verdict is Verdict.ACCEPTED

    def pay(self) -> None:
        """For one more page: whoever claimed the question has paid for the first alone."""
        if wait := self.gatekeeper.another():
            self.sleep(wait / SECOND)

    def postpone(self, question: Question, found: Found, now: int) -> None:
        """No answer, or none that can be used. Only a clear no can use up the patience for what is parked."""
        clear = found.outcome.verdict is Verdict.ACCEPTED
        reason = unanswered(question.reference, found) if clear else said(found.outcome)
        slowly = clear or found.outcome.verdict is Verdict.REFUSED
        outcome = Outcome(Verdict.UNKNOWN) if slowly else found.outcome
        self.references.postpone(
            question,
            decide(outcome, question.tries, now, self.jitter()).at,
            reason,
            tries=question.tries + 1,
            refuse_before=now - self.park_for if clear else 0,
        )


def unanswered(reference: Reference, found: Found) -> str:
    what = f"{reference.kind} {reference.value}"
    if not found.entity_ids:
        return f"no customer in Metronome has the {what} yet"
    return f"several customers in Metronome have the {what}: {', '.join(found.entity_ids[:5])}"
