"""What an answer of Metronome means for what is to be done next. Pure: `jitter` is a number from 0 to 1."""

from dataclasses import dataclass
from enum import StrEnum

from bridge.gates import Endpoint
from bridge.model import Outcome, Verdict, Wait
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
    #: Another entity holds the unique value: try again at `at`.
    CONFLICT = "conflict"
    #: The token lacks the permission for this, or a proxy does not let it through: try again at `at`.
    BLOCK = "block"
    #: Not now: the gate is closed until `at`, or the lease too short. No change is to blame, and no try is counted.
    YIELD = "yield"


@dataclass(frozen=True, slots=True)
class Decision:
    next: Next
    at: int = 0
    reason: str = ""
    #: What the call was that this is about.
    endpoint: Endpoint | None = None
    waits_for: Wait | None = None


DONE = Decision(Next.DONE)


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
PERMISSION = Backoff(5 * SECOND, 10 * MINUTE)
#: A server that waits for the rest of a request: https://www.rfc-editor.org/rfc/rfc9110#section-15.5.9
REQUEST_TIMEOUT = 408
#: What one customer waits for at most when its rate limit says for how long. Other calls show nothing of that limit.
LONGEST_LIMIT = 10 * MINUTE


def decide(outcome: Outcome, tries: int, now: int, jitter: float) -> Decision:  # noqa: PLR0911
    """`tries`: how often it has failed before."""
    reason = said(outcome)
    match outcome.verdict:
        case Verdict.ACCEPTED:
            return DONE
        case Verdict.UNKNOWN:
            return Decision(Next.PARK, now + UNKNOWN.wait(tries, 1 - jitter / 2), reason)
        case Verdict.REFUSED:
            return Decision(Next.GIVE_UP, reason=reason)
        case Verdict.CONFLICT:
            return Decision(Next.CONFLICT, now + UNKNOWN.wait(tries, 1 - jitter / 2), reason)
        case Verdict.UNAUTHORIZED | Verdict.FORBIDDEN:
            return Decision(Next.BLOCK, now + wait_blocked(tries, jitter), reason, waits_for=Wait.PERMISSION)
        case Verdict.UNAVAILABLE if is_filtered(outcome):
            return Decision(Next.BLOCK, now + wait_blocked(tries, jitter), reason)
        case Verdict.UNAVAILABLE | Verdict.LIMITED:
            wait = max(ENTITY.wait(tries, jitter), min(outcome.retry_after or 0, LONGEST_LIMIT))
            return Decision(Next.RETRY, now + wait, reason)


def wait_blocked(tries: int, jitter: float) -> int:
    return PERMISSION.wait(tries, 1 - jitter / 2)


def is_filtered(outcome: Outcome) -> bool:
    """True if something on the way to Metronome does not let this call through, perhaps for a value in it."""
    return outcome.status is not None and 400 <= outcome.status < 500 and outcome.status != REQUEST_TIMEOUT  # noqa: PLR2004


def said(outcome: Outcome) -> str:
    """Metronome's own words, after its status."""
    status = "" if outcome.status is None else f"Metronome answered {outcome.status}"
    return ": ".join(part for part in (status, outcome.message) if part)


def missing(decision: Decision) -> str:
    """Why something waits that an operator must help with."""
    if decision.waits_for is not Wait.PERMISSION:
        return decision.reason
    call = f"{decision.endpoint.call}" if decision.endpoint else "this call"
    return f"waits for a permission: METRONOME_API_TOKEN may not make this call, {call} ({decision.reason})"
