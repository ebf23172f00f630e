"""One answer of Metronome stops only what it is about: over real HTTP, through real processes, on both databases."""

import subprocess

import pytest
import requests

from tests.support.making import ENTITY_ID
from tests.support.processes import ours, until
from tests.support.stripe_events import customer_updated
from tests.whole.conftest import post

pytestmark = pytest.mark.slow

MAPPING = """
sender: stripe
secrets: ["${STRIPE_WEBHOOK_SECRET}"]
rules:
  - name: customer
    when: data.object.metadata.metronome_id
    entity: customer
    id: data.object.metadata.metronome_id
    fields: {tier: data.object.metadata.tier, note: data.object.metadata.note}
  - name: contract
    when: data.object.metadata.contract
    entity: contract
    lookup:
      uniqueness_key: data.object.metadata.contract
      customer: {ingest_alias: data.object.id}
    fields: {tier: data.object.metadata.tier}
"""
CUSTOMERS = [f"{number:08x}{ENTITY_ID[8:]}" for number in range(30)]


@pytest.fixture
def bridge(world):
    """Sends events to a running bridge, each with what its customer has as metadata."""
    (world.folder / "mappings" / "stripe.yaml").write_text(MAPPING)
    world.sandbox()
    world.process, world.url = world.serve()
    world.sent = 0

    def send(**metadata):
        world.sent += 1
        event = customer_updated(f"evt_{world.sent}", 1_700_000_000 + world.sent, **metadata)
        assert post(world.url, event).ok

    world.send = send
    return world


def tiers(world):
    return {one["entity_id"]: one["custom_fields"].get("tier") for one in world.dump()["values"]}


def ready(world):
    return requests.get(f"{world.url}/readyz", timeout=10).json()


def test_an_endpoint_that_the_token_may_not_use_delays_no_delivery(bridge):
    bridge.control(rules=[{"endpoint": "/v1/customers*", "status": 403, "message": "no scope"}])
    for number in range(30):
        bridge.send(metronome_id=None, contract=f"K-{number}")
    for one in CUSTOMERS:
        bridge.send(metronome_id=one, tier="gold")
    until(lambda: tiers(bridge) == dict.fromkeys(CUSTOMERS, "gold"), bridge.process)
    found = ready(bridge)
    assert found["gate"] == {"state": "open"}
    assert "GET /v1/customers" in found["waiting"]["permission"]["reason"]


def test_a_token_that_is_refused_everywhere_makes_few_calls_and_loses_nothing(bridge):
    bridge.control(rules=[{"status": 401, "message": "bad token"}])
    bridge.send(metronome_id=None, contract="K-1")
    for one in CUSTOMERS:
        bridge.send(metronome_id=one, tier="gold")
    until(lambda: ready(bridge)["gate"]["state"] == "closed", bridge.process)
    assert ready(bridge)["gate"]["cause"] == "token refused"
    assert len(bridge.dump()["calls"]) < len(CUSTOMERS)
    bridge.control(rules=[])
    opened = subprocess.run(ours("breaker", "open", "--yes"), env=bridge.environ, cwd=bridge.folder, check=False)
    assert opened.returncode == 0
    until(lambda: tiers(bridge) == dict.fromkeys(CUSTOMERS, "gold"), bridge.process)


def test_a_value_that_a_proxy_does_not_let_through_holds_back_nothing_else(bridge):
    page = {"status": 403, "body": "<html>blocked</html>", "headers": {"Content-Type": "text/html"}}
    bridge.control(rules=[{"value": "<script>", **page}])
    for number, one in enumerate(CUSTOMERS):
        bridge.send(metronome_id=one, tier="gold", **({"note": "<script>"} if number % 10 == 0 else {}))
        bridge.send(metronome_id=one, tier="silver")
    until(lambda: tiers(bridge) == dict.fromkeys(CUSTOMERS, "silver"), bridge.process)
    bridge.control(rules=[])
    until(lambda: bridge.held(CUSTOMERS[0]).get("note") == "<script>", bridge.process)
