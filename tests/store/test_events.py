import threading

import pytest

from bridge.errors import StoreError
from bridge.model import ChangeState, EventState, Reference
from bridge.store import events, open_store
from bridge.store.events import Translated
from bridge.times import DAY, SECOND
from tests.support.making import ENTITY_ID, NOW, asking, by_payload, change, event, translated


def ignore(_event):
    return Translated(EventState.IGNORED, "no rule applies", "digest")


def test_an_event_is_stored_as_it_came(store):
    payload = {"text": "Söhne \x00 \U0001f600", "number": 12.5, "big": 2**63 - 1, "nothing": None, "list": [1, "2"]}
    assert store.events.add("stripe", [event(payload=payload)], {"user-agent": "Stripe/1.0"}, NOW + 5) == 1
    (found,) = store.events.find()
    assert (found.source, found.event_id, found.event_type) == ("stripe", "evt_1", "customer.updated")
    assert (found.occurred_at, found.received_at) == (NOW, NOW + 5)
    assert found.payload == payload
    assert found.headers == {"user-agent": "Stripe/1.0"}
    assert (found.state, found.reason, found.digest) == (EventState.RECEIVED, None, None)


def test_a_repeated_event_is_stored_once(store):
    assert store.events.add("stripe", [event()], {}, NOW) == 1
    assert store.events.add("stripe", [event(at=NOW + 9, payload={"other": 1})], {}, NOW + 9) == 0
    assert store.events.add("stripe", [event(), event("evt_2"), event("evt_2")], {}, NOW) == 1
    assert [found.event_id for found in store.events.find()] == ["evt_2", "evt_1"]
    assert store.events.find()[1].occurred_at == NOW


def test_many_events_go_into_the_database_piece_by_piece_and_all_or_none(store, monkeypatch):
    received = [event(f"evt_{number % 2500}", payload={"text": "é" * 500}) for number in range(2600)]
    sizes = []
    pack = events.packed
    monkeypatch.setattr(events, "packed", lambda rows: sizes.append(len(pack(rows)["rows"].encode())) or pack(rows))
    assert store.events.add("stripe", received, {}, NOW) == 2500
    assert len(sizes) > 2
    assert max(sizes) < 2 * events.STATEMENT_BYTES

    def fail_at_the_third(rows):
        sizes.append(0)
        if len(sizes) == 3:
            raise StoreError("the disk is full")
        return pack(rows)

    sizes.clear()
    monkeypatch.setattr(events, "packed", fail_at_the_third)
    with pytest.raises(StoreError):
        store.events.add("other", received, {}, NOW)
    assert not store.events.find(source="other")


