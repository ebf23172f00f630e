from dataclasses import replace

import pytest

from bridge.model import ChangeState, EventState
from bridge.store.entities import Mark, Settlement
from bridge.store.events import Translated
from bridge.store.letters import Heap, Selection
from bridge.times import SECOND
from tests.support.making import NOW, OTHER_ID, asking, by_payload, event


@pytest.fixture
def filled(store):
    """One event that failed, one whose change is refused, one whose change is parked, one that is delivered."""
    store.events.add("stripe", [event("failed")], {}, NOW)
    store.events.translate(lambda _: Translated(EventState.FAILED, "tier is missing", "d"), 10, NOW)
    settle(store, "refused", Mark(ChangeState.REFUSED, "no such key"))
    settle(store, "parked", Mark(ChangeState.PARKED, "no such customer"), source="hubspot")
    settle(store, "delivered", Mark(ChangeState.DELIVERED))
    return store


def settle(store, name, mark, source="stripe"):
    received = asking(name, {"tier": name}, customer=OTHER_ID)
    store.events.add(source, [replace(received, event_type=f"{name}.type")], {}, NOW + SECOND)
    store.events.translate(by_payload, 10, NOW)
    (claim,) = store.entities.claim("ours", 1, NOW, NOW + SECOND)
    newest = store.entities.load(claim, NOW).changes[0]
    assert store.entities.settle(claim, Settlement(states={newest.id: mark}), NOW)


def names(store, **which):
    return [letter.event.event_id for letter in store.letters.find(Selection(**which))]


def number_of(store, name):
    return next(found.id for found in store.events.find() if found.event_id == name)


def test_dead_letters_are_what_failed_or_was_refused_and_say_why(filled):
    refused, failed = filled.letters.find(Selection())
    assert (refused.event.event_id, refused.reasons) == ("refused", ["rule 'customer': no such key"])
    assert (failed.event.event_id, failed.reasons) == ("failed", ["tier is missing"])
    assert filled.letters.counts(Selection()) == [Heap("stripe", 2, NOW)]


@pytest.mark.parametrize(
    ("which", "found"),
    [
        ({"source": "stripe"}, ["refused", "failed"]),
        ({"source": "hubspot"}, []),
        ({"event_type": "refused.type"}, ["refused"]),
        ({"since": NOW + 1}, ["refused"]),
        ({"until": NOW + 1}, ["failed"]),
        ({"since": NOW, "until": NOW + SECOND, "source": "stripe"}, ["failed"]),
    ],
    ids=str,
)
def test_dead_letters_are_found_by_what_is_said_of_them(filled, which, found):
    assert names(filled, **which) == found
    numbers = filled.letters.numbers(Selection(**which))
    assert numbers == sorted(number_of(filled, name) for name in found)
    assert sum(heap.count for heap in filled.letters.counts(Selection(**which))) == len(found)


def test_dead_letters_are_paged(filled):
    first = filled.letters.find(Selection(), limit=1)[0].event
    assert first.event_id == "refused"
    assert [one.event.event_id for one in filled.letters.find(Selection(), before=first.id)] == ["failed"]


def test_a_replayed_letter_is_dead_no_longer(filled):
    filled.events.replay(filled.letters.numbers(Selection()))
    assert names(filled) == []


def test_a_dropped_letter_stays_in_the_history_and_can_be_replayed(filled):
    numbers = filled.letters.numbers(Selection())
    assert filled.letters.drop(numbers) == 2
    assert names(filled) == []
    failed = filled.events.get(number_of(filled, "failed"))
    assert (failed.state, failed.reason) == (EventState.IGNORED, "dropped by an operator: tier is missing")
    (change,) = filled.changes.of_event(number_of(filled, "refused"))
    assert (change.state, change.reason) == (ChangeState.DROPPED, "dropped by an operator: no such key")
    assert filled.events.replay(numbers) == 2


def test_dropping_gives_up_what_is_parked_and_nothing_that_is_delivered(filled):
    parked, delivered = number_of(filled, "parked"), number_of(filled, "delivered")
    assert filled.letters.drop([parked, delivered]) == 1
    assert filled.changes.of_event(parked)[0].state == ChangeState.DROPPED
    assert filled.changes.of_event(delivered)[0].state == ChangeState.DELIVERED
