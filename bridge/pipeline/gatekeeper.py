"""Asks the gates before calls are made, and reports to them how the calls went. One for each process.

What an answer says is held against no more than it is about:

- 5xx, a page of a proxy: five entities of one endpoint in a row close the gate of that endpoint. No answer at all is
  counted with each call.
- 429: the endpoint, if Metronome says that the limit is the client's; one customer, if it says so; else all calls.
- 401, 403: Metronome answers them for a single endpoint, entity or value too
  (https://docs.metronome.com/api-reference/status-codes). One says nothing about others. Ten entities of one endpoint
  in a row close the gate of that endpoint. Two endpoints in a row, with no success of any between, mean the token.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

import structlog

from bridge.gates import Cause, Endpoint, Gates, GateState
from bridge.model import Outcome, Verdict
from bridge.pipeline.gate import Admission, Held, admit, closed, pay, released, unspent, widened

log = structlog.get_logger()

T = TypeVar("T")
Step = Callable[[GateState, int], tuple[GateState, T]]

#: How much of the budget is given out: calls bunch up between here and Metronome, where they are counted.
SPENT = 0.96
#: Failures of one endpoint in a row, about any entities, that make an outage.
OUTAGE_FROM = 5
#: Entities in a row for which an endpoint is refused, before that is held against the endpoint itself.
FORBIDDEN_FROM = 10
#: Entities in a row for which different endpoints are refused, before that is held against the token.
UNAUTHORIZED_FROM = 5
#: From here on a refusal is more likely to be about the endpoint than about one key or value.
LONE = 3

#: After these the token and the endpoint work.
HARMLESS = (Verdict.ACCEPTED, Verdict.REFUSED, Verdict.CONFLICT, Verdict.UNKNOWN)


class Gate(Protocol):
    """The gate for all calls, a state that callers change one after the other: `store.gate` for all replicas."""

    def state(self) -> GateState: ...

    def change(self, step: Step[T], now: int) -> T: ...


class EndpointGates(Protocol):
    """The gates of single endpoints: `store.endpoint_gates` for all replicas."""

    def change(self, endpoint: Endpoint, step: Step[T], now: int) -> T: ...


@dataclass(slots=True)
class Streak:
    """What one endpoint has answered since its last success."""

    #: How often there was no answer at all.
    silences: int = 0
    #: The entities or lookups for which it answered with a failure: one of them alone is no outage.
    failed: set[str] = field(default_factory=set)
    #: The entities or lookups for which it refused the token.
    refused: set[str] = field(default_factory=set)


class Gatekeeper:
    def __init__(
        self,
        gate: Gate,
        endpoint_gates: EndpointGates,
        *,
        rate: float,
        permit_for: int,
        clock: Callable[[], int],
        jitter: Callable[[], float],
        alarm: Callable[[GateState, Endpoint | None], None],
        verify: Callable[[], Outcome] | None = None,
    ) -> None:
        """`rate`: calls a second over all replicas, 0 for any; `alarm` is told whenever a gate closes, and which.

        `verify` makes a call to list customers that changes nothing: when another endpoint is closed for a missing
        permission, its outcome shows whether the whole token is refused.
        """
        self.gate = gate
        self.endpoint_gates = endpoint_gates
        self.rate = rate * SPENT
        self.permit_for = permit_for
        self.clock = clock
        self.jitter = jitter
        self.alarm = alarm
        self.verify = verify
        #: The gates as they were when a caller last looked at them all.
        self.seen = Gates()
        self._lock = threading.Lock()
        self._streaks = {endpoint: Streak() for endpoint in Endpoint}
        #: What the token was refused for since the last success of any endpoint.
        self._refused: set[tuple[Endpoint, str]] = set()

    def admit(self, seen: Gates, endpoint: Endpoint, wanted: int) -> Admission:
        """How many jobs may begin whose first call is of this endpoint. `seen`: the gates a moment ago."""
        self.seen = seen
        if seen.all.is_wide_open and endpoint not in seen.endpoints and not self.rate:
            return Admission(wanted)
        own, shared = Admission(wanted), None
        if endpoint in seen.endpoints:
            own = self.change(endpoint, lambda state, now: self.ask(state, wanted, now, rate=0))
        if own.granted and (self.rate or not seen.all.is_wide_open):
            shared = self.change(None, lambda state, now: self.ask(state, own.granted, now, rate=self.rate))
            if own.counted and (unused := own.granted - shared.granted):
                self.change(endpoint, lambda state, _: (released(state, unused), None))
        held = (*((endpoint,) if own.counted else ()), *((None,) if shared and shared.counted else ()))
        granted, wait = (shared.granted, max(own.wait, shared.wait)) if shared else (own.granted, own.wait)
        return Admission(granted, wait, counted=bool(held), held=held)

    def ask(self, state: GateState, wanted: int, now: int, *, rate: float) -> tuple[GateState, Admission]:
        return admit(state, wanted, now, rate=rate, permit_for=self.permit_for)

    def give_back(self, held: Held, unused: int) -> None:
        """Places that were granted and not needed."""
        for gate in held:
            self.change(gate, lambda state, _: (released(state, unused), None))
        self.unspend(unused)

    def unspend(self, calls: int = 1) -> None:
        """Return to the budget what was paid for calls that were not made."""
        if self.rate and calls:
            self.change(None, lambda state, _: (unspent(state, calls, self.rate), None))

    def another(self) -> int:
        """Pays for one more call of a job that has begun. For how many microseconds to wait before it."""
        return self.change(None, lambda state, now: pay(state, now, self.rate)) if self.rate else 0

    def opens_at(self, endpoint: Endpoint, now: int) -> int:
        """When calls of this endpoint may be made, as far as this process knows; `now` if at once."""
        return self.seen.opens_at(endpoint, now)

    def is_lone(self, endpoint: Endpoint) -> bool:
        """True if a refusal by this endpoint is probably about one entity, key or value, since others were accepted."""
        with self._lock:
            streak = self._streaks[endpoint]
            return max(len(streak.refused), len(streak.failed)) < LONE

    def report(self, outcome: Outcome, endpoint: Endpoint, subject: str, held: Held = ()) -> GateState | None:
        """What became of one call about `subject`. Returns the state of the gate that closes for it; None if none.

        `held`: the gates at which the job holds a place.
        """
        if outcome.verdict in HARMLESS:
            self.succeeded(endpoint)
            if endpoint in self.seen.endpoints and endpoint not in held:
                # A call that needed no place: a second one of its job. Nothing else reports that it succeeded.
                self.change(endpoint, lambda state, now: (widened(state, now), None))
            return None
        if outcome.verdict is Verdict.LIMITED:
            return self.limited(outcome, endpoint)
        if outcome.verdict is Verdict.UNAVAILABLE:
            failing = self.count_failure(outcome, endpoint, subject) >= OUTAGE_FROM or endpoint in held
            return self.close(endpoint, Cause.OUTAGE, outcome) if failing else None
        return self.refused(outcome, endpoint, subject, held)

    def limited(self, outcome: Outcome, endpoint: Endpoint) -> GateState | None:
        if outcome.scope == "customer":
            return None
        return self.close(endpoint if outcome.scope == "client" else None, Cause.LIMITED, outcome)

    def refused(self, outcome: Outcome, endpoint: Endpoint, subject: str, held: Held) -> GateState | None:
        log.warning("permission missing", call=endpoint.call, subject=subject, status=outcome.status)
        with self._lock:
            refused = self._streaks[endpoint].refused
            if len(refused) < FORBIDDEN_FROM:
                refused.add(subject)
                self._refused.add((endpoint, subject))
            whole = len({one for one, _ in self._refused}) > 1 and len(self._refused) >= UNAUTHORIZED_FROM
            one = len(refused) >= FORBIDDEN_FROM
        if whole or (None in held and self.seen.all.cause is Cause.UNAUTHORIZED and self.seen.all.width == 1):
            return self.close(None, Cause.UNAUTHORIZED, outcome)
        if one or (endpoint in held and is_first_probe(self.seen.endpoints.get(endpoint))):
            return self.close_forbidden(endpoint, outcome)
        return None

    def close_forbidden(self, endpoint: Endpoint, outcome: Outcome) -> GateState:
        """One endpoint is refused again and again. Returns the state of its gate, or of that for all calls."""
        before = self.seen.endpoints.get(endpoint, GateState()).closings
        state = self.close(endpoint, Cause.FORBIDDEN, outcome)
        if state.closings == before or self.verify is None or endpoint is Endpoint.CUSTOMERS:
            return state
        self.another()
        return self.report(self.verify(), Endpoint.CUSTOMERS, "verification") or state

    def close(self, gate: Endpoint | None, cause: Cause, outcome: Outcome) -> GateState:
        jitter = self.jitter()

        def step(state: GateState, now: int) -> tuple[GateState, tuple[GateState, bool]]:
            changed = closed(state, cause, outcome, now, jitter)
            return changed, (changed, changed.closings > state.closings)

        state, is_new = self.change(gate, step)
        if is_new:
            self.alarm(state, gate)
        return state

    def finish(self, held: Held, *, healthy: bool) -> None:
        """A job that held places is over; `healthy`: Metronome answered it as it should."""
        for gate in held:
            self.change(gate, lambda state, now: (released(widened(state, now) if healthy else state), None))

    def change(self, gate: Endpoint | None, step: Step[T]) -> T:
        now = self.clock()
        return self.gate.change(step, now) if gate is None else self.endpoint_gates.change(gate, step, now)

    def count_failure(self, outcome: Outcome, endpoint: Endpoint, subject: str) -> int:
        """Returns how many failures in a row the endpoint has, those that are about one entity as one."""
        with self._lock:
            streak = self._streaks[endpoint]
            if outcome.status is None:
                streak.silences += 1
            elif len(streak.failed) < OUTAGE_FROM:
                streak.failed.add(subject)
            return streak.silences + len(streak.failed)

    def succeeded(self, endpoint: Endpoint) -> None:
        with self._lock:
            streak = self._streaks[endpoint]
            streak.silences = 0
            streak.failed.clear()
            streak.refused.clear()
            self._refused.clear()


def is_first_probe(state: GateState | None) -> bool:
    """True if a gate is closed for a missing permission and no call has succeeded since."""
    return state is not None and state.cause is Cause.FORBIDDEN and state.width == 1
