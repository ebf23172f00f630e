from dataclasses import replace

import pytest

from bridge.gates import Cause, Endpoint, Gates, GateState
from bridge.model import ChangeState, Outcome, Verdict
from bridge.pipeline.gatekeeper import SPENT
from bridge.times import DAY, HOUR, MINUTE, SECOND
from tests.pipeline.conftest import LEASE
from tests.support.making import ENTITY_ID, NOW, OTHER_ID, asking, by_payload, translated
from tests.support.metronome import OK, answers

IDS = {"good": ENTITY_ID, "bad": OTHER_ID}
BAD = Outcome(Verdict.REFUSED, 400, "no such key")
DOWN = Outcome(Verdict.UNAVAILABLE, 503, "try later")
GONE = Outcome(Verdict.UNKNOWN, 404, "no such customer")


def refusing(*bad):
    """Refuses every write that holds one of these values."""
    return lambda _call, _id, values: BAD if set(bad) & set(values.values()) else OK


def test_pending_changes_of_an_entity_become_one_call(pipeline):
    pipeline.receive(*[asking(f"evt_{n}", {"tier": str(n), f"key_{n}": "x"}, NOW + n) for n in range(10)])
    assert pipeline.deliver() == 1
    assert len(pipeline.metronome.calls) == 1
    assert pipeline.metronome.held[ENTITY_ID] == {"tier": "9", **{f"key_{n}": "x" for n in range(10)}}
    assert {pipeline.state(f"evt_{n}") for n in range(10)} == {ChangeState.DELIVERED}
    assert pipeline.deliver() == 0


def test_values_are_set_and_removed_in_two_calls(pipeline):
    pipeline.receive(asking("evt_1", {"tier": "gold", "coupon": None}))
    pipeline.deliver()
    assert pipeline.metronome.calls == [
        ("set", ENTITY_ID, {"tier": "gold"}),
        ("delete", ENTITY_ID, {"coupon": None}),
    ]


def test_an_older_event_that_comes_late_changes_nothing(pipeline):
    pipeline.receive(asking("evt_new", {"tier": "new"}, NOW + 1))
    pipeline.deliver()
    pipeline.receive(asking("evt_old", {"tier": "old"}, NOW))
    pipeline.deliver()
    assert pipeline.metronome.held[ENTITY_ID] == {"tier": "new"}
    assert len(pipeline.metronome.calls) == 1
    assert pipeline.state("evt_old") == ChangeState.SUPERSEDED


def test_an_unchanged_value_makes_no_call(pipeline):
    pipeline.receive(asking("evt_1", {"tier": "gold"}))
    pipeline.deliver()
    pipeline.receive(asking("evt_2", {"tier": "gold"}, NOW + 1))
    pipeline.deliver()
    assert len(pipeline.metronome.calls) == 1
    assert pipeline.state("evt_2") == ChangeState.DELIVERED
    assert pipeline.store.entities.fields_of("customer", ENTITY_ID)["tier"].stamp.occurred_at == NOW + 1


def test_an_unchanged_value_is_sent_again_if_the_setting_says_so(make_pipeline):
    pipeline = make_pipeline(resend_unchanged=True)
    for number in (1, 2):
        pipeline.receive(asking(f"evt_{number}", {"tier": "gold"}, NOW + number))
        pipeline.deliver()
    assert len(pipeline.metronome.calls) == 2


def test_a_failure_is_tried_again_after_a_growing_while(pipeline):
    pipeline.metronome.judge = answers(DOWN, DOWN, DOWN)
    pipeline.receive(asking("evt_1", {"tier": "gold"}))
    for wait in (1, 2, 4):
        assert pipeline.deliver() == 1
        pipeline.clock.advance(wait * SECOND - 1)
        assert pipeline.deliver() == 0
        pipeline.clock.advance(1)
    assert pipeline.state() == ChangeState.PENDING
    assert pipeline.deliver() == 1
    assert pipeline.state() == ChangeState.DELIVERED
    assert [attempt.outcome.status for attempt in pipeline.store.entities.attempts_of("customer", ENTITY_ID)] == [
        200,
        503,
        503,
        503,
    ]


def test_a_success_forgets_earlier_failures(pipeline):
    pipeline.metronome.judge = answers(DOWN, DOWN, OK, DOWN)
    pipeline.receive(asking("evt_1", {"tier": "gold"}))
    pipeline.deliver()
    pipeline.clock.advance(SECOND)
    pipeline.deliver()
    pipeline.clock.advance(2 * SECOND)
    pipeline.deliver()
    pipeline.receive(asking("evt_2", {"tier": "silver"}, NOW + 1))
    pipeline.deliver()
    assert pipeline.store.glance(NOW).entity_due == pipeline.clock() + SECOND


