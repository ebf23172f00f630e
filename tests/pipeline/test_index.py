"""Customers found by a custom field: all are read for it, once for many, and only a complete reading is a no."""

import pytest

from bridge.gates import Endpoint, Gates
from bridge.model import ChangeState, IndexState, Outcome, Reference, Verdict
from bridge.pipeline.gatekeeper import SPENT
from bridge.pipeline.index import ABANDONED_AFTER, CIRCLE, SLICE, advanced, entries_of, stopped, taken
from bridge.times import DAY, HOUR, SECOND
from tests.support.lookups import EVERY, LEASE
from tests.support.making import ENTITY_ID, NOW, OTHER_ID, change, event, translated
from tests.support.metronome import answers

THIRD_ID = "11111111-6c5b-4a7e-9d43-1c0a2f3b4d5e"


def crm(value, key="crm"):
    return Reference.of("custom_field", (key, value))


def ask(pipeline, name="evt_1", reference=None, at=NOW):
    asked = change({"tier": name}, at, reference=reference or crm("A-1"))
    pipeline.receive(event(name), translate=lambda _: translated(asked))


def walks(pipeline):
    return pipeline.store.index.state().walk


def settle(pipeline):
    """Look up and deliver until nothing is due. How many lookups that took."""
    made = 0
    while (resolved := pipeline.resolve()) or pipeline.deliver():
        made += resolved
    return made


@pytest.fixture
def crowd(pipeline):
    """A Metronome with five customers on pages of two."""
    pipeline.metronome.page_size = 2
    others = {f"{number:08d}-6c5b-4a7e-9d43-1c0a2f3b4d5e": {"crm": f"B-{number}"} for number in range(3)}
    pipeline.metronome.people = {**others, ENTITY_ID: {"crm": "A-1"}, OTHER_ID: {"crm": "A-2"}}
    return pipeline


def test_a_customer_is_found_by_a_custom_field(crowd):
    ask(crowd)
    settle(crowd)
    assert crowd.metronome.held == {ENTITY_ID: {"tier": "evt_1"}}
    # Three pages of customers, and one look at whom they led to.
    assert crowd.metronome.lookups == 4


def test_all_are_read_once_for_many(crowd):
    for number in range(3):
        ask(crowd, f"evt_{number}", crm(f"B-{number}"))
    settle(crowd)
    assert len(crowd.metronome.held) == 3
    assert walks(crowd) == 1
    assert crowd.metronome.lookups == 3 + 3


def test_whoever_is_not_there_is_looked_for_again_only_when_all_may_be_read_anew(crowd):
    ask(crowd, reference=crm("none"))
    assert settle(crowd) == 2
    assert crowd.states() == [(ChangeState.PARKED, "no customer in Metronome has the custom_field crm none yet")]
    ask(crowd, "evt_2", crm("nobody"))
    settle(crowd)
    assert walks(crowd) == 1
    assert crowd.store.glance(crowd.clock()).reference_due == NOW + EVERY
    crowd.clock.advance(EVERY)
    assert settle(crowd) > 0
    assert walks(crowd) == 2


def test_a_customer_who_comes_later_is_found_by_the_next_reading(crowd):
    ask(crowd, reference=crm("new"))
    settle(crowd)
    crowd.metronome.people[THIRD_ID] = {"crm": "new"}
    crowd.clock.advance(EVERY)
    settle(crowd)
    assert crowd.metronome.held == {THIRD_ID: {"tier": "evt_1"}}


def test_a_reading_wakes_up_whoever_else_waits_for_what_it_finds(crowd):
    ask(crowd, "evt_1", crm("new"))
    for _ in range(12):
        settle(crowd)
        crowd.clock.advance(HOUR)
    settle(crowd)
    crowd.metronome.people[THIRD_ID] = {"crm": "new"}
    crowd.clock.advance(EVERY)
    assert settle(crowd) == 0
    ask(crowd, "evt_2", crm("none"))
    settle(crowd)
    assert crowd.metronome.held == {THIRD_ID: {"tier": "evt_1"}}


def test_who_never_comes_is_given_up_after_days(crowd):
    ask(crowd, reference=crm("none"))
    settle(crowd)
    crowd.clock.advance(7 * DAY + 1)
    settle(crowd)
    assert crowd.state() == ChangeState.REFUSED
    assert crowd.store.glance(crowd.clock()).next_due() is None


