"""The sandbox's customers and contracts: how they are found, paged and made."""

import pytest

from bridge.times import to_iso
from tests.metronome.conftest import NOW
from tests.metronome.sandbox import NOBODY, ONE, TWO, Sandbox

CUSTOMERS = "/v1/customers"
CONTRACTS = "/v2/contracts/list"
ACME = {"name": "Acme", "id": ONE, "ingest_aliases": ["cus_1", "acme"], "salesforce_account_id": "0015f00000AbCdEAAV"}
BETA = {"name": "Beta", "id": TWO, "ingest_aliases": ["cus_2"]}


@pytest.fixture
def sandbox():
    made = Sandbox()
    made.arrange(customers=[ACME, BETA])
    return made


def listed(sandbox, query=""):
    status, page = sandbox.get(f"{CUSTOMERS}?{query}")
    assert status == 200, page
    return [customer["id"] for customer in page["data"]]


def test_a_customer_is_shown_with_all_that_is_known(sandbox):
    sandbox.set({"tier": "gold"})
    shown = {
        "id": ONE,
        "external_id": "cus_1",
        "ingest_aliases": ["cus_1", "acme"],
        "name": "Acme",
        "customer_config": {"salesforce_account_id": "0015f00000AbCdEAAV"},
        "custom_fields": {"tier": "gold"},
        "created_at": to_iso(NOW),
        "updated_at": to_iso(NOW),
        "archived_at": None,
    }
    assert sandbox.get(f"{CUSTOMERS}/{ONE}") == (200, {"data": shown})
    assert sandbox.get(f"{CUSTOMERS}?ingest_alias=acme") == (200, {"data": [shown], "next_page": None})


def test_a_customer_that_does_not_exist_is_not_found(sandbox):
    assert sandbox.get(f"{CUSTOMERS}/{NOBODY}") == (404, {"message": "no such customer"})


FILTERS = [
    ("", [ONE, TWO]),
    ("ingest_alias=cus_1", [ONE]),
    ("ingest_alias=acme", [ONE]),
    ("ingest_alias=cus_2", [TWO]),
    ("ingest_alias=cus_3", []),
    ("ingest_alias=CUS_1", []),
    ("ingest_alias=cus", []),
    ("salesforce_account_ids=0015f00000AbCdEAAV", [ONE]),
    ("salesforce_account_ids=0015f00000ZZZZZAAV&salesforce_account_ids=0015f00000AbCdEAAV", [ONE]),
    ("salesforce_account_ids=0015f00000ZZZZZAAV", []),
    (f"customer_ids={TWO}", [TWO]),
    (f"customer_ids={TWO}&customer_ids={ONE}", [ONE, TWO]),
    (f"customer_ids={NOBODY}", []),
    (f"customer_ids={ONE.upper()}", [ONE]),
    (f"customer_ids={ONE}&ingest_alias=cus_1", [ONE]),
    (f"customer_ids={TWO}&ingest_alias=cus_1", []),
    ("limit=1", [ONE]),
    ("limit=1&next_page=1", [TWO]),
    ("limit=100", [ONE, TWO]),
    ("next_page=2", []),
    ("only_archived=true", []),
    ("only_archived=true&ingest_alias=cus_1", []),
    ("only_archived=false", [ONE, TWO]),
]


@pytest.mark.parametrize(("query", "found"), FILTERS)
def test_customers_are_found_by_every_filter_at_once(sandbox, query, found):
    assert listed(sandbox, query) == found


@pytest.mark.parametrize(
    "query",
    [
        *("limit=0", "limit=101", "limit=-1", "limit=", "limit=ten", "limit=1.5"),
        *("next_page=", "next_page=x", "next_page=-1", "only_archived=true&next_page=x"),
        "&".join(f"salesforce_account_ids={number}" for number in range(101)),
        "&".join([f"customer_ids={ONE}"] * 101),
    ],
    ids=lambda query: query[:30],
)
def test_a_query_out_of_bounds_is_refused(sandbox, query):
    status, body = sandbox.get(f"{CUSTOMERS}?{query}")
    assert status == 400
    assert body["message"]


def test_a_hundred_ids_are_accepted(sandbox):
    assert listed(sandbox, "&".join([f"customer_ids={ONE}"] * 100)) == [ONE]


