"""The sandbox's billable metrics, products and rate cards, and the parts of its contracts, with their custom fields."""

import pytest

from bridge.metronome.world import PARTS
from tests.metronome.sandbox import NOBODY, ONE, TWO, Sandbox

GET = {
    "billable_metric": lambda sandbox, one: sandbox.get(f"/v1/billable-metrics/{one}"),
    "contract_product": lambda sandbox, one: sandbox.post("/v1/contract-pricing/products/get", {"id": one}),
    "rate_card": lambda sandbox, one: sandbox.post("/v1/contract-pricing/rate-cards/get", {"id": one}),
}


@pytest.fixture
def sandbox():
    made = Sandbox()
    made.arrange(catalog=[{"entity": entity, "id": ONE.upper(), "name": "Seats"} for entity in GET])
    return made


@pytest.mark.parametrize("entity", GET)
def test_an_item_shows_the_values_that_were_set(sandbox, entity):
    assert sandbox.set({"tier": entity}, entity) == 200
    status, body = GET[entity](sandbox, ONE)
    assert (status, body["data"]["id"], body["data"]["custom_fields"]) == (200, ONE, {"tier": entity})
    assert "Seats" in str(body)


@pytest.mark.parametrize("entity", GET)
def test_an_item_that_does_not_exist_is_not_found(sandbox, entity):
    assert GET[entity](sandbox, NOBODY)[0] == 404


@pytest.mark.parametrize("entity", PARTS)
def test_a_part_of_a_contract_shows_the_values_that_were_set(sandbox, entity):
    sandbox.arrange(
        customers=[{"name": "Acme", "id": ONE}],
        contracts=[{"customer_id": ONE, "parts": [{"entity": entity, "id": TWO}]}],
    )
    sandbox.set({"tier": "gold"}, entity, TWO)
    (contract,) = sandbox.post("/v2/contracts/list", {"customer_id": ONE})[1]["data"]
    (part,) = contract[PARTS[entity][0]]
    assert (part["id"], part["custom_fields"], contract["custom_fields"]) == (TWO, {"tier": "gold"}, {})


@pytest.mark.parametrize(
    "scene",
    [
        {"catalog": [{"entity": "customer", "name": "Seats"}]},
        {"catalog": [{"entity": "rate_card"}]},
        {"contracts": [{"customer_id": ONE, "parts": [{"entity": "invoice", "id": TWO}]}]},
        {"contracts": [{"customer_id": ONE, "parts": [{"entity": "commit"}]}]},
    ],
    ids=str,
)
def test_a_scene_that_cannot_be_is_refused(sandbox, scene):
    assert sandbox.post("/sandbox", scene)[0] == 400


def test_everything_is_shown_and_forgotten(sandbox):
    assert [item["entity"] for item in sandbox.get("/sandbox")[1]["catalog"]] == list(GET)
    assert sandbox.arrange(reset=True)["catalog"] == []
