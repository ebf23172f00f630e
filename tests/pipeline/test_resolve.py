import pytest

from bridge.gates import Endpoint, Gates
from bridge.model import ChangeState, Outcome, Reference, Verdict
from bridge.pipeline.gatekeeper import SPENT
from bridge.times import DAY, MINUTE, SECOND
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
    assert state == ChangeState.REFUSED
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
        (Outcome(Verdict.UNAUTHORIZED, 401), True),
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
    paying.gatekeeper.admit(Gates(paying.gate(None)), Endpoint.CUSTOMERS, 1)
    assert (paying.resolve(), paying.deliver()) == (1, 1)
    assert paying.metronome.lookups == 3
    assert paying.slept == [0.48, 0.98]


CONTRACT_ID = "22222222-6c5b-4a7e-9d43-1c0a2f3b4d5e"
DEAL = Reference.of("uniqueness_key", ["K-1"], ALIAS)


def ask_contract(pipeline, name="evt_1", reference=DEAL, at=NOW):
    asked = change({"tier": name}, at, entity="contract", reference=reference)
    pipeline.receive(event(name), translate=lambda _: translated(asked))


@pytest.fixture
def dealing(pipeline):
    """A Metronome with one customer, who has two contracts."""
    pipeline.metronome.aliases["cus_1"] = [ENTITY_ID]
    pipeline.metronome.listed[ENTITY_ID] = [
        {"id": OTHER_ID, "uniqueness_key": "K-0", "custom_fields": {}},
        {
            "id": CONTRACT_ID,
            "uniqueness_key": "K-1",
            "salesforce_opportunity_id": "006",
            "custom_fields": {"deal": "7"},
        },
    ]
    return pipeline


CONTRACTS = [
    (DEAL, 2),
    (Reference.of("uniqueness_key", ["K-1"], Reference("id", ENTITY_ID)), 1),
    (Reference.of("salesforce_opportunity_id", ["006"], ALIAS), 2),
    (Reference.of("custom_field", ["deal", "7"], ALIAS), 2),
    # One page of customers, one look at whom it leads to, and that customer's contracts.
    (Reference.of("custom_field", ["deal", "7"], Reference.of("custom_field", ["crm", "A-1"])), 3),
]


@pytest.mark.parametrize(("reference", "calls"), CONTRACTS, ids=str)
def test_a_contract_is_found_under_its_customer(dealing, reference, calls):
    dealing.metronome.people[ENTITY_ID] = {"crm": "A-1"}
    ask_contract(dealing, reference=reference)
    while dealing.resolve() or dealing.deliver():
        pass
    assert dealing.metronome.held == {CONTRACT_ID: {"tier": "evt_1"}}
    assert dealing.metronome.lookups == calls


def test_the_customer_of_many_contracts_is_looked_up_once(dealing):
    ask_contract(dealing)
    ask_contract(dealing, "evt_2", Reference.of("uniqueness_key", ["K-0"], ALIAS))
    assert (dealing.resolve(), dealing.deliver()) == (2, 2)
    assert dealing.metronome.lookups == 3
    ask(dealing, "evt_3")
    assert (dealing.resolve(), dealing.deliver()) == (0, 1)


def test_a_contract_whose_customer_is_not_there_waits_and_says_for_whom(dealing):
    dealing.metronome.aliases.clear()
    ask_contract(dealing)
    dealing.resolve()
    assert dealing.states() == [(ChangeState.PARKED, "no customer in Metronome has the ingest_alias cus_1 yet")]
    dealing.metronome.aliases["cus_1"] = [ENTITY_ID]
    dealing.clock.advance(5 * SECOND)
    assert (dealing.resolve(), dealing.deliver()) == (1, 1)


@pytest.mark.parametrize("answer", [Outcome(Verdict.ACCEPTED, 200), Outcome(Verdict.UNKNOWN, 404, "no such customer")])
def test_a_contract_that_is_not_there_waits_and_is_given_up_after_days(dealing, answer):
    dealing.metronome.listed.clear()
    dealing.metronome.judge = lambda call, *_: answer if call == "contracts" else Outcome(Verdict.ACCEPTED, 200)
    ask_contract(dealing)
    dealing.resolve()
    wanted = "the uniqueness_key K-1 under the customer ingest_alias cus_1"
    assert dealing.states() == [(ChangeState.PARKED, f"no contract in Metronome has {wanted} yet")]
    dealing.clock.advance(7 * DAY + 1)
    dealing.resolve()
    assert dealing.state() == ChangeState.REFUSED