def test_of_several_none_is_chosen_and_the_change_is_refused_with_their_names(crowd):
    crowd.metronome.people[OTHER_ID] = {"crm": "A-1"}
    ask(crowd)
    settle(crowd)
    ((state, reason),) = crowd.states()
    assert state == ChangeState.REFUSED
    assert reason.startswith("several customers in Metronome have the custom_field crm A-1: ")
    assert ENTITY_ID in reason
    assert OTHER_ID in reason
    assert crowd.metronome.held == {}
    assert crowd.store.glance(crowd.clock()).next_due() is None


def test_once_only_one_has_the_value_a_later_event_finds_it(crowd):
    crowd.metronome.people[OTHER_ID] = {"crm": "A-1"}
    ask(crowd)
    settle(crowd)
    crowd.metronome.people[OTHER_ID] = {"crm": "A-2"}
    ask(crowd, "evt_2", at=NOW + 1)
    settle(crowd)
    assert crowd.metronome.held == {ENTITY_ID: {"tier": "evt_2"}}


@pytest.mark.parametrize("now", [{}, {"crm": "A-9"}, None], ids=["lost it", "has another", "is archived"])
def test_whoever_had_the_value_when_it_was_read_and_has_it_no_more_gets_nothing(crowd, now):
    ask(crowd, reference=crm("A-2"))
    settle(crowd)
    crowd.metronome.people.pop(ENTITY_ID)
    if now is not None:
        crowd.metronome.people[ENTITY_ID] = now
    crowd.clock.advance(EVERY)
    ask(crowd, "evt_2")
    settle(crowd)
    assert set(crowd.metronome.held) == {OTHER_ID}
    assert crowd.state("evt_2") == ChangeState.PARKED
    assert crowd.store.index.candidates("crm", "A-1") == ()


def test_a_value_that_moved_to_another_is_found_there(crowd):
    ask(crowd, reference=crm("A-2"))
    settle(crowd)
    crowd.metronome.people |= {ENTITY_ID: {"crm": "old"}, OTHER_ID: {"crm": "A-1"}}
    crowd.clock.advance(EVERY)
    ask(crowd, "evt_2")
    settle(crowd)
    assert crowd.metronome.held[OTHER_ID] == {"tier": "evt_2"}


def test_a_key_that_no_reading_had_is_read_at_once(crowd):
    crowd.metronome.people[ENTITY_ID]["erp"] = "E-1"
    ask(crowd, reference=crm("A-2"))
    settle(crowd)
    crowd.keys = {"erp"}
    ask(crowd, "evt_2", crm("E-1", "erp"))
    settle(crowd)
    assert crowd.metronome.held[ENTITY_ID] == {"tier": "evt_2"}
    assert crowd.store.index.state().complete_keys == ("erp",)
    assert crowd.store.index.candidates("crm", "A-2") == ()


def test_only_what_mappings_look_up_by_is_remembered(crowd):
    crowd.metronome.people[ENTITY_ID]["note"] = "private"
    ask(crowd)
    settle(crowd)
    assert crowd.store.index.candidates("note", "private") == ()


def test_every_page_is_paid_for_and_what_needs_no_call_is_not(make_pipeline):
    paying = make_pipeline(rate=2 / SPENT)
    paying.metronome.page_size = 1
    paying.metronome.people = {ENTITY_ID: {"crm": "A-1"}, OTHER_ID: {"crm": "A-2"}, THIRD_ID: {"crm": "A-3"}}
    ask(paying)
    paying.gatekeeper.admit(Gates(paying.gate(None)), Endpoint.CUSTOMERS, 1)
    paying.resolve()
    assert paying.slept == [0.48, 0.98]
    paid = paying.store.gate.state().next_call_at
    ask(paying, "evt_2", crm("none"))
    claimed = paying.store.references.claim("ours", 10, paying.clock(), paying.clock() + LEASE)
    (nobody,) = (one for one in claimed if one.reference == crm("none"))
    paying.gatekeeper.another()
    paying.resolver.resolve(nobody)
    assert paying.store.gate.state().next_call_at == paid


def test_a_reading_lets_others_have_its_thread_and_goes_on_where_it_was(crowd):
    def slow(*_):
        crowd.clock.advance(SLICE)
        return Outcome(Verdict.ACCEPTED, 200)

    crowd.metronome.judge = slow
    ask(crowd)
    crowd.resolve()
    state = crowd.store.index.state()
    assert (state.is_walking, state.pages, state.cursor, state.lease) == (True, 1, "2", None)
    assert crowd.states()[0][0] == ChangeState.PARKED
    settle(crowd)
    assert crowd.metronome.held == {ENTITY_ID: {"tier": "evt_1"}}
    assert walks(crowd) == 1


