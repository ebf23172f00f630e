"""Calls of a command: each is paid for from the bridge's own budget, and whatever passes with time is waited for."""

from collections.abc import Callable
from typing import TypeVar

from bridge.errors import BridgeError, OperatorError
from bridge.gates import Endpoint, Gates, GateState
from bridge.model import Outcome, Verdict
from bridge.pipeline.gate import Admission
from bridge.pipeline.gatekeeper import Gatekeeper
from bridge.pipeline.retry import Next, decide, said
from bridge.times import MINUTE, SECOND, to_iso

T = TypeVar("T")

#: How often a call is made before Metronome counts as away.
MAX_TRIES = 6
#: For how long a command waits for a gate that is closed.
PATIENCE = 5 * MINUTE
#: A command makes its calls one after the other, so that one gate serves for all endpoints.
ANY_ENDPOINT = Endpoint.CUSTOMERS


class OwnGate:
    """The gate of a command that has no database at hand, and shares none."""

    def __init__(self) -> None:
        self._state = GateState()

    def state(self) -> GateState:
        return self._state

    def change(self, step: Callable[[GateState, int], tuple[GateState, T]], now: int) -> T:
        self._state, result = step(self._state, now)
        return result


class OwnEndpointGates:
    """The gates of endpoints for one command: what limits its calls need not limit those of the bridge."""

    def __init__(self) -> None:
        self.states: dict[Endpoint, GateState] = {}

    def change(self, endpoint: Endpoint, step: Callable[[GateState, int], tuple[GateState, T]], now: int) -> T:
        self.states[endpoint], result = step(self.states.get(endpoint, GateState()), now)
        if self.states[endpoint].is_wide_open:
            del self.states[endpoint]
        return result


class Caller:
    """Makes one call at a time."""

    def __init__(
        self,
        gatekeeper: Gatekeeper,
        endpoints: OwnEndpointGates,
        *,
        clock: Callable[[], int],
        jitter: Callable[[], float],
        sleep: Callable[[float], object],
    ) -> None:
        self.gatekeeper = gatekeeper
        self.endpoints = endpoints
        self.clock = clock
        self.jitter = jitter
        self.sleep = sleep

    def make(self, call: Callable[[], tuple[Outcome, T]]) -> tuple[Outcome, T]:
        """The first answer that time would not change. Raises BridgeError, OperatorError if the token is refused."""
        for tries in range(MAX_TRIES):
            outcome, answer = self.once(call)
            if outcome.verdict in (Verdict.UNAUTHORIZED, Verdict.FORBIDDEN):
                raise OperatorError(f"METRONOME_API_TOKEN is refused: {said(outcome)}")
            decision = decide(outcome, tries, self.clock(), self.jitter())
            if decision.next is not Next.RETRY:
                return outcome, answer
            # After a limit the gate says how long to wait.
            if outcome.verdict is not Verdict.LIMITED:
                self.sleep(min(max(0, decision.at - self.clock()), MINUTE) / SECOND)
        raise BridgeError(f"Metronome was asked {MAX_TRIES} times in vain: {said(outcome)}")

    def once(self, call: Callable[[], tuple[Outcome, T]]) -> tuple[Outcome, T]:
        admission = self.admission()
        healthy = False
        try:
            outcome, answer = call()
            healthy = outcome.verdict is Verdict.ACCEPTED
            # A limit is the account's, and concerns everybody. A token or an address may be wrong here alone.
            if outcome.verdict is Verdict.LIMITED:
                self.gatekeeper.report(outcome, ANY_ENDPOINT, "command", admission.held)
            return outcome, answer
        finally:
            self.gatekeeper.finish(admission.held, healthy=healthy)

    def admission(self) -> Admission:
        """Returns once a call may begin. Raises BridgeError if that would take too long."""
        give_up = self.clock() + PATIENCE
        while not (admission := self.gatekeeper.admit(self.gates(), ANY_ENDPOINT, 1)).granted:
            if self.clock() + admission.wait > give_up:
                gate = self.gatekeeper.seen.all
                until = to_iso(gate.closed_until)
                raise BridgeError(f"no call to Metronome may be made until {until} ({gate.cause}): {gate.reason}")
            self.sleep(admission.wait / SECOND)
        return admission

    def gates(self) -> Gates:
        return Gates(self.gatekeeper.gate.state(), dict(self.endpoints.states))
