"""How many calls may be made, over all replicas together. Pure: a state and what happened, the next state.

A circuit breaker (https://martinfowler.com/bliki/CircuitBreaker.html): wide open, any number of calls is made. When
Metronome limits, is away or refuses the token, the gate closes for a while. Then it lets a few calls through at a time,
and more with each success, until it is wide open again. There is one gate for all calls and one for each endpoint: see
`pipeline.gatekeeper`. A configured budget of calls a second holds all the while.
"""

from dataclasses import dataclass, replace

from bridge.gates import LONGEST_CLOSED, Cause, Endpoint, GateState
from bridge.model import Outcome
from bridge.pipeline.retry import Backoff, said
from bridge.times import MILLISECOND, MINUTE, SECOND

#: How long the gate stays closed, by cause and by how often it has closed since it was wide open.
CLOSED = {
    Cause.LIMITED: Backoff(SECOND, 30 * SECOND),
    Cause.OUTAGE: Backoff(500 * MILLISECOND, 3 * SECOND),
    Cause.UNAUTHORIZED: Backoff(5 * SECOND, 30 * SECOND),
    Cause.FORBIDDEN: Backoff(5 * SECOND, 30 * SECOND),
}
#: Calls at a time after the first limit; halved with each further one.
FIRST_WIDTH = 8
#: From here on counting is not worth its while.
WIDE_OPEN = 64
#: After a limit the gate widens no faster than this: Metronome counts by the second, too.
WIDEN_EVERY = SECOND
#: How far ahead of its pace the budget may run: little, so that it holds over any second.
BURST = 20 * MILLISECOND
#: Whoever must call waits in line, a place for each. A line that is longer is of a clock that was set back since.
LONGEST_LINE = MINUTE
MOST_WAITING = 256
#: When to look again for a place that others hold.
LOOK_AGAIN = 20 * MILLISECOND


#: The gates at which a job holds a place. None stands for the gate for all calls.
Held = tuple[Endpoint | None, ...]


@dataclass(frozen=True, slots=True)
class Admission:
    """How many calls may begin, and after how many microseconds it is worth asking again."""

    granted: int
    wait: int = 0
    #: Whether the places are counted, and must be given back.
    counted: bool = False
    #: The gates at which they are counted: see `pipeline.gatekeeper`.
    held: Held = ()


def admit(state: GateState, wanted: int, now: int, *, rate: float, permit_for: int) -> tuple[GateState, Admission]:
    """`rate`: calls a second, 0 for any. A place is held until `released`, or for `permit_for` if that never comes."""
    if not state.is_open(now):
        return state, Admission(0, state.closed_until - now)
    taken = state.in_flight if now < state.permits_end else 0
    room = state.width - taken if state.width else wanted
    line, affordable = budget(state, now, rate) if rate else (state.next_call_at, wanted)
    granted = max(0, min(wanted, room, affordable))
    if rate:
        state = replace(state, next_call_at=line + round(granted * SECOND / rate))
    if state.width and granted:
        state = replace(state, in_flight=taken + granted, permits_end=now + permit_for)
    wait = LOOK_AGAIN if room < min(wanted, affordable) else max(0, state.next_call_at - BURST - now)
    return state, Admission(granted, 0 if granted == wanted else wait, counted=state.width > 0)


def budget(state: GateState, now: int, rate: float) -> tuple[int, int]:
    """Where the line of paid calls ends, and how many more may join it (the generic cell rate algorithm)."""
    line = state.next_call_at if now <= state.next_call_at <= now + LONGEST_LINE + MOST_WAITING * SECOND / rate else now
    ahead = now + BURST - line
    return line, 0 if ahead < 0 else int(ahead * rate / SECOND) + 1


def pay(state: GateState, now: int, rate: float) -> tuple[GateState, int]:
    """For one call that will be made in any case. For how many microseconds to wait before it."""
    line, _ = budget(state, now, rate)
    return replace(state, next_call_at=line + round(SECOND / rate)), max(0, line - BURST - now)


def unspent(state: GateState, unused: int, rate: float) -> GateState:
    """Calls that were paid for and not made."""
    return replace(state, next_call_at=state.next_call_at - round(unused * SECOND / rate)) if rate else state


def released(state: GateState, places: int = 1) -> GateState:
    return replace(state, in_flight=max(0, state.in_flight - places))


def closed(state: GateState, cause: Cause, outcome: Outcome, now: int, jitter: float) -> GateState:
    """The gate closes for as long as Metronome asks, but never for longer than a minute without a probe."""
    asked = outcome.retry_after
    wait = CLOSED[cause].wait(state.closings, (1 + jitter) / 2) if asked is None else asked
    wait = min(wait, LONGEST_CLOSED)
    if not state.is_open(now):
        # Calls that were on their way together share one closing.
        return replace(state, closed_until=max(state.closed_until, now + (wait if asked else 0)))
    width = max(1, (state.width or 2 * FIRST_WIDTH) // 2) if cause is Cause.LIMITED else 1
    return replace(
        state,
        closed_until=now + wait,
        cause=cause,
        reason=said(outcome),
        closings=state.closings + 1,
        width=width,
        widened_at=now + wait,
        in_flight=0,
    )


def widened(state: GateState, now: int) -> GateState:
    """After a success."""
    if not state.width or (state.cause is Cause.LIMITED and now - state.widened_at < WIDEN_EVERY):
        return state
    width = state.width + max(1, state.width // 4) if state.cause is Cause.LIMITED else state.width * 2
    if width >= WIDE_OPEN:
        return GateState(next_call_at=state.next_call_at)
    return replace(state, width=width, widened_at=now)
