"""Calls of a command: paid for like all others, patient with what passes, and plain about what does not."""

from dataclasses import replace

import pytest

from bridge.errors import BridgeError, OperatorError
from bridge.gates import Cause, GateState
from bridge.model import Outcome, Verdict
from bridge.pipeline.caller import MAX_TRIES, PATIENCE, Caller, OwnEndpointGates, OwnGate
from bridge.pipeline.gatekeeper import Gatekeeper
from bridge.times import HOUR, MINUTE, SECOND
from tests.support.clock import Clock

OK = Outcome(Verdict.ACCEPTED, 200)
DOWN = Outcome(Verdict.UNAVAILABLE, 503, "down for a moment")
LIMIT = Outcome(Verdict.LIMITED, 429, "slow down", 2 * SECOND)


class Setting:
    """A caller whose sleep lets time pass."""

    def __init__(self, rate=0.0, state=None):
        self.clock = Clock()
        self.gate = OwnGate()
        self.gate.change(lambda before, _: (state or before, None), 0)
        self.alarms = []
        endpoints = OwnEndpointGates()
        keeper = Gatekeeper(
            self.gate,
            endpoints,
            rate=rate,
            permit_for=HOUR,
            clock=self.clock,
            jitter=lambda: 1.0,
            alarm=lambda state, _endpoint: self.alarms.append(state),
        )
        self.caller = Caller(keeper, endpoints, clock=self.clock, jitter=lambda: 1.0, sleep=self.sleep)
        self.made_at = []

    def sleep(self, seconds):
        self.clock.advance(round(seconds * SECOND))

    def ask(self, *outcomes):
        """The answers come one after the other; the last one is repeated."""
        left = list(outcomes)

        def call():
            self.made_at.append(self.clock())
            return (left.pop(0) if len(left) > 1 else left[0]), "answer"

        return self.caller.make(call)

    def gaps(self):
        return [later - earlier for earlier, later in zip(self.made_at, self.made_at[1:], strict=False)]


@pytest.mark.parametrize("verdict", [Verdict.ACCEPTED, Verdict.UNKNOWN, Verdict.REFUSED])
def test_an_answer_that_time_would_not_change_is_given_at_once(verdict):
    setting = Setting()
    assert setting.ask(Outcome(verdict, 400)) == (Outcome(verdict, 400), "answer")
    assert len(setting.made_at) == 1


def test_an_outage_is_waited_for_with_longer_and_longer_pauses():
    setting = Setting()
    assert setting.ask(DOWN, DOWN, DOWN, OK)[0] == OK
    assert setting.gaps() == [SECOND, 2 * SECOND, 4 * SECOND]


def test_what_never_comes_back_is_given_up_with_metronomes_words():
    setting = Setting()
    with pytest.raises(BridgeError, match=f"{MAX_TRIES} times in vain: Metronome answered 503: down for a moment"):
        setting.ask(DOWN)
    assert len(setting.made_at) == MAX_TRIES


def test_a_limit_is_told_to_everybody_and_waited_for():
    setting = Setting()
    assert setting.ask(LIMIT, OK)[0] == OK
    assert setting.gaps() == [2 * SECOND]
    assert [state.cause for state in setting.alarms] == [Cause.LIMITED]


@pytest.mark.parametrize("outcome", [DOWN, Outcome(Verdict.UNAUTHORIZED, 401)])
def test_a_command_with_a_wrong_token_or_address_stops_nobody_else(outcome):
    setting = Setting()
    with pytest.raises(BridgeError):
        setting.ask(outcome)
    assert setting.gate.state() == GateState()


def test_a_refused_token_is_not_tried_again():
    setting = Setting()
    with pytest.raises(OperatorError, match="METRONOME_API_TOKEN is refused"):
        setting.ask(Outcome(Verdict.UNAUTHORIZED, 401))
    assert len(setting.made_at) == 1


def test_every_try_is_paid_for():
    setting = Setting(rate=2)
    for _ in range(4):
        setting.ask(OK)
    assert min(setting.gaps()) >= 0.48 * SECOND


def test_a_gate_that_is_closed_is_waited_for_and_its_place_given_back():
    clock = Clock()
    setting = Setting(state=GateState(closed_until=clock() + SECOND, cause=Cause.OUTAGE, width=1))
    setting.ask(OK)
    assert setting.made_at == [clock() + SECOND]
    assert setting.gate.state().in_flight == 0


def test_a_gate_that_stays_closed_is_named_with_its_reason():
    clock = Clock()
    state = GateState(closed_until=clock() + MINUTE, cause=Cause.LIMITED, reason="come tomorrow", width=1)
    setting = Setting(state=state)

    def sleep(seconds):
        """Other processes make calls meanwhile, and are limited again and again."""
        setting.sleep(seconds)
        setting.gate.change(lambda before, now: (replace(before, closed_until=now + MINUTE), None), setting.clock())

    setting.caller.sleep = sleep
    with pytest.raises(BridgeError, match=r"until 2026-.*limited\): come tomorrow"):
        setting.ask(OK)
    assert setting.made_at == []
    assert setting.clock() <= clock() + PATIENCE
