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
    #: Nobody calls before `at`. No change is to blame, and no try is counted.
    CLOSE_GATE = "close the gate"
    #: Somebody else may go on at once. No try is counted.
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
GATE = Backoff(SECOND, MINUTE)
UNKNOWN = Backoff(5 * SECOND, HOUR)

#: How long nobody calls after a token was refused. It may be replaced any time.
TOKEN_REFUSED = 30 * SECOND


def decide(outcome: Outcome, tries: int, now: int, jitter: float) -> Decision:
    """`tries`: how often it has failed before."""
    reason = said(outcome)
    match outcome.verdict:
        case Verdict.ACCEPTED:
            return Decision(Next.DONE)
        case Verdict.LIMITED:
            wait = GATE.wait(tries, jitter) if outcome.retry_after is None else outcome.retry_after
            return Decision(Next.CLOSE_GATE, now + wait, reason)
        case Verdict.UNAUTHORIZED:
            return Decision(Next.CLOSE_GATE, now + TOKEN_REFUSED, f"the token is refused: {reason}")
        case Verdict.UNKNOWN:
            return Decision(Next.PARK, now + UNKNOWN.wait(tries, 1 - jitter / 2), reason)
        case Verdict.REFUSED:
            return Decision(Next.GIVE_UP, reason=reason)
        case Verdict.UNAVAILABLE:
            wait = max(ENTITY.wait(tries, jitter), outcome.retry_after or 0)
            return Decision(Next.RETRY, now + wait, reason)


def said(outcome: Outcome) -> str:
    """Metronome's own words, after its status."""
    status = "" if outcome.status is None else f"Metronome answered {outcome.status}"
    return ": ".join(part for part in (status, outcome.message) if part)
