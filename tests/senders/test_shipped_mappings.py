"""What the shipped mappings make of requests as vendors really send them."""

from dataclasses import replace
from typing import Any

import orjson
import pytest

from bridge.mapping.rules import Translation, apply
from tests.mapping.making import SHIPPED, check, lint
from tests.senders.fixtures import one

CONTRACT = "0a5f2d3c-6c5b-4a7e-9d43-1c0a2f3b4d5e"
CUSTOMER = "99594816-e8a5-4bca-be21-8d1de0f45120"


def made(sender: str, name: str, **data: Any) -> Translation:
    """Of a captured request, with more in the object that it is about."""
    source, _ = lint(SHIPPED[sender])
    fixture = one(sender, name)
    body = orjson.loads(fixture.request.body)
    if data:
        body["data"]["object"] |= data
    [event] = fixture.sender.read(replace(fixture.request, body=orjson.dumps(body)), fixture.arrival)
    return apply(source.rules, event)


@pytest.mark.parametrize(
    ("name", "renews_on"),
    [("subscription_of_version_2018_11_08", "2019-11-01"), ("customer_subscription_updated", "2000-12-08")],
)
def test_stripe_subscriptions_renew_whatever_the_version_of_the_api(name, renews_on):
    [change] = made("stripe", name, metadata={"metronome_contract_id": CONTRACT}).changes
    assert change.set["renews_on"] == renews_on
    assert "renews_on" not in change.remove


def test_what_stripe_does_not_say_of_its_subscriptions_is_left_alone():
    items = {"data": [{"id": "si_1", "price": {"id": "p"}, "metadata": {}}]}
    [change] = made(
        "stripe",
        "customer_subscription_updated",
        metadata={"metronome_contract_id": CONTRACT},
        items=items,
    ).changes
    assert not {"renews_on", "seats"} & {*change.set, *change.remove}


def test_stripe_invoices_of_old_versions_name_their_customer():
    source, _ = lint(SHIPPED["stripe"])
    fixture = one("stripe", "invoice_of_version_2019_03_14")
    body = orjson.loads(fixture.request.body)
    body["type"] = "invoice.paid"
    body["data"]["object"] |= {"subscription_details": {"metadata": {"metronome_customer_id": CUSTOMER}}}
    [event] = fixture.sender.read(replace(fixture.request, body=orjson.dumps(body)), fixture.arrival)
    [change] = apply(source.rules, event).changes
    assert change.set == {
        "last_invoice_number": "113948B9-0001",
        "last_paid_on": "2019-06-09",
        "last_paid_amount": "1 USD",
    }


def test_a_company_that_was_deleted_in_intercom_is_found_by_intercoms_own_id():
    [updated], [deleted] = (made("intercom", name).changes for name in ("company_without_a_plan", "company_deleted"))
    key, value = "intercom_company", updated.set["intercom_company"]
    assert (deleted.reference.kind, deleted.reference.parts) == ("custom_field", (key, value))
    assert set(deleted.remove) == {"plan", "monthly_spend_usd"}


@pytest.mark.parametrize(
    "events", ["[v1.customer.updated]", "['v1.*']", "[v1.customer.updated, v2.core.account.updated]"]
)
def test_check_warns_of_paths_that_thin_events_of_stripe_cannot_fill(events):
    text = f"""
sender: stripe
secrets: ["${{SECRET}}"]
rules:
  - {{name: r, events: {events}, entity: customer, id: related_object.id, fields: {{tier: data.object.metadata.tier}}}}
"""
    assert "thin-event" in [problem.code for problem in check(text)]
    assert "thin-event" not in [problem.code for problem in check(text.replace("v1.c", "c").replace("v1.*", "*"))]
