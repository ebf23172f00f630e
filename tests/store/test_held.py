"""What we hold, entity by entity: never more than a page at a time, and what is settled told from what is moving."""

from dataclasses import replace

import pytest

from bridge.model import ChangeState
from bridge.store.entities import Doubt, Mark, Settlement
from bridge.store.held import PAGE, Scope, SetBy
from bridge.times import SECOND
from tests.store.test_entities import claim, delivered, put
from tests.support.making import ENTITY_ID, NOW, OTHER_ID, asking, by_payload, change, translated

ALL = Scope()


def deliver(store, now=NOW):
    while claims := claim(store, now, limit=500):
        for one in claims:
            assert store.entities.settle(one, delivered(store.entities.load(one, now)), now)


@pytest.fixture
def holding(store):
    """Holds these values of entities, by their ids."""

    def hold(values, at=NOW):
        put(store, *(asking(f"{one}-{at}", asked, at, one) for one, asked in values.items()))
        deliver(store)
        return store.holdings

    return hold


def pages(holdings, scope=ALL):
    return list(holdings.pages("customer", scope))


def test_each_key_comes_with_who_set_it_and_when(holding):
    held = holding({ENTITY_ID: {"tier": "gold", "coupon": None}})
    ((coupon, tier),) = pages(held)[0].values()
    assert (tier.entity, tier.entity_id, tier.key, tier.value) == ("customer", ENTITY_ID, "tier", "gold")
    assert (tier.stamp.occurred_at, tier.set_at, tier.doubted) == (NOW, NOW, False)
    assert (coupon.key, coupon.value) == ("coupon", None)


@pytest.mark.parametrize("number", [0, 1, PAGE - 1, PAGE, PAGE + 1, 2 * PAGE])
def test_every_entity_comes_once_in_order_and_whole(holding, number):
    ids = [f"{one:08x}{ENTITY_ID[8:]}" for one in range(number)]
    found = pages(holding({one: {"tier": "gold", "plan": "pro"} for one in ids}))
    assert [one for page in found for one in page] == ids
    assert {len(keys) for page in found for keys in page.values()} <= {2}
    assert max([len(page) for page in found], default=0) <= PAGE


def test_entities_are_counted_by_kind(store, holding):
    assert holding({}).counts(ALL) == {}
    holding({ENTITY_ID: {"tier": "gold", "plan": "pro"}, OTHER_ID: {"tier": "gold"}})
    store.events.add("hubspot", [asking("h", {})], {}, NOW)
    made = change({"seats": "5"}, entity="subscription")
    store.events.translate(lambda _: translated(made), 10, NOW)
    deliver(store)
    assert store.holdings.counts(ALL) == {"customer": 2, "subscription": 1}
    assert store.holdings.counts(Scope(entity="subscription")) == {"subscription": 1}
    assert store.holdings.counts(Scope(source="stripe")) == {"customer": 2}
    assert store.holdings.counts(Scope(source="hubspot")) == {"subscription": 1}
    assert store.holdings.counts(Scope(ids=(OTHER_ID,))) == {"customer": 1}
    assert list(pages(store.holdings, Scope(ids=(OTHER_ID,)))[0]) == [OTHER_ID]
    assert pages(store.holdings, Scope(source="hubspot")) == []


def keys_of(holdings):
    return {one.key: one for page in pages(holdings) for keys in page.values() for one in keys}


def test_what_is_as_it_was_is_settled_and_comes_with_its_event(holding):
    held = holding({ENTITY_ID: {"tier": "gold", "plan": "pro"}})
    known = keys_of(held)
    assert held.settled([known["tier"]]) == {known["tier"]: SetBy("stripe", f"{ENTITY_ID}-{NOW}")}
    assert held.settled([]) == {}


def test_more_than_a_page_is_settled_too(holding):
    held = holding({f"{one:08x}{ENTITY_ID[8:]}": {"tier": "gold"} for one in range(2 * PAGE + 1)})
    known = [one for page in pages(held) for keys in page.values() for one in keys]
    assert set(held.settled(known)) == set(known)


@pytest.mark.parametrize("other", [{"value": "silver"}, {"set_at": NOW - 1}, {"doubted": True}])
def test_what_is_otherwise_by_now_is_not_settled(holding, other):
    held = holding({ENTITY_ID: {"tier": "gold"}})
    assert held.settled([replace(keys_of(held)["tier"], **other)]) == {}


@pytest.mark.parametrize("state", [ChangeState.PENDING, ChangeState.PARKED])
@pytest.mark.parametrize("value", ["silver", None])
def test_what_is_being_worked_on_is_not_settled(store, holding, state, value):
    held = holding({ENTITY_ID: {"tier": "gold", "plan": "pro"}})
    put(store, asking("evt_2", {"tier": value}, NOW + SECOND))
    if state is ChangeState.PARKED:
        (ours,) = claim(store)
        (one,) = store.entities.load(ours, NOW).changes
        parked = Settlement(states={one.id: Mark(state)}, retry_at=NOW + SECOND)
        assert store.entities.settle(ours, parked, NOW)
    assert [one.key for one in held.settled(list(keys_of(held).values()))] == ["plan"]


