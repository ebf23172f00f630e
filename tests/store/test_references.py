import pytest

from bridge.model import ChangeState, Reference
from bridge.store.entities import Mark, Settlement
from bridge.times import HOUR, MINUTE, SECOND
from tests.support.making import ENTITY_ID, NOW, OTHER_ID, change, event, translated

ALIAS = Reference("ingest_alias", "cus_1")
UNTIL = NOW + 30 * SECOND


@pytest.fixture
def park(store):
    """Stores an event that asks something of the customer with an ingest alias; gives the event's number."""

    def put(name="evt_1", now=NOW, reference=ALIAS):
        store.events.add("stripe", [event(name)], {}, now)
        store.events.translate(lambda _: translated(change({"tier": "gold"}, reference=reference)), 10, now)
        return store.events.find(limit=1)[0].id

    return put


def state_of(store, number):
    (found,) = store.changes.of_event(number)
    return found.state


def test_an_answer_sets_free_what_waited_for_it(store, park):
    numbers = [park("evt_1"), park("evt_2")]
    (question,) = store.references.claim("ours", 5, NOW, UNTIL)
    assert (question.entity, question.reference) == ("customer", ALIAS)
    assert store.references.claim("theirs", 5, NOW, UNTIL) == []
    assert store.references.answer(question, ENTITY_ID, NOW)
    assert [state_of(store, number) for number in numbers] == [ChangeState.PENDING] * 2
    (ours,) = store.entities.claim("ours", 5, NOW, UNTIL)
    assert ours.entity_id == ENTITY_ID
    assert len(store.entities.load(ours, NOW).changes) == 2


def test_an_answer_is_trusted_for_a_while_and_then_asked_for_again(store, park):
    park("evt_1")
    (question,) = store.references.claim("ours", 5, NOW, UNTIL)
    store.references.answer(question, ENTITY_ID, NOW)
    assert state_of(store, park("evt_2", NOW + HOUR - 1)) == ChangeState.PENDING
    assert store.references.claim("ours", 5, NOW + HOUR, NOW + 2 * HOUR) == []
    assert state_of(store, park("evt_3", NOW + HOUR)) == ChangeState.PARKED
    assert len(store.references.claim("ours", 5, NOW + HOUR, NOW + 2 * HOUR)) == 1


def test_news_shortens_a_long_wait_for_an_answer_to_a_minute(store, park):
    park("evt_1")
    (question,) = store.references.claim("ours", 5, NOW, UNTIL)
    store.references.postpone(question, NOW + HOUR, "no customer has it yet", tries=9)
    park("evt_2", NOW + SECOND)
    assert store.glance(NOW).reference_due == NOW + SECOND + MINUTE
    park("evt_3", NOW + 2 * SECOND)
    assert store.glance(NOW).reference_due == NOW + SECOND + MINUTE


def test_a_reference_is_asked_for_once_whoever_waits_for_it(store, park):
    for number in range(5):
        park(f"evt_{number}")
    assert len(store.references.claim("ours", 5, NOW, UNTIL)) == 1


def test_no_answer_keeps_changes_parked_and_says_why(store, park):
    number = park()
    (question,) = store.references.claim("ours", 5, NOW, UNTIL)
    assert store.references.postpone(question, NOW + 9, "no customer has it yet", tries=1)
    (found,) = store.changes.of_event(number)
    assert (found.state, found.reason) == (ChangeState.PARKED, "no customer has it yet")
    assert store.glance(NOW).reference_due == NOW + 9
    park("evt_2")
    assert store.references.claim("ours", 5, NOW + 8, UNTIL) == []
    (again,) = store.references.claim("ours", 5, NOW + 9, UNTIL)
    assert again.tries == 1


def test_what_was_parked_for_too_long_is_refused_and_the_rest_waits_on(store, park):
    old, young = park("evt_1", NOW), park("evt_2", NOW + 10)
    (question,) = store.references.claim("ours", 5, NOW + 10, UNTIL)
    store.references.postpone(question, NOW + 20, "no customer has it yet", tries=1, refuse_before=NOW + 5)
    assert state_of(store, old) == ChangeState.REFUSED
    assert state_of(store, young) == ChangeState.PARKED
    assert store.glance(NOW).reference_due == NOW + 20


def test_nobody_asks_for_a_reference_that_nothing_waits_for(store, park):
    park()
    (question,) = store.references.claim("ours", 5, NOW, UNTIL)
    store.references.postpone(question, NOW + 20, "no customer has it yet", tries=1, refuse_before=NOW + 1)
    assert store.glance(NOW).reference_due is None
    park("evt_2", NOW + 30)
    (again,) = store.references.claim("ours", 5, NOW + 30, UNTIL)
    assert again.tries == 0


