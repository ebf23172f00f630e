import pytest

from bridge.model import ChangeState, Outcome, Reference, Verdict
from bridge.pipeline.gatekeeper import SPENT
from bridge.times import DAY, SECOND
from tests.support.making import ENTITY_ID, NOW, OTHER_ID, change, event, translated
from tests.support.metronome import answers

ALIAS = Reference("ingest_alias", "cus_1")


@pytest.fixture
def waiting(pipeline):
    """A pipeline in which evt_1 waits for the customer with the alias cus_1."""
    ask(pipeline, "evt_1")
    return pipeline


def ask(pipeline, name, at=NOW, reference=ALIAS):
    asked = change({"tier": name}, at, reference=reference)
    pipeline.receive(event(name), translate=lambda _: translated(asked))


def test_a_resolved_reference_is_delivered(waiting):
    waiting.metronome.aliases["cus_1"] = [ENTITY_ID]
    assert (waiting.deliver(), waiting.resolve(), waiting.deliver()) == (0, 1, 1)
    assert waiting.metronome.held == {ENTITY_ID: {"tier": "evt_1"}}


def test_the_answer_is_kept_and_not_asked_for_again(waiting):
    waiting.metronome.aliases["cus_1"] = [ENTITY_ID]
    waiting.resolve()
    ask(waiting, "evt_2", NOW + 1)
    assert (waiting.resolve(), waiting.deliver()) == (0, 1)
    assert waiting.metronome.lookups == 1


def test_a_customer_who_comes_later_gets_what_waited(waiting):
    waiting.resolve()
    assert waiting.states() == [(ChangeState.PARKED, "no customer in Metronome has the ingest_alias cus_1 yet")]
    waiting.metronome.aliases["cus_1"] = [ENTITY_ID]
    assert waiting.resolve() == 0
    waiting.clock.advance(5 * SECOND)
    assert (waiting.resolve(), waiting.deliver()) == (1, 1)
    assert waiting.state() == ChangeState.DELIVERED


def test_a_customer_who_never_comes_is_given_up_after_days(waiting):
    waiting.clock.advance(7 * DAY + 1)
    waiting.resolve()
    assert waiting.state() == ChangeState.REFUSED
    assert waiting.store.glance(waiting.clock()).next_due() is None


def test_several_customers_with_one_alias_are_named_and_none_is_chosen(waiting):
    waiting.metronome.aliases["cus_1"] = [ENTITY_ID, OTHER_ID]
    waiting.resolve()
    ((state, reason),) = waiting.states()
    assert state == ChangeState.PARKED
    assert ENTITY_ID in reason
    assert OTHER_ID in reason


def test_two_references_to_one_entity_end_in_the_same_truth(waiting):
    other = Reference("ingest_alias", "cus_other")
    ask(waiting, "evt_2", NOW - 1, other)
    waiting.metronome.aliases.update({"cus_1": [ENTITY_ID], "cus_other": [ENTITY_ID]})
    waiting.resolve()
    waiting.deliver()
    assert waiting.metronome.held == {ENTITY_ID: {"tier": "evt_1"}}


@pytest.mark.parametrize(
    ("outcome", "gate_open"),
    [
        (Outcome(Verdict.UNAVAILABLE, 503), True),
        (Outcome(Verdict.REFUSED, 400, "bad alias"), True),
        (Outcome(Verdict.LIMITED, 429, "", SECOND), False),
        (Outcome(Verdict.UNAUTHORIZED, 401), False),
    ],
)
def test_a_lookup_that_fails_is_made_again(waiting, outcome, gate_open):
    waiting.metronome.aliases["cus_1"] = [ENTITY_ID]
    waiting.metronome.judge = answers(outcome)
    waiting.resolve()
    assert waiting.state() == ChangeState.PARKED
    assert waiting.store.gate.state().is_open(waiting.clock()) == gate_open
    waiting.clock.advance(30 * SECOND)
    assert (waiting.resolve(), waiting.deliver()) == (1, 1)


def test_an_outage_never_refuses_what_is_parked(waiting):
    waiting.metronome.judge = answers(Outcome(Verdict.UNAVAILABLE, 503))
    waiting.clock.advance(8 * DAY)
    waiting.resolve()
    assert waiting.state() == ChangeState.PARKED


def test_every_page_of_a_lookup_is_paid_for(make_pipeline):
    paying = make_pipeline(rate=2 / SPENT)
    paying.metronome.pages = 3
    paying.metronome.aliases["cus_1"] = [ENTITY_ID]
    ask(paying, "evt_1")
    paying.gatekeeper.admit(paying.store.gate.state(), 1)
    assert (paying.resolve(), paying.deliver()) == (1, 1)
    assert paying.metronome.lookups == 3
    assert paying.slept == [0.48, 0.98]
