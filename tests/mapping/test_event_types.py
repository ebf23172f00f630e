"""Event types that a vendor has under nearly the same name."""

import pytest

from bridge.mapping.spelling import misspelled
from bridge.senders import published
from tests.mapping.making import check, marked

CODE = "unknown-event-type"
FILE = """\
sender: {sender}
secrets: ["${{PASSWORD}}"]
rules:
  - name: profile
    events: [{events}]
    entity: customer
    id: data.id
    fields: {{tier: data.tier}}
"""
EXAMPLE = """\
examples:
  - name: gold
    event: {{id: evt_1, type: {type}, created: 1795341600, data: {{id: c_1, tier: gold}}}}
    expect: [{{entity: customer, id: c_1, set: {{tier: gold}}}}]
"""


def found(sender, events):
    text, places = marked(FILE.format(sender=sender, events=events))
    return [problem for problem in check(text) if problem.code == CODE], places


@pytest.mark.parametrize(
    ("sender", "written", "meant"),
    [
        ("stripe", "customer.udpated", "customer.updated"),
        ("stripe", "costumer.updated", "customer.updated"),
        ("stripe", "customer.update", "customer.updated"),
        ("stripe", "Customer.Updated", "customer.updated"),
        ("stripe", "customer_updated", "customer.updated"),
        ("stripe", "customer.subscripton.*", "customer.subscription.*"),
        ("hubspot", "company.propertychange", "company.propertyChange"),
        ("hubspot", "company.property_change", "company.propertyChange"),
        ("chargebee", "subscription.created", "subscription_created"),
        ("paddle", "subscription.cancelled", "subscription.canceled"),
        ("github", "marketplace_purchase.purchase", "marketplace_purchase.purchased"),
        ("attio", "record.update", "record.updated"),
        ("intercom", "company.create", "company.created"),
        ("pipedrive", "chnage.deal", "change.deal"),
        ("metronome", "invoice.finalised", "invoice.finalized"),
    ],
)
def test_a_slip_is_told_where_it_stands_and_what_was_meant(sender, written, meant):
    (problem,), places = found(sender, f"invoice.whatever, »{written}")
    assert [(problem.line, problem.column)] == places
    assert f"{sender} sends no {written}: did you mean {meant!r}?" in str(problem)


@pytest.mark.parametrize(
    ("sender", "written"),
    [
        ("stripe", "customer.updated"),
        ("stripe", "customer.*"),
        ("stripe", "'*'"),
        # Vendors add types.
        ("stripe", "customer.frozen"),
        ("stripe", "treasury.something.*"),
        ("stripe", "cust*"),
        ("hubspot", "quote.creation"),
        # Words that others have, beside others.
        ("paddle", "product.paused"),
        # Their users name the types.
        ("hmac", "customer.udpated"),
    ],
)
def test_what_may_be_true_is_left_alone(sender, written):
    assert found(sender, written)[0] == []


def test_what_an_example_has_is_true():
    text = FILE.format(sender="stripe", events="customer.udpated")
    assert CODE in [problem.code for problem in check(text + EXAMPLE.format(type="customer.updated"))]
    assert CODE not in [problem.code for problem in check(text + EXAMPLE.format(type="customer.udpated"))]


def test_a_slip_is_told_once():
    """And not again as a rule that no example reaches for its type."""
    text = FILE.format(sender="stripe", events="customer.udpated") + EXAMPLE.format(type="customer.updated")
    told = [problem for problem in check(text) if "did you mean" in str(problem)]
    assert [problem.code for problem in told] == [CODE]


@pytest.mark.parametrize(
    "sender", ["stripe", "hubspot", "chargebee", "paddle", "github", "attio", "intercom", "metronome"]
)
def test_no_type_of_a_vendor_is_taken_for_a_slip_of_another(sender):
    """Not even if the list did not have it yet."""
    types = published.event_types(sender)
    mistaken = [(one, misspelled(one, [other for other in types if other != one])) for one in types]
    assert [pair for pair in mistaken if pair[1]] == []
