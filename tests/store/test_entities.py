from dataclasses import replace

import pytest

from bridge.model import Attempt, ChangeState, Field, Outcome, Stamp, Verdict
from bridge.store.entities import Claim, Doubt, Mark, Settlement
from bridge.times import SECOND
from tests.support.making import ENTITY_ID, NOW, OTHER_ID, asking, by_payload

LATER = NOW + 30 * SECOND


def put(store, *events):
    """Store and translate events."""
    store.events.add("stripe", events, {}, NOW)
    while store.events.translate(by_payload, 100, NOW):
        pass


def claim(store, now=NOW, lease="ours", limit=10):
    return store.entities.claim(lease, limit, now, now + 30 * SECOND)


def delivered(work, **given):
    """A settlement after which Metronome holds the newest change."""
    newest = work.changes[0]
    return Settlement(
        fields={key: Field(value, newest.stamp) for key, value in newest.values.items()},
        states={change.id: Mark(ChangeState.DELIVERED) for change in work.changes},
        **given,
    )


def test_a_claimed_entity_is_nobody_elses_until_the_lease_ends(store):
    put(store, asking("evt_1", {"tier": "gold"}))
    assert claim(store) == [Claim("customer", ENTITY_ID, "ours", LATER, 0)]
    assert claim(store, lease="theirs") == []
    assert claim(store, now=LATER - 1, lease="theirs") == []
    assert [one.lease for one in claim(store, now=LATER, lease="theirs")] == ["theirs"]


def test_the_longest_waiting_entity_is_claimed_first_and_no_more_than_asked_for(store):
    for number, name in enumerate("abc"):
        store.events.add("stripe", [asking(name, {"n": name}, customer=f"{name * 8}{ENTITY_ID[8:]}")], {}, NOW)
        store.events.translate(by_payload, 10, NOW - number)
    assert {one.entity_id[0] for one in claim(store, limit=2)} == {"b", "c"}
    assert [one.entity_id[0] for one in claim(store)] == ["a"]


def test_all_open_changes_of_an_entity_come_with_it_the_newest_first(store):
    put(store, asking("b", {"n": "2"}, NOW + 2), asking("c", {"n": "3"}, NOW + 3), asking("a", {"n": "1"}, NOW + 1))
    (ours,) = claim(store)
    assert [change.values["n"] for change in store.entities.load(ours, NOW).changes] == ["3", "2", "1"]


def test_a_settled_entity_leaves_the_queue_and_its_fields_stay(store):
    put(store, asking("evt_1", {"tier": "gold", "plan": None}))
    (ours,) = claim(store)
    work = store.entities.load(ours, NOW)
    assert store.entities.settle(ours, delivered(work), NOW)
    assert store.glance(NOW).next_due() is None
    assert claim(store, now=LATER) == []
    stamp = work.changes[0].stamp
    assert store.entities.fields_of("customer", ENTITY_ID) == {"plan": Field(None, stamp), "tier": Field("gold", stamp)}
    assert [change.state for change in store.changes.of_event(stamp.event)] == [ChangeState.DELIVERED]
    put(store, asking("evt_2", {"tier": "silver"}, NOW + 1))
    (again,) = claim(store)
    assert store.entities.load(again, NOW).fields["tier"] == Field("gold", stamp)


def test_changes_that_arrive_during_a_delivery_are_not_forgotten(store):
    put(store, asking("evt_1", {"tier": "gold"}))
    (ours,) = claim(store)
    work = store.entities.load(ours, NOW)
    put(store, asking("evt_2", {"tier": "silver"}, NOW + 1))
    assert claim(store, lease="theirs") == []
    assert store.entities.settle(ours, delivered(work), NOW)
    (again,) = claim(store)
    assert [change.values["tier"] for change in store.entities.load(again, NOW).changes] == ["silver"]


def test_what_was_replayed_during_a_delivery_does_not_come_back(store):
    put(store, asking("evt_1", {"wrong_key": "gold"}))
    (ours,) = claim(store)
    (doomed,) = store.entities.load(ours, NOW).changes
    store.events.replay([doomed.event])
    parked = Settlement(states={doomed.id: Mark(ChangeState.PARKED, "the entity is not known")}, retry_at=LATER)
    assert store.entities.settle(ours, parked, NOW)
    (stored,) = store.changes.of_event(doomed.event)
    assert (stored.state, stored.reason) == (ChangeState.DROPPED, "replayed")


def test_whoever_lost_the_lease_settles_nothing(store):
    put(store, asking("evt_1", {"tier": "gold"}))
    (slow,) = claim(store)
    work = store.entities.load(slow, NOW)
    (fast,) = claim(store, now=LATER, lease="theirs")
    assert not store.entities.settle(slow, delivered(work), LATER)
    assert store.entities.fields_of("customer", ENTITY_ID) == {}
    assert store.entities.load(fast, NOW).changes == work.changes
    assert store.entities.settle(fast, delivered(work), LATER)
    assert not store.entities.settle(fast, delivered(work), LATER)


