"""Entities found by what customers carry, over real HTTP, through real processes, on both databases."""

import pytest

from tests.support.making import ENTITY_ID, OTHER_ID
from tests.support.processes import ours, until
from tests.support.stripe_events import customer_updated
from tests.whole.conftest import post

pytestmark = pytest.mark.slow

MAPPING = """
sender: stripe
secrets: ["${STRIPE_WEBHOOK_SECRET}"]
rules:
  - name: customer
    entity: customer
    lookup: {custom_field: {key: crm_account_id, value: data.object.id}}
    fields: {tier: data.object.metadata.tier}
  - name: contract
    entity: contract
    lookup:
      uniqueness_key: concat('deal-', data.object.id)
      customer: {custom_field: {key: crm_account_id, value: data.object.id}}
    fields: {tier: data.object.metadata.tier}
"""
#: More than fit on one page.
CROWD = [{"name": f"Customer {number}", "custom_fields": {"crm_account_id": f"A-{number}"}} for number in range(250)]


def test_an_unknown_value_waits_until_a_reading_finds_who_was_made_meanwhile(world):
    (world.folder / "mappings" / "stripe.yaml").write_text(MAPPING)
    world.sandbox()
    world.control(customers=CROWD)
    process, url = world.serve(BRIDGE_LOOKUP_INDEX_SECONDS="10")
    worker = world.run(ours("worker"), BRIDGE_LOOKUP_INDEX_SECONDS="10")
    event = customer_updated(tier="gold")
    assert post(url, event).ok
    sought = event["data"]["object"]["id"]

    def is_waiting():
        with world.store() as store:
            found = store.events.find(limit=1)
            changes = store.changes.of_event(found[0].id) if found else []
            return [str(change.reason).endswith("yet") for change in changes] == [True, True]

    until(is_waiting, process)
    customer = {"name": "New", "id": ENTITY_ID, "custom_fields": {"crm_account_id": sought}}
    contract = {"customer_id": ENTITY_ID, "id": OTHER_ID, "uniqueness_key": f"deal-{sought}"}
    world.control(customers=[customer], contracts=[contract])
    world.wait_for(ENTITY_ID, {"crm_account_id": sought, "tier": "gold"}, worker)
    world.wait_for(OTHER_ID, {"tier": "gold"}, worker)
    readings = [call for call in world.dump()["calls"] if call["call"] == "GET /v1/customers?limit=100"]
    assert len(readings) <= 3
