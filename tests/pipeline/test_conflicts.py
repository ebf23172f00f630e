"""Unique values move from one entity to another, in whatever order the events of both are delivered."""

import itertools

import pytest

from bridge.model import ChangeState, Outcome, Verdict, Wait
from bridge.pipeline.gatekeeper import SPENT
from bridge.times import DAY, HOUR, MINUTE, SECOND
from tests.support.making import NOW, asking
from tests.support.metronome import OK

A, B, C = (f"{letter * 8}-e8a5-4bca-be21-8d1de0f45120" for letter in "abc")
CONFLICT = Outcome(Verdict.CONFLICT, 409, "another entity has this value")
DOWN = Outcome(Verdict.UNAVAILABLE, 503)


def unique(pipeline, *keys):
    """Metronome refuses a value of these keys that another entity holds."""

    def judge(call, entity_id, values):
        others = (held for one, held in pipeline.metronome.held.items() if one != entity_id)
        taken = {(key, held.get(key)) for held in others for key in keys}
        return CONFLICT if call == "set" and taken & set(values.items()) else OK

    pipeline.metronome.judge = judge
    return judge


def start(pipeline, **values):
    """Entities that hold these values of the key `number`."""
    for name, value in values.items():
        pipeline.receive(asking(f"start_{name}", {"number": value}, NOW, {"a": A, "b": B, "c": C}[name]))
        pipeline.deliver()


def numbers(pipeline):
    return {one: held.get("number") for one, held in pipeline.metronome.held.items()}


def deliver(pipeline, *ids):
    """Deliver what is due of these entities, in this order."""
    claims = {claim.entity_id: claim for claim in pipeline.claim()}
    for one in ids:
        if one in claims:
            pipeline.deliverer.deliver(claims[one])
    for one in set(claims) - set(ids):
        pipeline.store.entities.release(claims[one])


@pytest.mark.parametrize("order", list(itertools.permutations([A, B])))
def test_a_hand_over_ends_right_at_once_in_any_order(pipeline, order):
    unique(pipeline, "number")
    start(pipeline, a="1")
    pipeline.receive(asking("evt_a", {"number": "2"}, NOW + 1, A), asking("evt_b", {"number": "1"}, NOW + 1, B))
    deliver(pipeline, *order)
    deliver(pipeline, *order)
    assert numbers(pipeline) == {A: "2", B: "1"}
    assert (pipeline.state("evt_a"), pipeline.state("evt_b")) == (ChangeState.DELIVERED, ChangeState.DELIVERED)


def test_a_hand_over_by_removal_is_taken_up_at_once(pipeline):
    unique(pipeline, "number")
    start(pipeline, a="1")
    pipeline.receive(asking("evt_b", {"number": "1"}, NOW + 1, B))
    pipeline.deliver()
    pipeline.receive(asking("evt_a", {"number": None}, NOW + 1, A))
    pipeline.deliver()
    pipeline.deliver()
    assert numbers(pipeline) == {A: None, B: "1"}


def test_a_change_that_waits_for_a_value_says_so_and_delays_no_other(pipeline):
    unique(pipeline, "number")
    start(pipeline, a="1")
    pipeline.receive(asking("evt_b", {"number": "1"}, NOW + 1, B), asking("evt_c", {"number": "3"}, NOW + 1, C))
    pipeline.deliver()
    assert numbers(pipeline)[C] == "3"
    assert pipeline.states("evt_b") == [(ChangeState.PARKED, "Metronome answered 409: another entity has this value")]
    assert pipeline.store.backlog.waiting() == {Wait.UNIQUE_VALUE: 1}
    pipeline.receive(asking("evt_tier", {"tier": "gold"}, NOW + 1, B))
    pipeline.deliver()
    assert pipeline.metronome.held[B] == {"tier": "gold"}


def test_a_value_that_is_never_free_is_asked_for_with_growing_pauses_and_given_up_after_days(pipeline):
    unique(pipeline, "number")
    start(pipeline, a="1")
    pipeline.receive(asking("evt_b", {"number": "1"}, NOW + 1, B))
    waits = []
    while (due := pipeline.store.glance(pipeline.clock()).next_due()) is not None:
        waits.append(max(0, due - pipeline.clock()))
        pipeline.clock.advance(waits[-1])
        pipeline.deliver()
    assert waits[1:5] == [5 * SECOND, 5 * SECOND, 10 * SECOND, 20 * SECOND]
    assert max(waits) == HOUR
    assert 7 * DAY <= sum(waits) <= 7 * DAY + HOUR + MINUTE
    assert pipeline.state("evt_b") == ChangeState.REFUSED
    assert pipeline.store.backlog.waiting() == {}


@pytest.mark.parametrize("order", list(itertools.permutations([A, B])))
def test_two_entities_swap_their_values(pipeline, order):
    unique(pipeline, "number")
    start(pipeline, a="1", b="2")
    pipeline.receive(asking("evt_a", {"number": "2"}, NOW + 1, A), asking("evt_b", {"number": "1"}, NOW + 1, B))
    deliver(pipeline, *order)
    assert numbers(pipeline) == {A: "2", B: "1"}
    pipeline.deliver()
    assert pipeline.store.glance(pipeline.clock()).next_due() is None
    assert (pipeline.state("evt_a"), pipeline.state("evt_b")) == (ChangeState.DELIVERED, ChangeState.DELIVERED)


