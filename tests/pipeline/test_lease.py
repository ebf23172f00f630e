"""A worker that was stopped in the middle of a delivery, lost its lease, and goes on as if nothing had happened."""

import pytest

from bridge.model import Outcome, Verdict
from bridge.times import SECOND
from tests.pipeline.conftest import LEASE
from tests.support.making import ENTITY_ID, NOW, asking

BAD = Outcome(Verdict.REFUSED, 400, "no such key")


@pytest.fixture
def stall(pipeline):
    """Stops the next call before it reaches Metronome, for longer than its lease; `meanwhile` happens then."""

    def begin(meanwhile, call="set_values"):
        made = getattr(pipeline.metronome, call)

        def late(*given):
            setattr(pipeline.metronome, call, made)
            pipeline.clock.advance(LEASE + SECOND)
            meanwhile()
            return made(*given)

        setattr(pipeline.metronome, call, late)

    return begin


def news(pipeline, **values):
    """Somebody else takes the entity over and delivers something newer."""

    def meanwhile():
        pipeline.receive(asking("evt_new", values, NOW + SECOND))
        assert pipeline.deliver() == 1

    return meanwhile


def held(pipeline):
    return pipeline.metronome.held[ENTITY_ID]


def test_a_stalled_worker_that_wakes_up_does_not_have_the_last_word(pipeline, stall):
    stall(news(pipeline, tier="new"))
    pipeline.receive(asking("evt_old", {"tier": "old"}))
    pipeline.deliver()
    assert held(pipeline) == {"tier": "old"}, "nobody can hold back a call that is on its way"
    assert pipeline.deliver() == 1
    assert held(pipeline) == {"tier": "new"}
    assert pipeline.deliver() == 0
    assert not pipeline.store.entities.fields_of("customer", ENTITY_ID)["tier"].doubted


def test_a_stalled_removal_does_not_have_the_last_word(pipeline, stall):
    stall(news(pipeline, coupon="SUMMER"), "delete_values")
    pipeline.receive(asking("evt_old", {"coupon": None}))
    pipeline.deliver()
    assert held(pipeline) == {}
    pipeline.deliver()
    assert held(pipeline) == {"coupon": "SUMMER"}


def test_what_was_removed_is_removed_again(pipeline, stall):
    stall(news(pipeline, tier=None))
    pipeline.receive(asking("evt_old", {"tier": "old"}))
    pipeline.deliver()
    assert held(pipeline) == {"tier": "old"}
    pipeline.deliver()
    assert held(pipeline) == {}


def test_only_what_may_have_been_written_over_is_written_again(pipeline, stall):
    stall(news(pipeline, tier="new", plan="pro"))
    pipeline.receive(asking("evt_old", {"tier": "old"}))
    pipeline.deliver()
    pipeline.deliver()
    assert pipeline.metronome.calls[-1] == ("set", ENTITY_ID, {"tier": "new"})


def test_news_of_a_doubted_key_goes_out_even_if_the_value_is_the_known_one(pipeline, stall):
    stall(news(pipeline, tier="new"))
    pipeline.receive(asking("evt_old", {"tier": "old"}))
    pipeline.deliver()
    pipeline.receive(asking("evt_newest", {"tier": "new"}, NOW + 2 * SECOND))
    calls = len(pipeline.metronome.calls)
    pipeline.deliver()
    assert held(pipeline) == {"tier": "new"}
    assert len(pipeline.metronome.calls) == calls + 1


def test_a_call_that_did_nothing_raises_no_doubt(pipeline, stall):
    stall(news(pipeline, plan="pro"))
    pipeline.metronome.judge = lambda _call, _id, values: BAD if "tier" in values else Outcome(Verdict.ACCEPTED, 200)
    pipeline.receive(asking("evt_old", {"tier": "old"}))
    pipeline.deliver()
    assert pipeline.deliver() == 0


def test_a_doubted_value_that_is_refused_blocks_nothing_and_comes_with_the_next_delivery(pipeline, stall):
    stall(news(pipeline, tier="new", plan="pro"))
    pipeline.receive(asking("evt_old", {"tier": "old", "plan": "free"}))
    pipeline.deliver()
    pipeline.metronome.judge = lambda _call, _id, values: BAD if "tier" in values else Outcome(Verdict.ACCEPTED, 200)
    pipeline.deliver()
    assert held(pipeline) == {"tier": "old", "plan": "pro"}
    assert pipeline.deliver() == 0
    pipeline.metronome.judge = lambda *_: Outcome(Verdict.ACCEPTED, 200)
    pipeline.receive(asking("evt_newest", {"seats": "5"}, NOW + 2 * SECOND))
    pipeline.deliver()
    assert held(pipeline) == {"tier": "new", "plan": "pro", "seats": "5"}


def test_what_cannot_be_written_again_now_is_tried_later(pipeline, stall):
    stall(news(pipeline, tier="new"))
    pipeline.receive(asking("evt_old", {"tier": "old"}))
    pipeline.deliver()
    outcomes = [Outcome(Verdict.UNAVAILABLE, 503)]
    pipeline.metronome.judge = lambda *_: outcomes.pop() if outcomes else Outcome(Verdict.ACCEPTED, 200)
    pipeline.deliver()
    pipeline.clock.advance(SECOND)
    pipeline.deliver()
    assert held(pipeline) == {"tier": "new"}