@pytest.mark.parametrize("state", [ChangeState.REFUSED, ChangeState.DROPPED, ChangeState.SUPERSEDED])
def test_work_that_is_over_moves_nothing(store, holding, state):
    held = holding({ENTITY_ID: {"tier": "gold"}})
    put(store, asking("evt_2", {"tier": "silver"}, NOW + SECOND))
    (ours,) = claim(store)
    (one,) = store.entities.load(ours, NOW).changes
    assert store.entities.settle(ours, Settlement(states={one.id: Mark(state)}), NOW)
    assert len(held.settled(list(keys_of(held).values()))) == 1


def test_a_doubt_moves_its_keys_until_the_entity_leaves_the_queue(store, holding):
    held = holding({ENTITY_ID: {"tier": "gold", "plan": "pro"}})
    store.entities.doubt([Doubt("customer", ENTITY_ID, ("tier",), NOW)])
    assert [one.key for one in held.settled(list(keys_of(held).values()))] == ["plan"]
    (ours,) = claim(store)
    assert store.entities.settle(ours, Settlement(), NOW)
    assert keys_of(held)["tier"].doubted
    assert len(held.settled(list(keys_of(held).values()))) == 2


def test_many_doubts_are_one_transaction_and_each_is_due_in_its_time(store, holding):
    holding({ENTITY_ID: {"tier": "gold"}, OTHER_ID: {"tier": "gold", "plan": "pro"}})
    store.entities.doubt(
        [Doubt("customer", OTHER_ID, ("tier", "plan"), NOW + SECOND), Doubt("customer", ENTITY_ID, ("tier",), NOW)]
    )
    assert [one.entity_id for one in claim(store)] == [ENTITY_ID]
    assert [one.entity_id for one in claim(store, NOW + SECOND, "theirs")] == [OTHER_ID]


def test_a_doubt_puts_nothing_off(store, holding):
    holding({ENTITY_ID: {"tier": "gold"}})
    store.events.add("stripe", [asking("evt_2", {"plan": "pro"})], {}, NOW)
    store.events.translate(by_payload, 10, NOW)
    store.entities.doubt([Doubt("customer", ENTITY_ID, ("tier",), NOW + SECOND)])
    assert len(claim(store)) == 1


def test_every_key_becomes_unsure_and_keeps_its_value_and_its_time(store, holding):
    ids = [f"{one:08x}{ENTITY_ID[8:]}" for one in range(2 * PAGE + 1)]
    holdings = holding({one: {"tier": "gold", "coupon": None} for one in ids})
    store.entities.doubt([Doubt("customer", ids[0], ("tier",), NOW)])
    before = [held for page in pages(holdings) for keys in page.values() for held in keys]
    assert sum(holdings.make_unsure()) == 2 * len(ids)
    after = [held for page in pages(holdings) for keys in page.values() for held in keys]
    assert after == [replace(held, unsure=True, doubted=False) for held in before]


def test_a_key_is_sure_again_once_it_is_written(store, holding):
    holdings = holding({ENTITY_ID: {"tier": "gold", "plan": "pro"}})
    list(holdings.make_unsure())
    holding({ENTITY_ID: {"tier": "gold"}}, NOW + 1)
    ((plan, tier),) = pages(holdings)[0].values()
    assert (plan.unsure, tier.unsure) == (True, False)


def test_a_doubt_leaves_unsure_what_is_and_only_a_decision_for_ours_ends_that(store, holding):
    holding({ENTITY_ID: {"tier": "gold"}})
    list(store.holdings.make_unsure())
    store.entities.doubt([Doubt("customer", ENTITY_ID, ("tier",), NOW)])
    held = store.entities.fields_of("customer", ENTITY_ID)["tier"]
    assert (held.doubted, held.unsure) == (True, True)
    store.entities.doubt([Doubt("customer", ENTITY_ID, ("tier",), NOW)], ours_counts=True)
    held = store.entities.fields_of("customer", ENTITY_ID)["tier"]
    assert (held.doubted, held.unsure) == (True, False)


def test_metronomes_value_is_adopted_with_the_time_of_ours(store, holding):
    holdings = holding({ENTITY_ID: {"tier": "gold", "plan": "pro"}})
    list(holdings.make_unsure())
    ((plan, tier),) = pages(holdings)[0].values()
    assert holdings.adopt([(tier, "silver"), (plan, None)]) == 2
    ((now_plan, now_tier),) = pages(holdings)[0].values()
    assert now_tier == replace(tier, value="silver", unsure=False)
    assert now_plan == replace(plan, value=None, unsure=False)
    assert store.glance(NOW).next_due() is None


def test_what_was_written_since_it_was_compared_is_not_adopted(holding):
    holdings = holding({ENTITY_ID: {"tier": "gold"}})
    ((tier,),) = pages(holdings)[0].values()
    holding({ENTITY_ID: {"tier": "newer"}}, NOW + 1)
    assert holdings.adopt([(tier, "silver")]) == 0
    ((tier,),) = pages(holdings)[0].values()
    assert tier.value == "newer"