def test_a_limit_closes_the_gate_for_everybody_and_counts_no_try(pipeline):
    pipeline.metronome.judge = answers(Outcome(Verdict.LIMITED, 429, "slow down", 7 * SECOND))
    pipeline.receive(asking("evt_1", {"tier": "gold"}))
    pipeline.deliver()
    gate = pipeline.store.gate.state()
    assert (gate.closed_until, gate.reason) == (NOW + 7 * SECOND, "Metronome answered 429: slow down")
    pipeline.clock.advance(7 * SECOND)
    (claim,) = pipeline.claim()
    assert claim.tries == 0


def many(number):
    return [f"{n:08x}{ENTITY_ID[8:]}" for n in range(number)]


@pytest.mark.parametrize("verdict", [Verdict.UNAUTHORIZED, Verdict.FORBIDDEN])
def test_a_permission_that_is_missing_for_one_entity_delays_no_other(pipeline, verdict):
    refused = Outcome(verdict, 403, "no access to this resource")
    pipeline.metronome.judge = lambda _call, entity_id, _values: refused if entity_id == OTHER_ID else OK
    pipeline.receive(asking("evt_bad", {"tier": "gold"}, NOW, OTHER_ID))
    for number in range(30):
        pipeline.receive(asking(f"evt_{number}", {"n": str(number)}, NOW + number))
        pipeline.deliver()
        pipeline.clock.advance(MINUTE)
    assert pipeline.alarms == []
    assert pipeline.metronome.held == {ENTITY_ID: {"n": "29"}}
    ((state, reason),) = pipeline.states("evt_bad")
    assert state == ChangeState.PARKED
    assert "POST /v1/customFields/setValues" in reason
    assert "403: no access to this resource" in reason
    assert pipeline.store.backlog.waiting()["permission"] == 1


def test_a_permission_is_waited_for_without_end_and_used_once_it_is_there(pipeline):
    pipeline.metronome.judge = lambda *_: Outcome(Verdict.FORBIDDEN, 403, "no access")
    pipeline.receive(asking("evt_1", {"tier": "gold"}))
    for _ in range(40):
        pipeline.deliver()
        pipeline.clock.advance(DAY)
    assert pipeline.state() == ChangeState.PARKED
    pipeline.metronome.judge = answers()
    pipeline.deliver()
    assert pipeline.metronome.held[ENTITY_ID] == {"tier": "gold"}
    assert pipeline.store.backlog.waiting() == {}


def test_a_value_that_the_token_may_not_set_does_not_hold_back_the_others(pipeline):
    refused = Outcome(Verdict.FORBIDDEN, 403, "blocked by a firewall")
    pipeline.metronome.judge = lambda _call, _id, values: refused if "<script>" in values.values() else OK
    pipeline.receive(
        *[asking(f"evt_{n}", {f"key_{n}": "<script>" if n == 3 else "good"}, NOW + n) for n in range(8)],
    )
    pipeline.deliver()
    assert pipeline.metronome.held[ENTITY_ID] == {f"key_{n}": "good" for n in range(8) if n != 3}
    assert pipeline.state("evt_3") == ChangeState.PARKED


def test_a_token_that_is_refused_everywhere_closes_the_gate_for_all(pipeline):
    pipeline.metronome.judge = lambda *_: Outcome(Verdict.UNAUTHORIZED, 401, "bad token")
    pipeline.store.gate.state()
    pipeline.gatekeeper.report(Outcome(Verdict.UNAUTHORIZED, 401), Endpoint.CUSTOMERS, "cus_1")
    pipeline.receive(*[asking(f"evt_{n}", {"tier": "gold"}, NOW, one) for n, one in enumerate(many(9))])
    pipeline.deliver()
    assert [state.cause for state in pipeline.alarms] == [Cause.UNAUTHORIZED]
    assert not pipeline.gate(None).is_open(pipeline.clock())
    assert {pipeline.state(f"evt_{n}") for n in range(9)} <= {ChangeState.PENDING, ChangeState.PARKED}
    pipeline.metronome.judge = answers()
    pipeline.clock.advance(MINUTE)
    pipeline.deliver()
    assert pipeline.metronome.held == {one: {"tier": "gold"} for one in many(9)}


