"""A flood in one place delays nothing in another. Told by the order of calls, not by the time that they take."""

import threading

from bridge.model import Outcome, Reference, Verdict
from bridge.store.lanes import Lane
from bridge.times import SECOND
from tests.pipeline.test_worker import PATIENCE, receive, start, until
from tests.support.making import ENTITY_ID, NOW, asking, change, event, translated
from tests.support.metronome import OK, FakeMetronome

__all__ = ["start"]

FLOOD = [f"{number:08x}{ENTITY_ID[8:]}" for number in range(200)]
#: Calls that may have been handed out already when a job of another source comes.
HANDED_OUT = 16


def test_a_flood_of_one_source_delays_a_single_event_of_another_by_no_more_than_what_is_in_flight(store, start):
    go_on, begun = threading.Event(), threading.Event()

    def judge(*_):
        begun.set()
        go_on.wait(PATIENCE)
        return OK

    metronome = FakeMetronome(judge)
    metronome.lock = threading.Lock()
    for one in FLOOD:
        store.events.add("flood", [asking(f"evt_{one}", {"n": "1"}, NOW, one)], {}, NOW)
    start(metronome)
    assert begun.wait(PATIENCE)
    receive(store, asking("evt_single", {"tier": "gold"}))
    assert until(lambda: len(store.glance(NOW + 10**15).entities) == 2)
    before = len(metronome.calls)
    go_on.set()
    assert until(lambda: ENTITY_ID in metronome.held)
    calls = [entity_id for _, entity_id, _ in metronome.calls]
    assert calls.index(ENTITY_ID) <= before + HANDED_OUT


def test_unknown_references_leave_room_for_deliveries(store, start):
    """Lookups that never answer take half of the threads at most."""
    hang = threading.Event()

    class Slow(FakeMetronome):
        def customers(self, query):
            hang.wait(PATIENCE)
            return Outcome(Verdict.ACCEPTED, 200), {"data": [], "next_page": None}

    def translate(stored):
        if stored.source == "unknown":
            return translated(change({"n": "1"}, reference=Reference("ingest_alias", stored.event_id)))
        return translated(change({"tier": "gold"}))

    metronome = Slow()
    store.events.add("unknown", [event(f"evt_{n}") for n in range(100)], {}, NOW)
    start(metronome, translate)
    assert until(lambda: not store.glance(NOW).received)
    receive(store, event("evt_known"))
    try:
        assert until(lambda: metronome.held == {ENTITY_ID: {"tier": "gold"}})
    finally:
        hang.set()


def test_a_gate_that_lets_one_call_through_serves_deliveries_beside_lookups_that_always_fail(store, start):
    """contracts/list is forbidden for this token: its lookups are tried for ever, and entities are delivered."""
    forbidden = Outcome(Verdict.FORBIDDEN, 403, "no scope")
    metronome = FakeMetronome(lambda call, *_: forbidden if call in ("customers", "contracts") else OK)
    customer = Reference("id", ENTITY_ID)

    def translate(stored):
        if stored.source == "contracts":
            reference = Reference.of("uniqueness_key", [stored.event_id], customer)
            return translated(change({"n": "1"}, entity="contract", reference=reference))
        return translated(change({"tier": "gold"}, entity_id=stored.payload["id"]))

    store.events.add("contracts", [event(f"evt_{n}") for n in range(20)], {}, NOW)
    store.events.add("stripe", [event(f"evt_{one}", payload={"id": one}) for one in FLOOD[:60]], {}, NOW)
    start(metronome, translate)
    assert until(lambda: len(metronome.held) == 60)


def test_sources_are_translated_in_turn(store, start):
    translated_of = []

    def translate(stored):
        translated_of.append(stored.source)
        return translated(change({"n": stored.event_id}, stored.occurred_at))

    store.events.add("flood", [event(f"evt_{n}") for n in range(1000)], {}, NOW)
    store.events.add("single", [event("evt_1")], {}, NOW)
    start(FakeMetronome(), translate)
    assert until(lambda: "single" in translated_of)
    assert translated_of.index("single") <= 100


def test_claims_of_many_lanes_are_shared_and_none_is_left_out(store):
    for number, lane in enumerate("abc"):
        ids = [f"{number}{n:07x}{ENTITY_ID[8:]}" for n in range(10)]
        store.events.add(lane, [asking(f"evt_{one}", {"n": "1"}, NOW, one) for one in ids], {}, NOW)
    while store.events.translate(lambda e: translated(change({"n": "1"}, entity_id=e.payload["customer"])), 100, NOW):
        pass
    claims = store.entities.claim("ours", 6, NOW, NOW + SECOND, [Lane(name, NOW) for name in "abc"])
    assert sorted(claim.entity_id[0] for claim in claims) == ["0", "0", "1", "1", "2", "2"]
    rest = store.entities.claim("ours", 100, NOW, NOW + SECOND, [Lane(name, NOW) for name in "cab"])
    assert len(rest) == 24
