from sqlalchemy import select

from bridge.model import ChangeState, EventState, Reference
from bridge.store.counts import counted
from bridge.store.events import Translated
from bridge.store.tables import RECEIVED, events
from tests.support.making import NOW, change, event, translated

ALIAS = Reference("ingest_alias", "cus_1")


def test_counting_ends_where_nobody_needs_an_exact_figure(store, monkeypatch):
    monkeypatch.setattr("bridge.store.counts.MOST_COUNTED", 3)
    statement = select(counted(RECEIVED, events.c.id))
    for count, expected in ((2, 2), (3, 3), (7, 3)):
        store.events.add("stripe", [event(f"evt_{number}") for number in range(count)], {}, NOW)
        with store.database.read() as connection:
            assert connection.scalar(statement) == expected


def test_events_are_counted_by_what_is_left_to_do(store):
    assert store.events.counts() == dict.fromkeys((EventState.RECEIVED, EventState.FAILED, EventState.IGNORED), 0)
    states = [EventState.TRANSLATED, EventState.FAILED, EventState.FAILED, EventState.IGNORED]
    store.events.add("stripe", [event(f"evt_{number}") for number in range(6)], {}, NOW)
    store.events.translate(lambda _: Translated(states.pop()), 4, NOW)
    assert store.events.counts() == {EventState.RECEIVED: 2, EventState.FAILED: 2, EventState.IGNORED: 1}


def test_changes_are_counted_by_what_is_left_to_do(store):
    store.events.add("stripe", [event("evt_1"), event("evt_2")], {}, NOW)
    asked = [change({"tier": "gold"}), change({"tier": "gold"}, reference=ALIAS)]
    store.events.translate(lambda _: translated(*asked), 10, NOW)
    assert store.changes.counts() == {ChangeState.PENDING: 2, ChangeState.PARKED: 2, ChangeState.REFUSED: 0}
    (question,) = store.references.claim("ours", 1, NOW, NOW + 1)
    store.references.postpone(question, NOW, "no customer has it", tries=1, refuse_before=NOW + 1)
    assert store.changes.counts() == {ChangeState.PENDING: 2, ChangeState.PARKED: 0, ChangeState.REFUSED: 2}