def test_an_endpoint_that_is_refused_for_ten_entities_in_a_row_is_closed_alone(pipeline):
    pipeline.metronome.judge = lambda *_: Outcome(Verdict.FORBIDDEN, 403, "not your endpoint")
    pipeline.receive(*[asking(f"evt_{n}", {"tier": "gold"}, NOW, one) for n, one in enumerate(many(10))])
    pipeline.deliver()
    assert (pipeline.gate().cause, pipeline.gate(None)) == (Cause.FORBIDDEN, GateState())


def test_a_limit_of_one_customer_delays_only_that_one(pipeline):
    limited = Outcome(Verdict.LIMITED, 429, "slow down", 30 * SECOND, scope="customer")
    pipeline.metronome.judge = lambda _call, entity_id, _values: limited if entity_id == OTHER_ID else OK
    pipeline.receive(asking("evt_1", {"tier": "gold"}), asking("evt_2", {"tier": "gold"}, NOW, OTHER_ID))
    pipeline.deliver()
    assert (pipeline.alarms, pipeline.gate(), pipeline.gate(None)) == ([], GateState(), GateState())
    assert pipeline.metronome.held == {ENTITY_ID: {"tier": "gold"}}
    assert pipeline.store.backlog.waiting() == {"rate limit": 1}
    pipeline.metronome.judge = answers()
    pipeline.clock.advance(30 * SECOND - 1)
    assert pipeline.deliver() == 0
    pipeline.clock.advance(1)
    assert pipeline.deliver() == 1


def test_a_limit_of_the_client_closes_the_gate_of_that_endpoint(pipeline):
    pipeline.metronome.judge = answers(Outcome(Verdict.LIMITED, 429, "slow down", 7 * SECOND, scope="client"))
    pipeline.receive(asking("evt_1", {"tier": "gold"}))
    pipeline.deliver()
    assert (pipeline.gate().closed_until, pipeline.gate(None)) == (NOW + 7 * SECOND, GateState())


def test_many_failures_in_a_row_are_an_outage_and_no_entity_is_to_blame(pipeline):
    pipeline.metronome.judge = lambda *_: DOWN
    pipeline.receive(*[asking(f"evt_{n}", {"tier": "gold"}, NOW, one) for n, one in enumerate(many(8))])
    claims = pipeline.claim()
    for claim in claims[:5]:
        pipeline.deliverer.deliver(claim)
    gate = pipeline.gate()
    assert (gate.cause, gate.width, gate.is_open(pipeline.clock())) == (Cause.OUTAGE, 1, False)
    for claim in claims[5:]:
        pipeline.deliverer.deliver(claim)
    assert len(pipeline.alarms) == 1
    pipeline.clock.advance(60 * SECOND)
    assert sorted(claim.tries for claim in pipeline.claim()) == [0, 0, 0, 0, 1, 1, 1, 1]


def test_one_failing_entity_is_no_outage(pipeline):
    pipeline.metronome.judge = lambda _call, entity_id, _values: DOWN if entity_id == OTHER_ID else OK
    for number in range(9):
        both = [asking(f"{name}_{number}", {"n": str(number)}, NOW + number, one) for name, one in IDS.items()]
        pipeline.receive(*both)
        pipeline.deliver()
        pipeline.clock.advance(60 * SECOND)
    assert pipeline.gate().is_wide_open
    assert pipeline.metronome.held == {ENTITY_ID: {"n": "8"}}


def test_calls_beyond_the_first_of_a_job_are_paid_for_from_the_budget(make_pipeline):
    pipeline = make_pipeline(rate=2 / SPENT)
    pipeline.receive(asking("evt_1", {"tier": "gold", "coupon": None}))
    (claim,) = pipeline.claim()
    assert pipeline.gatekeeper.admit(Gates(pipeline.gate(None)), Endpoint.SET_VALUES, 1).granted == 1
    pipeline.deliverer.deliver(claim)
    assert [call for call, _, _ in pipeline.metronome.calls] == ["set", "delete"]
    assert pipeline.slept == [0.48]


def test_a_refused_change_keeps_metronomes_words_and_leaves_the_queue(pipeline):
    pipeline.metronome.judge = refusing("bad")
    pipeline.receive(asking("evt_1", {"tier": "bad"}))
    pipeline.deliver()
    assert pipeline.states() == [(ChangeState.REFUSED, "Metronome answered 400: no such key")]
    assert pipeline.store.glance(NOW).next_due() is None


