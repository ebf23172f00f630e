from dataclasses import replace

import pytest

from bridge.model import IndexState, Reference
from bridge.store.index import BATCH, MAX_CANDIDATES, Entry
from bridge.times import HOUR
from tests.support.making import ENTITY_ID, NOW, OTHER_ID

WALKING = IndexState(
    walk=3,
    keys=("crm", "größe"),
    began_at=NOW,
    pages=7,
    cursor="a&b",
    is_walking=True,
    lease="ours",
    leased_until=NOW + 5,
    complete_keys=("crm",),
    complete_at=NOW - 5,
)


def entries(*values, entity_id=ENTITY_ID):
    return [Entry("crm", value, entity_id) for value in values]


def test_at_first_nothing_was_read(store):
    assert store.index.state() == IndexState()
    assert store.index.candidates("crm", "A-1") == ()


def test_how_far_all_are_read_is_remembered(store):
    assert store.index.change(lambda _: WALKING) == WALKING
    assert store.index.state() == WALKING


def test_what_was_read_comes_with_how_far_or_not_at_all(store):
    assert store.index.change(lambda _: None, entries("A-1")) is None
    assert store.index.candidates("crm", "A-1") == ()
    store.index.change(lambda _: WALKING, entries("A-1"))
    assert store.index.candidates("crm", "A-1") == (ENTITY_ID,)

    def fail(_):
        raise RuntimeError

    with pytest.raises(RuntimeError):
        store.index.change(fail, entries("A-2"))
    assert store.index.candidates("crm", "A-2") == ()
    assert store.index.state() == WALKING


def test_everybody_who_has_a_value_is_a_candidate_up_to_a_limit(store):
    store.index.change(lambda _: WALKING, [*entries("A-1"), *entries("A-1", "a-1", entity_id=OTHER_ID)])
    assert set(store.index.candidates("crm", "A-1")) == {ENTITY_ID, OTHER_ID}
    assert store.index.candidates("crm", "a-1") == (OTHER_ID,)
    assert store.index.candidates("erp", "A-1") == ()
    many = [Entry("crm", "A-1", f"{number:036}") for number in range(2 * MAX_CANDIDATES)]
    store.index.change(lambda _: WALKING, many)
    assert len(store.index.candidates("crm", "A-1")) == MAX_CANDIDATES


def test_what_a_later_reading_has_not_seen_is_forgotten_and_the_rest_stays(store):
    store.index.change(lambda _: WALKING, entries("lost", "kept"))
    store.index.change(lambda state: replace(state, walk=4), entries("kept", "new", "new"))
    assert not store.index.prune(4)
    assert [store.index.candidates("crm", value) for value in ("lost", "kept", "new")] == [
        (),
        (ENTITY_ID,),
        (ENTITY_ID,),
    ]


def test_very_much_is_forgotten_step_by_step(store):
    store.index.change(lambda _: WALKING, entries(*map(str, range(BATCH + 1))))
    assert store.index.prune(4)
    assert not store.index.prune(4)
    assert store.index.candidates("crm", str(BATCH)) == ()


ALIAS = Reference("ingest_alias", "cus_1")


def test_an_id_is_known_and_an_answer_for_a_while(store):
    assert store.references.recent("customer", Reference("id", ENTITY_ID), NOW) == ENTITY_ID
    assert store.references.recent("customer", ALIAS, NOW) is None
    store.references.remember("customer", ALIAS, ENTITY_ID, NOW)
    assert store.references.recent("customer", ALIAS, NOW + HOUR - 1) == ENTITY_ID
    assert store.references.recent("customer", ALIAS, NOW + HOUR) is None
    assert store.references.recent("contract", ALIAS, NOW) is None
    store.references.remember("customer", ALIAS, OTHER_ID, NOW + 1)
    assert store.references.recent("customer", ALIAS, NOW + 1) == OTHER_ID
    assert store.glance(NOW).reference_due is None