def test_of_requests_that_come_together_one_finds_an_event_new(store):
    found = []
    barrier = threading.Barrier(12)

    def add(number):
        barrier.wait(30)
        found.append(store.events.add("stripe", [event("shared"), event(f"own {number}")], {}, NOW))

    threads = [threading.Thread(target=add, args=[number]) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(found) == [1] * 11 + [2]
    assert len(store.events.find()) == 13


def test_an_id_with_a_nul_is_stored_without_it(store):
    assert store.events.add("token", [event("a\x00b", payload={"text": "\x00"}), event("fine")], {}, NOW) == 2
    assert [found.event_id for found in store.events.find()] == ["fine", "a\ufffdb"]
    assert store.events.add("token", [event("a\x00b")], {}, NOW) == 0


def test_the_same_id_of_another_source_is_another_event(store):
    assert store.events.add("stripe", [event()], {}, NOW) == 1
    assert store.events.add("stripe-test", [event()], {}, NOW) == 1


def test_an_event_without_a_time_happened_when_it_was_received(store):
    store.events.add("token", [event(at=None)], {}, NOW + 7)
    assert store.events.find()[0].occurred_at == NOW + 7


def test_a_clock_that_steps_back_makes_no_later_event_older(store):
    store.events.add("token", [event("first", at=None)], {}, NOW)
    store.events.add("token", [event("second", at=None), event("dated", at=NOW - 9 * SECOND)], {}, NOW - 3600 * SECOND)
    dated, second, first = store.events.find()
    assert (first.occurred_at, second.occurred_at, second.received_at) == (NOW, NOW, NOW)
    assert dated.occurred_at == NOW - 9 * SECOND
    assert second.id > first.id


@pytest.mark.parametrize("ahead", [DAY + SECOND, 365 * DAY])
def test_a_receipt_dated_far_ahead_dates_no_later_event_ahead(store, ahead):
    store.events.add("token", [event("wrong", at=None)], {}, NOW + ahead)
    store.events.add("token", [event("right", at=None)], {}, NOW)
    store.events.add("token", [event("back", at=None)], {}, NOW - SECOND)
    back, right, wrong = store.events.find()
    assert (wrong.occurred_at, right.occurred_at, back.occurred_at) == (NOW + ahead, NOW, NOW)
    if store.database.is_sqlite:
        store.events.add("token", [event("wrong again", at=None)], {}, NOW + ahead)
        assert store.glance(NOW).now == NOW


@pytest.mark.parametrize("wrong", [-365 * DAY, -3600 * SECOND, 3600 * SECOND, 365 * DAY])
def test_postgresql_dates_receipts_by_its_own_clock_whatever_a_replica_says(database_url, wrong):
    opened = open_store(database_url.replace("postgresql:", "postgresql+psycopg:"), 2, DAY, server_clock=True)
    if opened.database.is_sqlite:
        pytest.skip("SQLite has no clock of its own")
    replica = opened.glance(0).now + wrong
    opened.events.add("token", [event("first", at=None), event("second", at=None)], {}, replica)
    opened.events.add("token", [event("third", at=None)], {}, replica - DAY)
    found = opened.events.find()
    opened.close()
    times = [one.occurred_at for one in reversed(found)]
    assert times == sorted(times)
    assert times == [one.received_at for one in reversed(found)]
    assert all(replica - wrong <= time <= replica - wrong + 600 * SECOND for time in times)


def test_a_worker_that_starts_with_its_clock_set_back_goes_by_the_last_receipt(store):
    if not store.database.is_sqlite:
        pytest.skip("PostgreSQL has a clock of its own")
    store.events.add("token", [event(at=None)], {}, NOW)
    assert store.glance(NOW - 3600 * SECOND).now == NOW
    assert store.glance(NOW + SECOND).now == NOW + SECOND


def test_a_later_receipt_has_a_higher_number_and_a_batch_keeps_its_order(store):
    store.events.add("hubspot", [event(name) for name in "zya"], {}, NOW)
    store.events.add("hubspot", [event("b")], {}, NOW - 100)
    assert [found.event_id for found in store.events.find()] == ["b", "a", "y", "z"]


def test_what_could_not_be_read_is_stored_as_failed_and_never_translated(store):
    store.events.add("hubspot", [event(problem="objectId is null")], {}, NOW)
    (found,) = store.events.find()
    assert (found.state, found.reason) == (EventState.FAILED, "objectId is null")
    assert store.events.translate(ignore, 10, NOW) == 0


def test_events_are_translated_once_and_in_order(store):
    store.events.add("stripe", [event(f"evt_{n}") for n in range(5)], {}, NOW)
    seen = []

    def record(found):
        seen.append(found.event_id)
        return ignore(found)

    assert store.events.translate(record, 3, NOW) == 3
    assert store.events.translate(record, 3, NOW) == 2
    assert store.events.translate(record, 3, NOW) == 0
    assert seen == [f"evt_{n}" for n in range(5)]
    assert {(found.state, found.reason, found.digest) for found in store.events.find()} == {
        (EventState.IGNORED, "no rule applies", "digest")
    }


def test_many_workers_make_the_changes_of_each_event_once(store):
    store.events.add("stripe", [asking(f"evt_{n}", {"n": str(n)}) for n in range(60)], {}, NOW)

    def work():
        while store.events.translate(by_payload, 7, NOW):
            pass

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [len(store.changes.of_event(found.id)) for found in store.events.find(limit=100)] == [1] * 60
    assert sum(len(store.changes.of_event(found.id)) for found in store.events.find(limit=100)) == 60


def test_large_events_are_translated_a_few_at_a_time_and_in_order(store):
    large = {"text": "x" * (1 << 20)}
    named = [
        event("a", payload=large),
        event("b", payload=large),
        event("c", payload={"texts": [large] * 3}),
        event("d"),
    ]
    store.events.add("stripe", named, {}, NOW)
    seen = []

    def record(found):
        seen.append(found.event_id)
        return ignore(found)

    assert [store.events.translate(record, 100, NOW) for _ in range(4)] == [2, 1, 1, 0]
    assert seen == ["a", "b", "c", "d"]


def test_a_translation_that_breaks_leaves_the_events_as_they_were(store):
    store.events.add("stripe", [event()], {}, NOW)

    def fail(_event):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        store.events.translate(fail, 10, NOW)
    assert store.events.find()[0].state == EventState.RECEIVED
    assert store.events.translate(ignore, 10, NOW) == 1


def test_translation_makes_the_entity_due(store):
    store.events.add("stripe", [asking("evt_1", {"tier": "gold", "plan": None})], {}, NOW)
    assert not store.glance(NOW).next_due()
    store.events.translate(by_payload, 10, NOW)
    assert store.glance(NOW).entity_due == NOW
    (stored,) = store.changes.of_event(store.events.find()[0].id)
    assert stored.state == ChangeState.PENDING
    assert stored.values == {"tier": "gold", "plan": None}
    assert (stored.entity, stored.entity_id, stored.rule) == ("customer", ENTITY_ID, "customer")


def test_many_changes_of_one_event_keep_the_order_of_their_rules(store):
    rules = [f"rule {n}" for n in range(1500)]
    store.events.add("stripe", [event()], {}, NOW)
    store.events.translate(lambda _: translated(*(change({"tier": "gold"}, rule=rule) for rule in rules)), 10, NOW)
    assert [stored.rule for stored in store.changes.of_event(store.events.find()[0].id)] == rules


def test_events_can_be_found_by_source_state_and_page(store):
    store.events.add("stripe", [event(f"s{n}") for n in range(3)], {}, NOW)
    store.events.translate(ignore, 2, NOW)
    store.events.add("hubspot", [event("h1")], {}, NOW)
    find = store.events.find
    assert [found.event_id for found in find(source="stripe")] == ["s2", "s1", "s0"]
    assert [found.event_id for found in find(state=EventState.IGNORED)] == ["s1", "s0"]
    assert [found.event_id for found in find(source="stripe", state=EventState.RECEIVED)] == ["s2"]
    assert [found.event_id for found in find(source="stripe", before=find()[1].id)] == ["s1", "s0"]
    assert [found.event_id for found in find(source="stripe", state=EventState.IGNORED, limit=1)] == ["s1"]
    assert find(source="stripe", state=EventState.TRANSLATED) == find(source="strip") == find(source="stripe2") == []
    assert [found.event_id for found in find(limit=2)] == ["h1", "s2"]
    assert [found.event_id for found in find(before=find(limit=2)[-1].id)] == ["s1", "s0"]
    assert store.events.counts() == {EventState.RECEIVED: 2, EventState.FAILED: 0, EventState.IGNORED: 2}
    assert store.events.get(10**9) is None


def test_a_replay_translates_again_and_takes_the_place_of_what_was_open(store):
    store.events.add("stripe", [event()], {}, NOW)
    (number,) = store.events.numbers(source="stripe")
    store.events.translate(lambda _: translated(change({"tier": "12"})), 10, NOW)
    assert store.events.replay([number, 10**9]) == 1
    assert store.events.get(number).state == EventState.RECEIVED
    store.events.translate(lambda _: translated(change({"tier": "0.12"})), 10, NOW)
    before, after = store.changes.of_event(number)
    assert (before.state, before.reason) == (ChangeState.DROPPED, "replayed")
    assert (after.state, after.values) == (ChangeState.PENDING, {"tier": "0.12"})
    assert after.stamp > before.stamp


def test_changes_with_an_unknown_reference_are_parked(store):
    asked = change({"tier": "gold"}, reference=Reference("ingest_alias", "cus_1"))
    store.events.add("stripe", [event()], {}, NOW)
    store.events.translate(lambda _: translated(asked), 10, NOW)
    (stored,) = store.changes.of_event(store.events.find()[0].id)
    assert (stored.state, stored.entity_id) == (ChangeState.PARKED, None)
    assert store.glance(NOW).entity_due is None
    assert store.glance(NOW).reference_due == NOW