def test_whoever_lost_the_lease_answers_nothing(store, park):
    number = park()
    (slow,) = store.references.claim("ours", 5, NOW, UNTIL)
    (fast,) = store.references.claim("theirs", 5, UNTIL, UNTIL + 9)
    assert not store.references.answer(slow, ENTITY_ID, UNTIL)
    assert not store.references.postpone(slow, UNTIL, "late", tries=9)
    assert state_of(store, number) == ChangeState.PARKED
    store.references.release(slow)
    assert store.references.claim("third", 5, UNTIL, UNTIL + 9) == []
    store.references.release(fast)
    assert len(store.references.claim("third", 5, UNTIL, UNTIL + 9)) == 1


def test_kinds_and_entities_do_not_mix(store, park):
    number = park("evt_1", reference=Reference("salesforce_account_id", "cus_1"))
    park("evt_2")
    questions = {one.reference.kind: one for one in store.references.claim("ours", 5, NOW, UNTIL)}
    store.references.answer(questions["ingest_alias"], ENTITY_ID, NOW)
    assert state_of(store, number) == ChangeState.PARKED


def test_whoever_waits_for_news_is_asked_about_at_once(store, park):
    park("evt_1")
    park("evt_2", reference=Reference("ingest_alias", "cus_2"))
    for question in store.references.claim("ours", 5, NOW, UNTIL):
        store.references.postpone(question, NOW + HOUR, "no customer has it yet", tries=3)
    store.references.wake("contract", [ALIAS], NOW + 9)
    store.references.wake("customer", [ALIAS, Reference("ingest_alias", "cus_9")], NOW + 9)
    (question,) = store.references.claim("ours", 5, NOW + 9, UNTIL)
    assert (question.reference, question.tries) == (ALIAS, 3)
    store.references.wake("customer", [ALIAS], NOW + 9)
    assert store.references.claim("theirs", 5, NOW + 9, UNTIL) == []


@pytest.fixture
def bound(store, park):
    """A change that a lookup has bound to a customer. Gives the event's number and the change's."""
    event_number = park()
    (question,) = store.references.claim("ours", 5, NOW, UNTIL)
    store.references.answer(question, ENTITY_ID, NOW)
    return event_number, store.changes.of_event(event_number)[0].id


def forget(store, number, gone=ENTITY_ID):
    store.references.forget("customer", gone, {ALIAS: [number]}, "looked up again", NOW + SECOND)


def test_an_answer_that_is_forgotten_is_looked_up_again_and_changes_wait_for_it(store, park, bound):
    event_number, number = bound
    forget(store, number)
    (found,) = store.changes.of_event(event_number)
    assert (found.entity_id, found.state, found.reason) == (None, ChangeState.PARKED, "looked up again")
    assert state_of(store, park("evt_2", NOW + SECOND)) == ChangeState.PARKED
    assert store.references.recent("customer", ALIAS, NOW + SECOND) is None
    (question,) = store.references.claim("ours", 5, NOW + SECOND, UNTIL)
    assert store.references.answer(question, OTHER_ID, NOW + SECOND)
    (found,) = store.changes.of_event(event_number)
    assert (found.entity_id, found.state, found.reason) == (OTHER_ID, ChangeState.PENDING, None)


def test_only_an_answer_that_leads_to_what_is_gone_is_forgotten(store, park, bound):
    event_number, number = bound
    forget(store, number, gone=OTHER_ID)
    assert store.references.recent("customer", ALIAS, NOW + SECOND) == ENTITY_ID
    assert store.changes.of_event(event_number)[0].entity_id == ENTITY_ID


def test_what_was_delivered_meanwhile_does_not_wait_again(store, bound):
    event_number, number = bound
    (ours,) = store.entities.claim("ours", 5, NOW, UNTIL)
    store.entities.settle(ours, Settlement(states={number: Mark(ChangeState.DELIVERED)}), NOW)
    forget(store, number)
    assert state_of(store, event_number) == ChangeState.DELIVERED


def test_the_same_answer_again_is_no_news_for_an_entity_that_waits(store, bound):
    _, number = bound
    (ours,) = store.entities.claim("ours", 5, NOW, UNTIL)
    forget(store, number)
    store.entities.settle(ours, Settlement(retry_at=NOW + HOUR, tries=9), NOW)
    (question,) = store.references.claim("ours", 5, NOW + SECOND, UNTIL)
    assert store.references.answer(question, ENTITY_ID, NOW + SECOND)
    assert store.glance(NOW).entity_due == NOW + HOUR


def test_the_customer_of_a_contract_that_is_gone_is_looked_up_again_too(store, park):
    contract = Reference.of("uniqueness_key", ["K-1"], ALIAS)
    event_number = park(reference=contract)
    (question,) = store.references.claim("ours", 5, NOW, UNTIL)
    store.references.remember("customer", ALIAS, OTHER_ID, NOW)
    store.references.answer(question, ENTITY_ID, NOW)
    number = store.changes.of_event(event_number)[0].id
    store.references.forget("customer", ENTITY_ID, {contract: [number]}, "looked up again", NOW + SECOND)
    assert store.references.recent("customer", ALIAS, NOW + SECOND) is None