def test_several_contracts_or_customers_are_named_and_none_is_chosen(dealing):
    dealing.metronome.listed[ENTITY_ID][0]["uniqueness_key"] = "K-1"
    ask_contract(dealing)
    dealing.metronome.aliases["cus_2"] = [ENTITY_ID, OTHER_ID]
    ask_contract(dealing, "evt_2", Reference.of("uniqueness_key", ["K-1"], Reference("ingest_alias", "cus_2")))
    dealing.resolve()
    for name, what, ids in (
        ("evt_1", "contracts", (OTHER_ID, CONTRACT_ID)),
        ("evt_2", "customers", (ENTITY_ID, OTHER_ID)),
    ):
        ((state, reason),) = dealing.states(name)
        assert state == ChangeState.REFUSED
        assert reason.startswith(f"several {what} in Metronome have the ")
        assert reason.endswith(", ".join(ids))


def test_two_references_to_one_contract_end_in_the_same_truth(dealing):
    ask_contract(dealing)
    ask_contract(dealing, "evt_2", Reference.of("custom_field", ["deal", "7"], ALIAS), NOW - 1)
    dealing.resolve()
    dealing.deliver()
    assert dealing.metronome.held == {CONTRACT_ID: {"tier": "evt_1"}}


def test_both_calls_for_a_contract_are_paid_for(make_pipeline):
    paying = make_pipeline(rate=2 / SPENT)
    paying.metronome.aliases["cus_1"] = [ENTITY_ID]
    paying.metronome.listed[ENTITY_ID] = [{"id": CONTRACT_ID, "uniqueness_key": "K-1"}]
    ask_contract(paying)
    paying.gatekeeper.admit(Gates(paying.gate(None)), Endpoint.CUSTOMERS, 1)
    assert (paying.resolve(), paying.deliver()) == (1, 1)
    assert paying.slept == [0.48]


@pytest.fixture
def gone(waiting):
    """A pipeline whose lookup has found a customer that Metronome does not know any more."""
    waiting.metronome.aliases["cus_1"] = [ENTITY_ID]
    waiting.resolve()
    missing = Outcome(Verdict.UNKNOWN, 404, "no such customer")
    waiting.metronome.judge = lambda call, one, _: missing if one == ENTITY_ID else Outcome(Verdict.ACCEPTED, 200)
    return waiting


def test_an_alias_that_has_moved_is_looked_up_again_after_a_404(gone):
    gone.metronome.aliases["cus_1"] = [OTHER_ID]
    assert gone.deliver() == 1
    assert gone.states() == [(ChangeState.PARKED, "looked up again: Metronome answered 404: no such customer")]
    ask(gone, "evt_2", NOW + 1)
    assert (gone.resolve(), gone.deliver()) == (1, 1)
    assert gone.metronome.held == {OTHER_ID: {"tier": "evt_2"}}
    assert gone.metronome.lookups == 2
    gone.clock.advance(DAY)
    assert gone.deliver() == 1
    assert gone.store.glance(gone.clock()).next_due() is None


def test_an_alias_that_leads_nowhere_for_a_while_is_found_when_it_is_back(gone):
    gone.metronome.aliases["cus_1"] = []
    assert (gone.deliver(), gone.resolve()) == (1, 1)
    assert gone.states() == [(ChangeState.PARKED, "no customer in Metronome has the ingest_alias cus_1 yet")]
    gone.metronome.aliases["cus_1"] = [OTHER_ID]
    gone.clock.advance(MINUTE)
    gone.resolve()
    gone.deliver()
    assert gone.metronome.held == {OTHER_ID: {"tier": "evt_1"}}


def test_an_alias_that_still_leads_to_what_is_gone_is_tried_with_exponential_backoff(gone):
    for _ in range(12 * 60):
        gone.deliver()
        gone.resolve()
        gone.clock.advance(5 * SECOND)
    # An hour: the waits double from 5 seconds to an hour.
    assert 5 < len(gone.metronome.calls) < 15
    assert gone.metronome.lookups <= len(gone.metronome.calls) + 1
    gone.clock.advance(7 * DAY)
    gone.resolve()
    gone.deliver()
    assert gone.state() == ChangeState.REFUSED