@pytest.mark.parametrize("bad", [{0}, {4}, {9}, {2, 3}, {0, 5, 9}, set(range(10))])
def test_bad_changes_are_refused_and_the_others_arrive(pipeline, bad):
    pipeline.metronome.judge = refusing("bad")
    values = [{f"key_{n}": "bad" if n in bad else "good"} for n in range(10)]
    pipeline.receive(*[asking(f"evt_{n}", asked, NOW + n) for n, asked in enumerate(values)])
    pipeline.deliver()
    assert pipeline.metronome.held.get(ENTITY_ID, {}) == {f"key_{n}": "good" for n in range(10) if n not in bad}
    assert {n for n in range(10) if pipeline.state(f"evt_{n}") == ChangeState.REFUSED} == bad
    assert pipeline.store.glance(NOW).next_due() is None


def test_when_the_newest_value_is_refused_the_newest_good_one_stands(pipeline):
    pipeline.metronome.judge = refusing("bad")
    pipeline.receive(*[asking(f"evt_{n}", {"tier": tier}, NOW + n) for n, tier in enumerate(["a", "b", "c", "bad"])])
    pipeline.deliver()
    assert pipeline.metronome.held[ENTITY_ID] == {"tier": "c"}
    assert pipeline.state("evt_3") == ChangeState.REFUSED
    assert pipeline.state("evt_0") == ChangeState.SUPERSEDED


def asking_for_parts(stored):
    return translated(replace(by_payload(stored).changes[0], partial=True))


def test_a_partial_change_sets_what_metronome_takes_and_parks_the_rest(pipeline):
    pipeline.metronome.judge = refusing("bad")
    asked = {"a": "1", "b": "2", "c": "bad", "d": None, "e": "5"}
    pipeline.receive(asking("evt_1", asked), translate=asking_for_parts)
    pipeline.deliver()
    assert pipeline.metronome.held[ENTITY_ID] == {"a": "1", "b": "2", "e": "5"}
    assert pipeline.states() == [(ChangeState.PARKED, "c: Metronome answered 400: no such key")]


def test_a_parked_key_is_set_once_metronome_takes_it_and_nothing_else_is_sent_again(pipeline):
    pipeline.metronome.judge = refusing("bad")
    pipeline.receive(asking("evt_1", {"a": "1", "c": "bad"}), translate=asking_for_parts)
    pipeline.deliver()
    assert pipeline.deliver() == 0
    before = len(pipeline.metronome.calls)
    pipeline.metronome.judge = answers()
    pipeline.clock.advance(MINUTE)
    pipeline.deliver()
    assert pipeline.metronome.calls[before:] == [("set", ENTITY_ID, {"c": "bad"})]
    assert pipeline.state() == ChangeState.DELIVERED
    assert pipeline.store.glance(pipeline.clock()).next_due() is None


def test_a_parked_key_keeps_nobody_waiting_and_is_superseded_by_newer_news(pipeline):
    pipeline.metronome.judge = refusing("bad")
    pipeline.receive(asking("evt_1", {"a": "1", "c": "bad"}), translate=asking_for_parts)
    pipeline.deliver()
    pipeline.receive(asking("evt_2", {"c": "good"}, NOW + 1))
    assert pipeline.deliver() == 1
    assert pipeline.metronome.held[ENTITY_ID] == {"a": "1", "c": "good"}
    calls = len(pipeline.metronome.calls)
    pipeline.clock.advance(MINUTE)
    pipeline.deliver()
    assert len(pipeline.metronome.calls) == calls
    assert pipeline.metronome.held[ENTITY_ID]["c"] == "good"
    assert pipeline.state("evt_1") == ChangeState.DELIVERED


def test_a_parked_key_is_tried_ever_more_seldom_and_refused_after_days(pipeline):
    pipeline.metronome.judge = refusing("bad")
    pipeline.receive(asking("evt_1", {"a": "1", "c": "bad"}), translate=asking_for_parts)
    waits = []
    while (due := pipeline.store.glance(pipeline.clock()).next_due()) is not None:
        waits.append(due - pipeline.clock())
        pipeline.clock.advance(max(0, due - pipeline.clock()))
        pipeline.deliver()
    assert waits[1:7] == [MINUTE, MINUTE, 2 * MINUTE, 4 * MINUTE, 8 * MINUTE, 16 * MINUTE]
    assert max(waits) == HOUR
    assert pipeline.states() == [(ChangeState.REFUSED, "c: Metronome answered 400: no such key")]
    assert pipeline.metronome.held[ENTITY_ID] == {"a": "1"}


