"""An answer of Metronome is held against no more than it is about."""

import pytest

from bridge.gates import Cause, Endpoint, Gates
from bridge.model import Outcome, Verdict
from bridge.pipeline.caller import OwnEndpointGates, OwnGate
from bridge.pipeline.gatekeeper import FORBIDDEN_FROM, OUTAGE_FROM, UNAUTHORIZED_FROM, Gatekeeper
from bridge.times import HOUR, SECOND
from tests.support.clock import Clock

OK = Outcome(Verdict.ACCEPTED, 200)
DOWN = Outcome(Verdict.UNAVAILABLE, 503)
REFUSALS = [Outcome(Verdict.UNAUTHORIZED, 401), Outcome(Verdict.FORBIDDEN, 403)]
SET, CONTRACTS = Endpoint.SET_VALUES, Endpoint.CONTRACTS


class Door:
    def __init__(self):
        self.clock = Clock()
        self.gate, self.endpoints = OwnGate(), OwnEndpointGates()
        self.closed = []
        self.keeper = Gatekeeper(
            self.gate,
            self.endpoints,
            rate=0,
            permit_for=HOUR,
            clock=self.clock,
            jitter=lambda: 1.0,
            alarm=lambda state, endpoint: self.closed.append((state.cause, endpoint)),
        )

    def admit(self, endpoint, wanted=8):
        return self.keeper.admit(Gates(self.gate.state(), dict(self.endpoints.states)), endpoint, wanted)


@pytest.fixture
def door():
    return Door()


@pytest.mark.parametrize("refusal", REFUSALS)
def test_one_entity_that_is_refused_again_and_again_closes_nothing(door, refusal):
    for _ in range(100):
        door.keeper.report(refusal, SET, "customer A")
    assert door.closed == []


@pytest.mark.parametrize("refusal", REFUSALS)
def test_refused_entities_among_accepted_ones_close_nothing(door, refusal):
    for number in range(100):
        door.keeper.report(refusal, SET, f"customer {number}")
        if number % (FORBIDDEN_FROM - 1) == 0:
            door.keeper.report(OK, SET, "another")
    assert door.closed == []


@pytest.mark.parametrize("refusal", REFUSALS)
def test_an_endpoint_that_refuses_every_entity_is_closed_alone(door, refusal):
    for number in range(FORBIDDEN_FROM):
        door.keeper.report(refusal, CONTRACTS, f"contract {number}")
        door.keeper.report(OK, SET, "customer")
    assert door.closed == [(Cause.FORBIDDEN, CONTRACTS)]
    assert door.admit(CONTRACTS).granted == 0
    assert door.admit(SET).granted == 8


@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_token_that_no_endpoint_takes_closes_everything(door, refusal):
    for number in range(UNAUTHORIZED_FROM):
        door.keeper.report(refusal, (SET, CONTRACTS)[number % 2], str(number))
    assert door.closed == [(Cause.UNAUTHORIZED, None)]
    assert [door.admit(endpoint).granted for endpoint in Endpoint] == [0] * len(Endpoint)


def test_a_success_of_one_endpoint_shows_that_the_token_is_good(door):
    for number in range(20):
        door.keeper.report(REFUSALS[0], (SET, CONTRACTS)[number % 2], str(number % 8))
        door.keeper.report(OK, Endpoint.CUSTOMERS, "cus_1")
    assert door.closed == []


def test_probes_of_a_token_that_is_good_again_for_some_endpoints_open_the_gate(door):
    """The new token lacks one permission: its refusal does not close the gate again once another call succeeded."""
    for number in range(UNAUTHORIZED_FROM):
        door.keeper.report(REFUSALS[0], (SET, CONTRACTS)[number % 2], str(number))
    for number in range(40):
        door.clock.advance(30 * SECOND)
        endpoint = (CONTRACTS, SET)[number % 2]
        admission = door.admit(endpoint)
        assert admission.granted >= 1
        healthy = endpoint is SET
        door.keeper.report(OK if healthy else REFUSALS[1], endpoint, f"again {number}", admission.held)
        door.keeper.finish(admission.held, healthy=healthy)
    assert door.gate.state().is_wide_open


def test_an_endpoint_that_is_away_closes_alone(door):
    for number in range(OUTAGE_FROM):
        door.keeper.report(DOWN, CONTRACTS, str(number))
        door.keeper.report(OK, SET, "customer")
    assert door.closed == [(Cause.OUTAGE, CONTRACTS)]
    assert door.admit(SET).granted == 8


@pytest.mark.parametrize(
    ("scope", "closed"), [("client", [(Cause.LIMITED, SET)]), (None, [(Cause.LIMITED, None)]), ("customer", [])]
)
def test_a_limit_closes_what_it_counts(door, scope, closed):
    door.keeper.report(Outcome(Verdict.LIMITED, 429, "", SECOND, scope=scope), SET, "customer A")
    assert door.closed == closed


def test_an_endpoint_that_opens_again_lets_one_probe_through_and_then_all(door):
    for number in range(OUTAGE_FROM):
        door.keeper.report(DOWN, SET, str(number))
    door.clock.advance(HOUR)
    first, second = door.admit(SET), door.admit(SET)
    assert (first.granted, second.granted, first.held) == (1, 0, (SET,))
    for _ in range(8):
        door.keeper.report(OK, SET, "customer", first.held)
        door.keeper.finish(first.held, healthy=True)
        first = door.admit(SET)
    assert door.endpoints.states == {}


def test_a_second_call_of_a_job_opens_the_gate_of_its_own_endpoint(door):
    for number in range(OUTAGE_FROM):
        door.keeper.report(DOWN, Endpoint.DELETE_VALUES, str(number))
    for _ in range(10):
        door.clock.advance(30 * SECOND)
        admission = door.admit(SET)
        door.keeper.report(OK, Endpoint.DELETE_VALUES, "customer", admission.held)
        door.keeper.finish(admission.held, healthy=True)
    assert door.endpoints.states == {}


@pytest.mark.parametrize(("verified", "gate"), [(REFUSALS[0], None), (OK, SET)])
def test_an_endpoint_that_is_closed_shows_by_another_call_whether_the_whole_token_is_refused(door, verified, gate):
    door.keeper.verify = lambda: verified
    for number in range(FORBIDDEN_FROM):
        door.keeper.report(REFUSALS[0], SET, f"customer {number}")
    assert (Cause.UNAUTHORIZED, None) in door.closed if gate is None else door.closed == [(Cause.FORBIDDEN, SET)]
    assert (door.admit(CONTRACTS).granted == 0) is (gate is None)
