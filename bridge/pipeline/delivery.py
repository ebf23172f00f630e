"""One claim while it is being delivered: what is known, what was called, and what became of each change."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bridge.model import Attempt, ChangeState, Field, Verdict, Wait
from bridge.pipeline.gate import Held
from bridge.pipeline.retry import DONE, Decision, Next
from bridge.store.entities import Claim, Mark
from bridge.store.isolation import NO_ISOLATION, Isolation

#: After these a call may have done what it asks for, or may still do so.
MAY_HAVE_BEEN_APPLIED = (Verdict.ACCEPTED, Verdict.UNAVAILABLE)
#: After these Metronome did not answer as it should.
UNHEALTHY = (Next.RETRY, Next.YIELD, Next.BLOCK)


@dataclass(slots=True)
class Delivery:
    claim: Claim
    #: The gates at which it holds a place.
    held: Held
    known: dict[str, Field]
    #: Whether the budget has been charged for its first call already, as for each job that a worker hands out.
    is_paid: bool = True
    attempts: list[Attempt] = field(default_factory=list)
    fields: dict[str, Field] = field(default_factory=dict)
    states: dict[int, Mark] = field(default_factory=dict)
    #: How far the search for a refused key has come.
    isolation: Isolation = NO_ISOLATION
    #: Keys whose unique value another entity may hold.
    conflicts: set[str] = field(default_factory=set)
    #: What some of its changes wait for.
    waits_for: Wait | None = None
    #: Why, for the operator.
    error: str | None = None
    decision: Decision = DONE
    #: False if the lease was lost meanwhile: then nothing of it was remembered.
    is_settled: bool = False

    @property
    def healthy(self) -> bool:
        """True if Metronome was called and answered as it should."""
        return bool(self.attempts) and self.decision.next not in UNHEALTHY

    def hold(self, fields: Mapping[str, Field]) -> None:
        """Metronome has these values now."""
        self.known.update(fields)
        self.fields.update(fields)

    def mark(self, changes: Sequence[int], state: ChangeState, reason: str | None = None) -> None:
        self.states.update(dict.fromkeys(changes, Mark(state, reason)))

    def wait_for(self, what: Wait, reason: str) -> None:
        self.waits_for, self.error = what, reason

    def touched(self) -> set[str]:
        """Keys that Metronome may hold our values of."""
        return {key for made in self.attempts if made.outcome.verdict in MAY_HAVE_BEEN_APPLIED for key in made.keys}
