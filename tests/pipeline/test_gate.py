"""The gate's laws, without any database."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.gates import Cause, GateState
from bridge.model import Outcome, Verdict
from bridge.pipeline.gate import FIRST_WIDTH, WIDE_OPEN, admit, closed, pay, released, unspent, widened
from bridge.times import DAY, HOUR, MILLISECOND, MINUTE, SECOND
from tests.support.making import NOW

OK = Outcome(Verdict.ACCEPTED, 200)
LIMIT = Outcome(Verdict.LIMITED, 429, "slow down", 2 * SECOND)
DOWN = Outcome(Verdict.UNAVAILABLE, 503)
BAD_TOKEN = Outcome(Verdict.UNAUTHORIZED, 401)


def ask(state, wanted, now=NOW, rate=0.0):
    return admit(state, wanted, now, rate=rate, permit_for=30 * SECOND)


CAUSES = {Verdict.LIMITED: Cause.LIMITED, Verdict.UNAVAILABLE: Cause.OUTAGE, Verdict.UNAUTHORIZED: Cause.UNAUTHORIZED}


def happen(state, outcome, now=NOW):
    return closed(state, CAUSES[outcome.verdict], outcome, now, 1.0)


def returned(state, unused, *, rate):
    return released(unspent(state, unused, rate), unused)


def test_a_wide_open_gate_lets_everybody_through_and_counts_nobody():
    state, admission = ask(GateState(), 100)
    assert (state, admission.granted, admission.counted) == (GateState(), 100, False)


def test_nobody_passes_a_closed_gate_and_learns_how_long_it_is_closed():
    state, admission = ask(GateState(closed_until=NOW + 5, width=1), 9)
    assert (admission.granted, admission.wait) == (0, 5)
    assert ask(state, 9, NOW + 5)[1].granted == 1


def test_a_limit_closes_the_gate_for_as_long_as_metronome_asks():
    state = happen(GateState(), LIMIT)
    assert (state.closed_until, state.cause, state.width) == (NOW + 2 * SECOND, Cause.LIMITED, FIRST_WIDTH)
    assert state.reason == "Metronome answered 429: slow down"


def test_without_a_word_on_how_long_it_closes_for_longer_each_time():
    silent = Outcome(Verdict.LIMITED, 429)
    state, waits = GateState(), []
    for _ in range(7):
        opens = state.closed_until or NOW
        state = happen(state, silent, opens)
        waits.append((state.closed_until - opens) // SECOND)
    assert waits == [1, 2, 4, 8, 16, 30, 30]


def test_calls_that_were_on_their_way_together_share_one_closing():
    state = happen(GateState(), LIMIT)
    again = happen(state, replace(LIMIT, retry_after=3 * SECOND), NOW + 1)
    assert (again.closings, again.width) == (1, state.width)
    assert again.closed_until == NOW + 1 + 3 * SECOND


def test_each_further_limit_halves_the_width_down_to_one_call_at_a_time():
    state, widths = GateState(), []
    for _ in range(5):
        state = happen(state, LIMIT, state.closed_until or NOW)
        widths.append(state.width)
    assert widths == [8, 4, 2, 1, 1]


def test_after_a_limit_the_gate_widens_by_the_second():
    state = happen(GateState(), LIMIT)
    for _ in range(50):
        state = widened(state, state.closed_until + 1)
    assert state.width == FIRST_WIDTH
    assert widened(state, state.closed_until + SECOND).width == FIRST_WIDTH + 2


@pytest.mark.parametrize("outcome", [DOWN, BAD_TOKEN])
def test_after_an_outage_one_probe_at_a_time_goes_through(outcome):
    state = happen(GateState(), outcome)
    state, first = ask(state, 8, state.closed_until)
    state, second = ask(state, 8, state.closed_until)
    assert (first.granted, first.counted, second.granted) == (1, True, 0)
    assert second.wait > 0


def test_a_probe_that_fails_closes_the_gate_again_for_longer():
    state = happen(GateState(), DOWN)
    again = happen(state, DOWN, state.closed_until)
    assert again.closings == 2
    assert again.closed_until - state.closed_until > state.closed_until - NOW


def test_probes_that_succeed_reopen_the_gate_in_steps():
    state, widths = happen(GateState(), DOWN), []
    while not state.is_wide_open:
        widths.append(state.width)
        state = widened(state, state.closed_until)
    assert widths == [1, 2, 4, 8, 16, 32]
    assert state == GateState()


@pytest.mark.parametrize("asked", [90 * SECOND, HOUR, 365 * DAY])
def test_no_gate_is_closed_for_longer_than_a_minute_without_a_probe(asked):
    state = happen(GateState(), replace(LIMIT, retry_after=asked))
    assert state.closed_until == NOW + MINUTE
    assert ask(state, 9, NOW + MINUTE)[1].granted > 0


def test_a_wait_that_no_closing_can_ask_for_is_ignored():
    """The machine's clock was a day ahead when the gate closed."""
    state = GateState(closed_until=NOW + DAY, cause=Cause.OUTAGE, width=1)
    assert state.is_open(NOW)
    assert ask(state, 9)[1].granted == 1


