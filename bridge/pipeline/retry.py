"""What an answer of Metronome means for what is to be done next. Pure: `jitter` is a number from 0 to 1."""

from dataclasses import dataclass
from enum import StrEnum

from bridge.model import Outcome, Verdict
from bridge.times import HOUR, MINUTE, SECOND


class Next(StrEnum):
    #: The write is made.
    DONE = "done"
    #: Try this entity again at `at`.
    RETRY = "retry"
    #: No such entity, yet: try again at `at`, seldom.
    PARK = "park"
    #: It will never do.
    GIVE_UP = "give up"
    #: Not now: the gate is closed until `at`, or the lease too short. No change is to blame, and no try is counted.
    YIELD = "yield"


@dataclass(frozen=True, slots=True)
class Decision:
    next: Next
    at: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Backoff:
    """From `first`, doubling, to `longest`, with full jitter: a crowd that fails together does not return together.

    https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
    """

    first: int
    longest: int

    def wait(self, tries: int, jitter: float) -> int:
        return round(min(self.longest, self.first << min(tries, 40)) * jitter)


ENTITY = Backoff(SECOND, MINUTE)
UNKNOWN = Backoff(5 * SECOND, HOUR)


def decide(outcome: Outcome, tries: int, now: int, jitter: float) -> Decision:
    """`tries`: how often it has failed before."""
    reason = said(outcome)
    match outcome.verdict:
        case Verdict.ACCEPTED:
            return Decision(Next.DONE)
        case Verdict.UNKNOWN:
            return Decision(Next.PARK, now + UNKNOWN.wait(tries, 1 - jitter / 2), reason)
        case Verdict.REFUSED | Verdict.CONFLICT:
            return Decision(Next.GIVE_UP, reason=reason)
        case Verdict.UNAVAILABLE | Verdict.LIMITED | Verdict.UNAUTHORIZED | Verdict.FORBIDDEN:
            wait = max(ENTITY.wait(tries, jitter), outcome.retry_after or 0)
            return Decision(Next.RETRY, now + wait, reason)


def said(outcome: Outcome) -> str:
    """Metronome's own words, after its status."""
    status = "" if outcome.status is None else f"Metronome answered {outcome.status}"
    return ": ".join(part for part in (status, outcome.message) if part)
