"""Asks the gate before calls are made, and tells it how they went. One for each process."""

import threading
from collections.abc import Callable
from typing import Protocol, TypeVar

from bridge.model import GateState, Outcome, Verdict
from bridge.pipeline.gate import Admission, admit, after, pay, released, returned, unspent, widened

T = TypeVar("T")

#: How much of the budget is given out: calls bunch up between here and Metronome, where they are counted.
SPENT = 0.96
#: Failures in a row, about whatever entities, that make an outage.
OUTAGE_FROM = 5

HARMLESS = (Verdict.ACCEPTED, Verdict.REFUSED, Verdict.CONFLICT, Verdict.UNKNOWN)


class Gate(Protocol):
    """A state that whoever calls changes, one after the other: `store.gate` for all replicas."""

    def state(self) -> GateState: ...

    def change(self, step: Callable[[GateState, int], tuple[GateState, T]], now: int) -> T: ...


class Gatekeeper:
    def __init__(
        self,
        gate: Gate,
        *,
        rate: float,
        permit_for: int,
        clock: Callable[[], int],
        jitter: Callable[[], float],
        alarm: Callable[[GateState], None],
    ) -> None:
        """`rate`: calls a second over all replicas, 0 for any; `alarm` is told whenever the gate closes."""
        self.gate = gate
        self.rate = rate * SPENT
        self.permit_for = permit_for
        self.clock = clock
        self.jitter = jitter
        self.alarm = alarm
        self._lock = threading.Lock()
        self._failures = 0

    def admit(self, seen: GateState, wanted: int) -> Admission:
        """How many jobs may begin. `seen`: the state a moment ago; wide open and with no budget there is no asking."""
        if seen.is_wide_open and not self.rate:
            return Admission(wanted)
        return self.gate.change(
            lambda state, now: admit(state, wanted, now, rate=self.rate, permit_for=self.permit_for), self.clock()
        )

    def give_back(self, unused: int) -> None:
        """Places that were granted and not needed."""
        self.gate.change(lambda state, _: (returned(state, unused, rate=self.rate), None), self.clock())

    def refund(self) -> None:
        """For a job that has begun and needed no call."""
        if self.rate:
            self.gate.change(lambda state, _: (unspent(state, 1, self.rate), None), self.clock())

    def another(self) -> int:
        """Pays for one more call of a job that has begun. For how many microseconds to wait before it."""
        return self.gate.change(lambda state, now: pay(state, now, self.rate), self.clock()) if self.rate else 0

    def report(self, outcome: Outcome, *, counted: bool) -> GateState | None:
        """What became of one call. The gate's state, if the call has to do with it; `counted`: it held a place."""
        failing = self.is_failing(outcome.verdict)
        if outcome.verdict in HARMLESS or (outcome.verdict is Verdict.UNAVAILABLE and not (failing or counted)):
            return None

        def step(state: GateState, now: int) -> tuple[GateState, tuple[GateState, bool]]:
            changed = after(state, outcome, now, jitter=self.jitter(), failing=failing)
            return changed, (changed, changed.closings > state.closings)

        state, closed = self.gate.change(step, self.clock())
        if closed:
            self.alarm(state)
        return state

    def finish(self, *, healthy: bool) -> None:
        """A job that held a place is over; `healthy`: Metronome answered it as it should."""
        self.gate.change(lambda state, now: (released(widened(state, now) if healthy else state), None), self.clock())

    def is_failing(self, verdict: Verdict) -> bool:
        with self._lock:
            self._failures = self._failures + 1 if verdict is Verdict.UNAVAILABLE else 0
            return self._failures >= OUTAGE_FROM