def test_what_somebody_without_a_lease_wrote_is_doubted_and_due(store):
    put(store, asking("evt_1", {"tier": "gold", "plan": "pro"}))
    assert claim(store)
    (fast,) = claim(store, now=LATER, lease="theirs")
    assert store.entities.settle(fast, delivered(store.entities.load(fast, LATER)), LATER)
    store.entities.doubt([Doubt("customer", ENTITY_ID, ("tier",), LATER)])
    held = store.entities.fields_of("customer", ENTITY_ID)
    assert {key: found.doubted for key, found in held.items()} == {"tier": True, "plan": False}
    (again,) = claim(store, now=LATER, lease="third")
    put_right = Settlement(fields={"tier": replace(held["tier"], doubted=False)})
    assert store.entities.settle(again, put_right, LATER)
    assert not store.entities.fields_of("customer", ENTITY_ID)["tier"].doubted
    assert claim(store, now=LATER) == []


def test_whoever_holds_the_lease_while_somebody_else_writes_doubts_its_own_values(store):
    """Its call may have come before the other's."""
    put(store, asking("evt_1", {"tier": "gold"}))
    assert claim(store)
    (fast,) = claim(store, now=LATER, lease="theirs")
    work = store.entities.load(fast, LATER)
    store.entities.doubt([Doubt("customer", ENTITY_ID, ("tier",), LATER)])
    assert store.entities.settle(fast, delivered(work), LATER)
    held = store.entities.fields_of("customer", ENTITY_ID)
    assert held["tier"].doubted
    (again,) = claim(store, now=LATER, lease="third")
    assert store.entities.settle(again, Settlement(fields={"tier": replace(held["tier"], doubted=False)}), LATER)
    assert not store.entities.fields_of("customer", ENTITY_ID)["tier"].doubted
    assert claim(store, now=LATER) == []


def test_a_failed_delivery_waits_and_news_does_not_shorten_its_wait(store):
    put(store, asking("evt_1", {"tier": "gold"}))
    (ours,) = claim(store)
    store.entities.settle(ours, Settlement(retry_at=NOW + 9, tries=3, error="Metronome answered 503"), NOW)
    put(store, asking("evt_2", {"tier": "silver"}, NOW + 1))
    assert claim(store, now=NOW + 8) == []
    assert store.glance(NOW).entity_due == NOW + 9
    (again,) = claim(store, now=NOW + 9)
    assert again.tries == 3
    assert len(store.entities.load(again, NOW).changes) == 2


def test_what_was_released_can_be_claimed_at_once(store):
    put(store, asking("evt_1", {"tier": "gold"}))
    (ours,) = claim(store)
    store.entities.release(ours)
    assert [one.lease for one in claim(store, lease="theirs")] == ["theirs"]
    store.entities.release(ours)
    assert claim(store, lease="third") == []


def test_attempts_are_remembered_the_newest_first(store):
    put(store, asking("evt_1", {"tier": "gold"}))
    (ours,) = claim(store)
    failed = Attempt("set", ("tier",), Outcome(Verdict.UNAVAILABLE, None, "no answer: ReadTimeout"), NOW, 5, (1,))
    made = Attempt("set", ("tier",), Outcome(Verdict.ACCEPTED, 200), NOW + 9, 7, (1,))
    store.entities.settle(ours, Settlement(attempts=(failed, made), retry_at=NOW), NOW)
    assert store.entities.attempts_of("customer", ENTITY_ID) == [made, failed]
    assert store.entities.attempts_of("customer", ENTITY_ID, limit=1) == [made]
    assert store.entities.attempts_of("contract", ENTITY_ID) == []


def test_a_field_remembers_only_the_last_value_and_who_set_it(store):
    put(store, asking("evt_1", {"tier": "gold"}), asking("evt_2", {"tier": "silver"}, NOW + 1))
    (ours,) = claim(store)
    newest, older = store.entities.load(ours, NOW).changes
    store.entities.settle(ours, Settlement(fields={"tier": Field("gold", older.stamp)}, retry_at=NOW), NOW)
    (ours,) = claim(store)
    store.entities.settle(ours, Settlement(fields={"tier": Field("silver", newest.stamp)}), NOW)
    assert store.entities.fields_of("customer", ENTITY_ID) == {"tier": Field("silver", newest.stamp)}


@pytest.mark.parametrize("state", [ChangeState.REFUSED, ChangeState.SUPERSEDED, ChangeState.DROPPED])
def test_closed_changes_are_not_delivered_again(store, state):
    put(store, asking("evt_1", {"tier": "gold"}))
    (ours,) = claim(store)
    (change,) = store.entities.load(ours, NOW).changes
    store.entities.settle(ours, Settlement(states={change.id: Mark(state, "why")}), NOW)
    assert store.glance(NOW).next_due() is None
    (stored,) = store.changes.of_event(change.event)
    assert (stored.state, stored.reason) == (state, "why")


def test_entities_do_not_mix(store):
    put(store, asking("evt_1", {"tier": "gold"}), asking("evt_2", {"tier": "silver"}, customer=OTHER_ID))
    found = {one.entity_id: store.entities.load(one, NOW).changes for one in claim(store)}
    assert {one: [change.values["tier"] for change in changes] for one, changes in found.items()} == {
        ENTITY_ID: ["gold"],
        OTHER_ID: ["silver"],
    }


def test_stamps_order_by_time_then_receipt_then_translation():
    assert Stamp(2, 1, 1) > Stamp(1, 9, 9)
    assert Stamp(1, 2, 1) > Stamp(1, 1, 9)
    assert Stamp(1, 1, 2) > Stamp(1, 1, 1)