def test_news_of_an_entity_that_is_waited_for_is_tried_within_a_minute(pipeline):
    pipeline.metronome.judge = lambda *_: GONE
    pipeline.receive(asking("evt_1", {"tier": "gold"}))
    for _ in range(20):
        pipeline.deliver()
        pipeline.clock.advance(HOUR)
    pipeline.deliver()
    assert pipeline.store.glance(pipeline.clock()).next_due() > pipeline.clock() + MINUTE
    pipeline.receive(asking("evt_2", {"tier": "silver"}, NOW + 1))
    assert pipeline.store.glance(pipeline.clock()).next_due() == pipeline.clock() + MINUTE
    pipeline.metronome.judge = answers()
    pipeline.clock.advance(MINUTE)
    pipeline.deliver()
    assert pipeline.metronome.held[ENTITY_ID] == {"tier": "silver"}


def test_what_was_settled_before_an_outage_in_the_middle_stays_settled(pipeline):
    pipeline.metronome.judge = answers(BAD, OK, DOWN)
    pipeline.receive(*[asking(f"evt_{n}", {f"key_{n}": "x"}, NOW + n) for n in range(2)])
    pipeline.deliver()
    assert (pipeline.state("evt_1"), pipeline.state("evt_0")) == (ChangeState.DELIVERED, ChangeState.PENDING)
    pipeline.clock.advance(SECOND)
    pipeline.deliver()
    assert pipeline.metronome.calls[-1] == ("set", ENTITY_ID, {"key_0": "x"})
    assert pipeline.state("evt_0") == ChangeState.DELIVERED


def test_a_removal_that_fails_after_the_values_were_set_is_made_up_for(pipeline):
    pipeline.metronome.judge = answers(OK, DOWN)
    pipeline.receive(asking("evt_1", {"tier": "gold", "coupon": None}))
    pipeline.deliver()
    assert pipeline.state() == ChangeState.PENDING
    pipeline.clock.advance(SECOND)
    pipeline.deliver()
    assert [call for call, _, _ in pipeline.metronome.calls] == ["set", "delete", "delete"]
    assert pipeline.state() == ChangeState.DELIVERED


def test_an_entity_that_does_not_exist_yet_is_waited_for(pipeline):
    pipeline.metronome.judge = answers(GONE)
    pipeline.receive(asking("evt_1", {"tier": "gold"}))
    pipeline.deliver()
    assert pipeline.states() == [(ChangeState.PARKED, "Metronome answered 404: no such customer")]
    pipeline.clock.advance(5 * SECOND)
    pipeline.deliver()
    assert pipeline.state() == ChangeState.DELIVERED


def test_an_entity_that_never_exists_is_given_up_after_days(pipeline):
    pipeline.metronome.judge = lambda *_: GONE
    pipeline.receive(asking("evt_old", {"tier": "gold"}))
    pipeline.clock.advance(7 * DAY + 1)
    pipeline.receive(asking("evt_new", {"plan": "pro"}))
    pipeline.deliver()
    assert (pipeline.state("evt_old"), pipeline.state("evt_new")) == (ChangeState.REFUSED, ChangeState.PARKED)
    pipeline.clock.advance(7 * DAY + 1)
    pipeline.deliver()
    assert pipeline.state("evt_new") == ChangeState.REFUSED
    assert pipeline.store.glance(pipeline.clock()).next_due() is None


def test_no_call_begins_that_might_outlast_the_lease(pipeline):
    pipeline.receive(asking("evt_1", {"tier": "gold"}))
    (claim,) = pipeline.claim()
    pipeline.clock.advance(LEASE - 12 * SECOND)
    pipeline.deliverer.deliver(claim)
    assert pipeline.metronome.calls == []
    (again,) = pipeline.claim("theirs")
    assert again.tries == 0


def test_a_worker_that_lost_its_lease_does_not_settle(pipeline):
    """It was so slow that somebody else has taken over: only that one's account counts."""
    pipeline.receive(asking("evt_1", {"tier": "gold"}))
    (slow,) = pipeline.claim()

    def overtaken(*_):
        pipeline.clock.advance(LEASE)
        pipeline.claim("theirs")
        return OK

    pipeline.metronome.judge = overtaken
    pipeline.deliverer.deliver(slow)
    assert pipeline.state() == ChangeState.PENDING
    assert pipeline.store.entities.fields_of("customer", ENTITY_ID) == {}


def test_every_call_is_logged_without_values(pipeline):
    pipeline.receive(asking("evt_1", {"tier": "gold"}), asking("evt_2", {"plan": "pro"}, customer=OTHER_ID))
    pipeline.deliver()
    assert sorted(claim.entity_id for claim, _ in pipeline.logged) == sorted([ENTITY_ID, OTHER_ID])
    assert "gold" not in repr(pipeline.logged)