def test_places_are_given_back():
    state, _ = ask(GateState(width=4, cause=Cause.OUTAGE), 3)
    assert (state.in_flight, released(state).in_flight, returned(state, 3, rate=0).in_flight) == (3, 2, 0)
    assert released(GateState()).in_flight == 0


def test_places_of_whoever_died_are_free_after_a_while():
    state, _ = ask(GateState(width=2, cause=Cause.OUTAGE), 2)
    assert ask(state, 2, NOW + 30 * SECOND - 1)[1].granted == 0
    assert ask(state, 2, NOW + 30 * SECOND)[1].granted == 2


@given(
    rate=st.floats(0.5, 1000),
    steps=st.lists(st.tuples(st.integers(0, 300 * MILLISECOND), st.integers(1, 50)), min_size=1, max_size=60),
)
def test_the_budget_holds_over_any_stretch_of_time(rate, steps):
    """However calls are asked for: never more than the rate times the time, and a burst of a fiftieth of a second."""
    state, now, granted = GateState(), NOW, []
    for pause, wanted in steps:
        now += pause
        state, admission = ask(state, wanted, now, rate)
        granted.append((now, admission.granted))
    for first, (begin, _) in enumerate(granted):
        total = 0
        for end, count in granted[first:]:
            total += count
            assert total <= (end - begin) / SECOND * rate + 0.02 * rate + 1.001


@given(
    rate=st.floats(0.5, 1000),
    steps=st.lists(st.tuples(st.integers(0, 300 * MILLISECOND), st.integers(0, 8)), min_size=1, max_size=60),
)
def test_the_budget_holds_for_calls_that_must_be_made_too(rate, steps):
    """However many stand in line at once."""
    state, now, calls = GateState(), NOW, []
    for pause, further in steps:
        now += pause
        state, admission = ask(state, 1, now, rate)
        calls += [now] * admission.granted
        for _ in range(further):
            state, wait = pay(state, now, rate)
            calls.append(now + wait)
    calls.sort()
    for first, begin in enumerate(calls):
        for count, end in enumerate(calls[first:], 1):
            rounding = count * rate / SECOND
            assert count <= (end - begin) / SECOND * rate + 0.02 * rate + 1.01 + rounding


@given(rate=st.floats(1, 200))
def test_the_budget_is_used_up_by_whoever_asks_when_told_to(rate):
    state, now, total = GateState(), NOW, 0
    while now < NOW + 10 * SECOND:
        state, admission = ask(state, 16, now, rate)
        total += admission.granted
        now += max(1, admission.wait)
    assert total >= 10 * rate * 0.95


def test_what_was_granted_and_not_used_goes_back_into_the_budget():
    state, admission = ask(GateState(), 5, rate=50)
    assert ask(returned(state, 5, rate=50), 5, rate=50)[1].granted == admission.granted


def test_a_call_that_must_be_made_waits_for_its_turn():
    state, _ = ask(GateState(), 1, rate=2)
    state, wait = pay(state, NOW, 2)
    assert wait == 480 * MILLISECOND
    assert pay(state, NOW, 2)[1] == 980 * MILLISECOND


def test_a_clock_that_was_set_back_does_not_stop_the_budget():
    state, _ = ask(GateState(), 5, NOW + HOUR, 50)
    assert ask(state, 2, NOW, 50)[1].granted == 2


def test_closing_keeps_the_budget():
    state, _ = ask(GateState(), 5, rate=50)
    assert happen(state, LIMIT).next_call_at == state.next_call_at
    assert widened(replace(state, width=WIDE_OPEN, cause=Cause.OUTAGE), NOW).next_call_at == state.next_call_at
