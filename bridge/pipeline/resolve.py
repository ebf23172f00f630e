"""A reference becomes an entity's UUID, or waits."""

from collections.abc import Callable

from bridge.metronome.directory import Directory, Found
from bridge.model import Outcome, Reference, Verdict
from bridge.pipeline.retry import Next, decide, said
from bridge.store.gate import Gate
from bridge.store.references import Question, References


class Resolver:
    def __init__(
        self,
        references: References,
        gate: Gate,
        directory: Directory,
        *,
        clock: Callable[[], int],
        jitter: Callable[[], float],
        park_for: int,
    ) -> None:
        """`park_for`: for how many microseconds a change waits for its reference before it is refused."""
        self.references = references
        self.gate = gate
        self.directory = directory
        self.clock = clock
        self.jitter = jitter
        self.park_for = park_for

    def resolve(self, question: Question) -> None:
        found = self.directory.find(question.reference)
        now = self.clock()
        if len(found.entity_ids) == 1:
            self.references.answer(question, found.entity_ids[0], now)
        elif found.outcome.verdict is Verdict.ACCEPTED:
            reason = unanswered(question.reference, found)
            decision = decide(Outcome(Verdict.UNKNOWN), question.tries, now, self.jitter())
            self.references.postpone(
                question, decision.at, reason, tries=question.tries + 1, refuse_before=now - self.park_for
            )
        else:
            self.fail(question, found.outcome, now)

    def fail(self, question: Question, outcome: Outcome, now: int) -> None:
        """Metronome did not answer the question: nothing is known about the reference."""
        decision = decide(outcome, question.tries, now, self.jitter())
        if decision.next is Next.CLOSE_GATE:
            self.gate.close(decision.at, decision.reason)
            self.references.postpone(question, decision.at, decision.reason, tries=question.tries)
            return
        if decision.next is Next.GIVE_UP:
            decision = decide(Outcome(Verdict.UNKNOWN), question.tries, now, self.jitter())
        self.references.postpone(question, decision.at, said(outcome), tries=question.tries + 1)


def unanswered(reference: Reference, found: Found) -> str:
    what = f"{reference.kind} {reference.value}"
    if not found.entity_ids:
        return f"no customer in Metronome has the {what} yet"
    return f"several customers in Metronome have the {what}: {', '.join(found.entity_ids[:5])}"