def begin(pipeline, lease="theirs", pages=1):
    """Another replica has begun to read, and died."""
    index, now = pipeline.store.index, pipeline.clock()
    state = index.change(
        lambda state: taken(state, key="crm", keys={"crm"}, lease=lease, now=now, lease_for=LEASE, every=EVERY)
    )
    for number in range(1, pages + 1):
        cursor = str(number * pipeline.metronome.page_size)
        state = index.change(
            lambda found, state=state, cursor=cursor: advanced(
                found, seen=state, cursor=cursor, now=now, until=now + LEASE
            )
        )
    return state


def test_while_one_replica_reads_the_others_wait(crowd):
    begin(crowd)
    ask(crowd, reference=crm("A-1"))
    assert crowd.resolve() == 1
    assert crowd.metronome.lookups == 0
    assert crowd.states() == [(ChangeState.PARKED, "waits for the index of Metronome's customers")]
    assert crowd.store.glance(crowd.clock()).reference_due == NOW + SECOND


def test_nobody_is_said_to_be_missing_before_a_reading_came_to_its_end(crowd):
    begin(crowd)
    ask(crowd, reference=crm("none"))
    crowd.clock.advance(8 * DAY)
    begin(crowd)
    crowd.resolve()
    assert crowd.state() == ChangeState.PARKED


def test_whoever_dies_while_reading_leaves_the_rest_to_another(crowd):
    begin(crowd, pages=1)
    ask(crowd)
    crowd.clock.advance(LEASE)
    settle(crowd)
    assert crowd.metronome.held == {ENTITY_ID: {"tier": "evt_1"}}
    assert walks(crowd) == 1
    # Two of three pages, and the look at whom they led to.
    assert crowd.metronome.lookups == 3


def test_what_was_left_for_long_begins_anew(crowd):
    begin(crowd)
    ask(crowd)
    crowd.clock.advance(LEASE + ABANDONED_AFTER)
    settle(crowd)
    assert walks(crowd) == 2
    assert crowd.metronome.lookups == 4


def test_whoever_lost_the_lease_while_reading_moves_nothing(crowd):
    slow = begin(crowd)
    crowd.clock.advance(LEASE)
    fast = begin(crowd, "ours", pages=0)
    index, now = crowd.store.index, crowd.clock()
    assert index.change(lambda state: advanced(state, seen=slow, cursor=None, now=now, until=now)) is None
    assert index.change(lambda state: stopped(state, seen=slow, outcome=CIRCLE, now=now)) is None
    assert index.state() == fast


@pytest.mark.parametrize(
    ("outcome", "walk"),
    [
        (Outcome(Verdict.UNAVAILABLE, 503), 1),
        (Outcome(Verdict.LIMITED, 429, "", SECOND), 1),
        (Outcome(Verdict.UNAUTHORIZED, 401), 1),
        (Outcome(Verdict.REFUSED, 400, "next_page is not one that was given out"), 2),
        (Outcome(Verdict.UNKNOWN, 404), 2),
    ],
)
def test_a_page_that_fails_is_asked_for_again_and_a_place_that_is_gone_is_begun_anew(crowd, outcome, walk):
    crowd.metronome.judge = answers(Outcome(Verdict.ACCEPTED, 200), outcome)
    ask(crowd)
    settle(crowd)
    assert crowd.state() == ChangeState.PARKED
    crowd.clock.advance(60 * SECOND)
    settle(crowd)
    assert crowd.metronome.held == {ENTITY_ID: {"tier": "evt_1"}}
    assert walks(crowd) == walk


def test_pages_that_lead_in_a_circle_end(crowd):
    crowd.metronome.customers = lambda _: (Outcome(Verdict.ACCEPTED, 200), {"data": [], "next_page": "same"})
    ask(crowd)
    settle(crowd)
    assert crowd.states() == [(ChangeState.PARKED, CIRCLE.message)]
    assert not crowd.store.index.state().is_walking


MALFORMED = [{}, *({"custom_fields": held} for held in (None, [], "crm", {"a": "b"}))]
MALFORMED += [{"custom_fields": {"crm": value}} for value in (None, 7, "", "x" * 201, "a\nb", ["A-1"])]


@pytest.mark.parametrize("customer", MALFORMED, ids=str)
def test_what_could_never_be_looked_for_is_not_remembered(customer):
    assert list(entries_of({"id": ENTITY_ID, **customer}, ["crm"])) == []


def test_nobody_reads_anew_what_another_has_just_read():
    read = IndexState(walk=1, complete_keys=("crm",), complete_at=NOW)
    given = {"key": "crm", "keys": {"crm"}, "lease": "ours", "lease_for": LEASE, "every": EVERY}
    assert taken(read, now=NOW + EVERY - 1, **given) is None
    assert taken(read, now=NOW + EVERY, **given) is not None
