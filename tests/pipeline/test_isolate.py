"""What Metronome refuses is found with few calls, over any number of leases, and nothing else is held back by it."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.model import ChangeState, Outcome, Verdict
from bridge.pipeline.fold import fold
from bridge.pipeline.isolate import MOST_VALUES, Search, groups_of, units_of
from bridge.store.isolation import Isolation
from bridge.times import SECOND
from tests.pipeline.conftest import LEASE
from tests.support.making import ENTITY_ID, NOW, asking, stored_change
from tests.support.metronome import OK

BAD = Outcome(Verdict.REFUSED, 400, "no such key")


def refusing_key(bad):
    return lambda _call, _id, values: BAD if bad in values else OK


def deliver_until_done(pipeline, most=100):
    """Delivers again and again, as a worker would. Returns how many deliveries it took."""
    for number in range(1, most + 1):
        pipeline.deliver()
        if pipeline.store.glance(pipeline.clock()).next_due() is None:
            return number
        pipeline.clock.advance(1)
    return pytest.fail("it does not come to an end")


@pytest.mark.parametrize(("changes", "bad"), [(2, 1), (64, 0), (64, 63), (512, 300)])
def test_one_bad_key_among_many_is_found_with_about_twice_the_logarithm_of_calls(pipeline, changes, bad):
    pipeline.metronome.judge = refusing_key(f"key_{bad}")
    pipeline.receive(*[asking(f"evt_{n}", {f"key_{n}": "x"}, NOW + n) for n in range(changes)])
    deliver_until_done(pipeline)
    assert len(pipeline.metronome.calls) <= 2 * changes.bit_length() + 2
    assert pipeline.metronome.held[ENTITY_ID] == {f"key_{n}": "x" for n in range(changes) if n != bad}


def test_a_key_that_no_change_may_set_costs_few_calls_however_many_have_it(pipeline):
    pipeline.metronome.judge = refusing_key("unknown")
    events = [asking(f"evt_{n}", {"tier": str(n), "plan": str(n), "unknown": str(n)}, NOW + n) for n in range(512)]
    pipeline.receive(*events)
    deliver_until_done(pipeline)
    assert len(pipeline.metronome.calls) <= 2 * 9 + MOST_VALUES
    assert pipeline.store.changes.counts()[ChangeState.REFUSED] == 500
    assert pipeline.store.glance(NOW).next_due() is None


def test_a_key_that_is_not_on_the_allow_list_is_tried_once(pipeline):
    message = "Invalid custom field keys: unknown"
    pipeline.metronome.judge = lambda _call, _id, values: Outcome(Verdict.REFUSED, 400, message) if values else OK
    pipeline.receive(*[asking(f"evt_{n}", {"unknown": str(n)}, NOW + n) for n in range(50)])
    deliver_until_done(pipeline)
    assert len(pipeline.metronome.calls) == 1
    assert pipeline.states("evt_49") == [(ChangeState.REFUSED, f"Metronome answered 400: {message}")]
    assert pipeline.states("evt_0")[0][1].startswith("not sent, like other values of this key")


def test_a_single_change_that_is_refused_has_changed_nothing(pipeline):
    pipeline.metronome.judge = refusing_key("unknown")
    pipeline.receive(asking("evt_1", {"tier": "gold", "unknown": "x", "plan": "pro"}))
    pipeline.deliver()
    assert pipeline.metronome.held.get(ENTITY_ID, {}) == {}
    assert len(pipeline.metronome.calls) == 1


def test_a_refused_change_beside_others_has_changed_nothing(pipeline):
    pipeline.metronome.judge = refusing_key("unknown")
    pipeline.receive(asking("evt_1", {"tier": "silver"}), asking("evt_2", {"tier": "gold", "unknown": "x"}, NOW + 1))
    pipeline.deliver()
    assert pipeline.metronome.held[ENTITY_ID] == {"tier": "silver"}
    assert pipeline.state("evt_2") == ChangeState.REFUSED


def test_what_stands_of_a_refused_change_is_said(pipeline):
    """The values are set by one call and a key is removed by another: the first is accepted, the second is not."""
    pipeline.metronome.judge = lambda call, _id, _values: BAD if call == "delete" else OK
    pipeline.receive(asking("evt_1", {"tier": "gold", "coupon": None}))
    pipeline.deliver()
    ((state, reason),) = pipeline.states()
    assert state == ChangeState.REFUSED
    assert reason.endswith("Metronome holds these keys of it all the same: tier")
    assert pipeline.store.entities.fields_of("customer", ENTITY_ID)["tier"].value == "gold"


@pytest.mark.parametrize(("changes", "seconds"), [(4, 9), (64, 3), (256, 2)])
def test_the_search_goes_on_from_one_lease_to_the_next(pipeline, changes, seconds):
    """Calls are so slow that a lease has room for few of them."""
    refuse = refusing_key("key_1")

    def slowly(*call):
        pipeline.clock.advance(seconds * SECOND)
        return refuse(*call)

    pipeline.metronome.judge = slowly
    pipeline.receive(*[asking(f"evt_{n}", {f"key_{n}": "x"}, NOW + n) for n in range(changes)])
    deliveries = deliver_until_done(pipeline)
    assert deliveries > 1
    assert len(pipeline.metronome.calls) <= 2 * changes.bit_length() + deliveries
    assert pipeline.metronome.held[ENTITY_ID] == {f"key_{n}": "x" for n in range(changes) if n != 1}
    assert pipeline.state("evt_1") == ChangeState.REFUSED


def test_new_changes_do_not_wait_for_the_end_of_a_search(pipeline):
    refuse = refusing_key("key_1")

    def slowly(*call):
        pipeline.clock.advance(LEASE // 3)
        return refuse(*call)

    pipeline.metronome.judge = slowly
    pipeline.receive(*[asking(f"evt_{n}", {f"key_{n}": "x"}, NOW + n) for n in range(64)])
    pipeline.deliver()
    pipeline.receive(asking("evt_new", {"tier": "gold"}, NOW))
    pipeline.clock.advance(1)
    pipeline.deliver()
    assert pipeline.metronome.held[ENTITY_ID]["tier"] == "gold"


@settings(max_examples=200, deadline=None)
@given(
    changes=st.lists(st.sets(st.sampled_from("abcdefgh"), min_size=1), min_size=1, max_size=12),
    bad=st.sets(st.sampled_from("abcdefgh"), max_size=3),
    partial=st.booleans(),
)
def test_every_good_key_is_sent_and_every_bad_one_blamed(changes, bad, partial):
    """Whatever the changes are: groups that hold a bad key are refused, and the search ends with those to blame."""
    stored = [
        replace(stored_change(n, dict.fromkeys(sorted(keys), str(n))), partial=partial, occurred_at=NOW + n)
        for n, keys in enumerate(changes, 1)
    ]
    folded = fold(stored, {})
    units = units_of(folded, stored)
    search = Search(Isolation())
    search.begin(groups_of(units, ()))
    sent, blamed, calls = set(), set(), 0
    while (keys := search.next()) is not None:
        calls += 1
        if not bad & set(keys):
            sent.update(keys)
        elif parts := search.parts(keys, units):
            search.split(parts)
        else:
            blamed.update(keys)
    assert sent | blamed == set(folded.written)
    assert not sent & bad
    guilty = {units[key].id for key in bad & set(folded.written)}
    assert {units[key].id for key in blamed} == guilty
    assert calls <= 2 * max(1, len(guilty)) * (len(folded.written).bit_length() + 1) * (8 if partial else 1)