@pytest.mark.parametrize("order", list(itertools.permutations([A, B, C])))
def test_three_entities_pass_their_values_round(pipeline, order):
    unique(pipeline, "number")
    start(pipeline, a="1", b="2", c="3")
    wishes = {A: "2", B: "3", C: "1"}
    pipeline.receive(*[asking(f"evt_{one[0]}", {"number": value}, NOW + 1, one) for one, value in wishes.items()])
    deliver(pipeline, *order)
    pipeline.deliver()
    assert numbers(pipeline) == wishes
    assert pipeline.store.glance(pipeline.clock()).next_due() is None


@pytest.mark.parametrize("stop", range(1, 6))
def test_a_swap_that_is_cut_short_anywhere_loses_no_value_for_good(pipeline, stop):
    """The process ends at one of its calls, and another one goes on after the leases have ended."""
    judge = unique(pipeline, "number")
    start(pipeline, a="1", b="2")
    pipeline.receive(asking("evt_a", {"number": "2"}, NOW + 1, A), asking("evt_b", {"number": "1"}, NOW + 1, B))

    class Killed(BaseException):
        pass

    calls = itertools.count(1)

    def until_killed(*call):
        if next(calls) == stop:
            raise Killed
        return judge(*call)

    pipeline.metronome.judge = until_killed
    try:
        deliver(pipeline, A, B)
    except Killed:
        pipeline.metronome.judge = judge
        pipeline.clock.advance(HOUR)
    for _ in range(5):
        pipeline.deliver()
        pipeline.clock.advance(HOUR)
    assert numbers(pipeline) == {A: "2", B: "1"}


def test_a_swap_whose_partner_fails_puts_the_deleted_value_back(pipeline):
    judge = unique(pipeline, "number")
    start(pipeline, a="1", b="2")
    bad = Outcome(Verdict.REFUSED, 400, "no such tier")
    pipeline.metronome.judge = lambda call, one, values: bad if "bad" in values.values() else judge(call, one, values)
    pipeline.receive(asking("evt_a", {"number": "2"}, NOW + 1, A))
    pipeline.receive(asking("evt_b", {"number": "1", "tier": "bad"}, NOW + 1, B))
    for _ in range(3):
        pipeline.deliver()
        pipeline.clock.advance(MINUTE)
    assert numbers(pipeline) == {A: "1", B: "2"}
    assert pipeline.state("evt_b") == ChangeState.REFUSED
    assert pipeline.state("evt_a") == ChangeState.PARKED


def test_a_swap_of_an_entity_that_is_being_delivered_waits_for_it(pipeline):
    unique(pipeline, "number")
    start(pipeline, a="1", b="2")
    pipeline.receive(asking("evt_b", {"number": "1"}, NOW + 1, B))
    pipeline.deliver()
    pipeline.receive(asking("evt_a", {"number": "2"}, NOW + 1, A), asking("evt_more", {"tier": "x"}, NOW + 2, B))
    claims = {claim.entity_id: claim for claim in pipeline.claim()}
    pipeline.deliverer.deliver(claims[A])
    assert numbers(pipeline) == {A: "1", B: "2"}
    pipeline.deliverer.deliver(claims[B])
    pipeline.clock.advance(HOUR)
    for _ in range(2):
        pipeline.deliver()
    assert numbers(pipeline) == {A: "2", B: "1"}


def test_a_swap_whose_partner_cannot_be_reached_ends_and_is_tried_again_later(pipeline):
    judge = unique(pipeline, "number")
    start(pipeline, a="1", b="2")
    pipeline.metronome.judge = lambda call, one, values: DOWN if one == B else judge(call, one, values)
    pipeline.receive(asking("evt_b", {"number": "1"}, NOW + 1, B), asking("evt_a", {"number": "2"}, NOW + 1, A))
    pipeline.metronome.judge = lambda call, one, values: (
        DOWN if one == B and len(pipeline.metronome.calls) > 3 else judge(call, one, values)
    )
    deliver(pipeline, B, A)
    assert len(pipeline.metronome.calls) < 20
    pipeline.metronome.judge = judge
    for _ in range(6):
        pipeline.clock.advance(HOUR)
        pipeline.deliver()
    assert numbers(pipeline) == {A: "2", B: "1"}


def test_every_call_of_a_swap_is_paid_for_from_the_budget(make_pipeline):
    pipeline = make_pipeline(rate=2 / SPENT)
    unique(pipeline, "number")
    start(pipeline, a="1", b="2")
    pipeline.receive(asking("evt_a", {"number": "2"}, NOW + 1, A), asking("evt_b", {"number": "1"}, NOW + 1, B))
    before = len(pipeline.metronome.calls)
    deliver(pipeline, A, B)
    made = len(pipeline.metronome.calls) - before
    assert numbers(pipeline) == {A: "2", B: "1"}
    # The two jobs that were handed out bring their own first call.
    assert len(pipeline.slept) >= made - 2 - 1