@pytest.mark.parametrize(("limit", "pages"), [(1, 7), (3, 3), (7, 1), (100, 1)])
def test_customers_are_listed_page_by_page(sandbox, limit, pages):
    sandbox.arrange(customers=[{"name": f"customer {number}"} for number in range(5)])
    seen, cursor = [], None
    for number in range(pages):
        assert (cursor is None) == (number == 0)
        query = f"limit={limit}" + (f"&next_page={cursor}" if cursor else "")
        page = sandbox.get(f"{CUSTOMERS}?{query}")[1]
        seen += [customer["id"] for customer in page["data"]]
        cursor = page["next_page"]
    assert cursor is None
    assert seen == list(sandbox.world.customers)


def test_a_customer_that_is_made_can_be_found(sandbox):
    status, body = sandbox.post(CUSTOMERS, {"name": "New", "ingest_aliases": ["cus_3"]})
    assert status == 200
    assert listed(sandbox, "ingest_alias=cus_3") == [body["data"]["id"]]
    assert sandbox.get(f"{CUSTOMERS}/{body['data']['id']}") == (200, body)


def test_a_customer_without_an_alias_goes_by_its_id(sandbox):
    made = sandbox.post(CUSTOMERS, {"name": "New"})[1]["data"]
    assert (made["external_id"], made["ingest_aliases"]) == (made["id"], [])


def test_an_alias_has_one_customer(sandbox):
    before = listed(sandbox)
    status, body = sandbox.post(CUSTOMERS, {"name": "New", "ingest_aliases": ["cus_3", "acme"]})
    assert (status, set(body)) == (409, {"message"})
    assert listed(sandbox) == before


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": None},
        {"name": 7},
        {"name": "New", "ingest_aliases": "cus_3"},
        {"name": "New", "ingest_aliases": [7]},
        {"name": "New", "ingest_aliases": [""]},
        {"name": "New", "ingest_aliases": ["x" * 129]},
        {"name": "New", "id": "cus_3"},
        {"name": "New", "salesforce_account_id": 7},
        [],
        None,
        "New",
    ],
    ids=str,
)
def test_a_bad_customer_is_refused_and_not_made(sandbox, body):
    before = listed(sandbox)
    assert sandbox.post(CUSTOMERS, body)[0] == 400
    assert listed(sandbox) == before


def test_a_customer_is_the_same_in_either_case_of_its_id():
    sandbox = Sandbox()
    sandbox.arrange(customers=[{**ACME, "id": ONE.upper()}], faults={"enforce_customers": True})
    for customer_id in (ONE, ONE.upper()):
        assert sandbox.set({"tier": "gold"}, entity_id=customer_id) == 200
        assert sandbox.get(f"{CUSTOMERS}/{customer_id}")[1]["data"]["custom_fields"] == {"tier": "gold"}


def test_only_customers_that_exist_have_fields_if_customers_are_enforced(sandbox):
    assert sandbox.set({"tier": "gold"}, entity_id=NOBODY) == 200
    sandbox.arrange(faults={"enforce_customers": True})
    assert sandbox.set({"tier": "silver"}, entity_id=NOBODY) == 404
    assert sandbox.delete(["tier"], entity_id=NOBODY) == 404
    assert sandbox.held(entity_id=NOBODY) == {"tier": "gold"}
    assert sandbox.set({"tier": "gold"}) == 200
    assert sandbox.delete(["tier"]) == 200
    assert sandbox.set({"tier": "gold"}, "contract", NOBODY) == 200


def test_contracts_are_listed_by_customer(sandbox):
    first = {"customer_id": ONE, "id": NOBODY, "name": "First", "salesforce_opportunity_id": "006"}
    sandbox.arrange(contracts=[first, {"customer_id": TWO}])
    sandbox.set({"region": "eu"}, "contract", NOBODY)
    status, body = sandbox.post(CONTRACTS, {"customer_id": ONE})
    assert (status, len(body["data"])) == (200, 1)
    contract = body["data"][0]
    assert {name: contract[name] for name in first} == first
    assert contract["custom_fields"] == {"region": "eu"}
    assert "uniqueness_key" not in contract
    assert sandbox.post(CONTRACTS, {"customer_id": NOBODY}) == (200, {"data": []})


@pytest.mark.parametrize("asked", [ONE, ONE.upper()])
@pytest.mark.parametrize("arranged", [ONE, ONE.upper()])
def test_contracts_are_found_in_either_case_of_the_customers_id(sandbox, arranged, asked):
    sandbox.arrange(contracts=[{"customer_id": arranged}])
    assert len(sandbox.post(CONTRACTS, {"customer_id": asked})[1]["data"]) == 1


@pytest.mark.parametrize("body", [{}, {"customer_id": None}, {"customer_id": "cus_1"}, {"customer_id": 7}, []], ids=str)
def test_contracts_of_nobody_in_particular_are_refused(sandbox, body):
    assert sandbox.post(CONTRACTS, body)[0] == 400
