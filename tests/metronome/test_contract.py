"""What the bridge asks and what the sandbox answers, held against Metronome's own description of its API."""

import json as stdlib_json
import re

import orjson
import pytest

from bridge.metronome import keys, reading
from bridge.metronome.directory import CONTRACT_LOOKUPS, LOOKUPS, Directory
from bridge.metronome.reading import MANY, READERS, WITH_CONTRACTS
from bridge.metronome.sandbox import ROUTES, create_sandbox
from bridge.metronome.world import PARTS, World
from bridge.model import ENTITIES, Reference
from tests.metronome.conftest import NOW
from tests.metronome.document import (
    COMPONENTS,
    DOCUMENT,
    FILE,
    answer_problems,
    find_operation,
    problems,
    request_problems,
    resolve,
    schema_of,
)
from tests.metronome.server import json

ENTITY_ID = "99594816-e8a5-4bca-be21-8d1de0f45120"
HEADERS = {"authorization": "Bearer token", "content-type": "application/json"}
SET, DELETE, CUSTOMERS = "/v1/customFields/setValues", "/v1/customFields/deleteValues", "/v1/customers"


def set_body(**changed):
    return {"entity": "customer", "entity_id": ENTITY_ID, "custom_fields": {"tier": "gold"}} | changed


def test_every_entity_that_the_document_lists_is_known():
    assert sorted(ENTITIES) == sorted(COMPONENTS["schemas"]["ManagedEntity"]["enum"])
    assert len(set(ENTITIES)) == len(ENTITIES)


def test_the_document_is_complete_and_holds_facts_alone():
    def walk(node, named):
        """`named`: the keys of this object are names of the API, not keywords."""
        if isinstance(node, list):
            for one in node:
                walk(one, named=False)
        if not isinstance(node, dict):
            return
        if not named:
            assert not {"description", "summary", "example", "examples", "nullable"} & set(node)
            assert not [name for name in node if name.startswith("x-")]
            if "$ref" in node:
                kind, name = node["$ref"].removeprefix("#/components/").split("/")
                assert name in COMPONENTS[kind]
        for name, one in node.items():
            walk(one, named=name == "properties" and not named)

    walk(DOCUMENT, named=False)
    assert FILE.stat().st_size < 100_000


# What the checks below are worth: they refuse what is wrong.

WRONG_REQUESTS = [
    ("GET", SET, set_body()),
    ("PUT", SET, set_body()),
    ("POST", "/v1/customFields/setValue", set_body()),
    ("POST", SET, set_body(entity="plan")),
    ("POST", SET, set_body(entity_id="cus_1")),
    ("POST", SET, set_body(entity_id=ENTITY_ID.replace("-", ""))),
    ("POST", SET, set_body(custom_fields={"seats": 12})),
    ("POST", SET, set_body(custom_fields={"seats": None})),
    ("POST", SET, set_body(custom_fields=[])),
    ("POST", SET, {"entity": "customer", "entity_id": ENTITY_ID}),
    ("POST", f"{SET}?next_page=2", set_body()),
    ("POST", DELETE, {"entity": "customer", "entity_id": ENTITY_ID, "keys": "tier"}),
    ("POST", DELETE, {"entity": "customer", "entity_id": ENTITY_ID, "keys": [1]}),
    ("GET", f"{CUSTOMERS}?alias=cus_1", None),
    ("GET", f"{CUSTOMERS}?limit=0", None),
    ("GET", f"{CUSTOMERS}?limit=101", None),
    ("GET", f"{CUSTOMERS}?limit=many", None),
    ("GET", f"{CUSTOMERS}?limit=1&limit=2", None),
    ("GET", f"{CUSTOMERS}?only_archived=1", None),
    ("GET", f"{CUSTOMERS}?{'salesforce_account_ids=A&' * 101}", None),
    ("GET", f"{CUSTOMERS}/cus_1", None),
    ("GET", CUSTOMERS, {}),
]


@pytest.mark.parametrize(("method", "target", "body"), WRONG_REQUESTS)
def test_a_wrong_request_would_be_noticed(method, target, body):
    assert request_problems(method, target, HEADERS, b"" if body is None else orjson.dumps(body))


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "application/json"},
        {**HEADERS, "authorization": "token"},
        {**HEADERS, "authorization": "Bearer "},
        {**HEADERS, "content-type": "application/x-www-form-urlencoded"},
        {"authorization": "Bearer token"},
    ],
    ids=str,
)
def test_a_wrong_header_would_be_noticed(headers):
    assert request_problems("POST", SET, headers, orjson.dumps(set_body()))
    assert not request_problems("POST", SET, HEADERS, orjson.dumps(set_body()))


@pytest.mark.parametrize(
    "created_at", ["2026-11-22", "2026-11-22 10:00:00Z", "2026-11-22T10:00:00", "2026-13-22T10:00:00Z", 1_795_341_600]
)
def test_a_wrong_time_would_be_noticed(created_at):
    assert problems(created_at, {"type": "string", "format": "date-time"})


# What the bridge asks.


@pytest.fixture
def server(serve):
    return serve(json({"data": [], "next_page": "2"}))


@pytest.fixture
def client(connect, server):
    return connect(server.url)


def assert_described(server, count):
    assert len(server.seen) == count
    for seen in server.seen:
        assert request_problems(seen.method, seen.target, seen.headers, seen.body) == []


@pytest.mark.parametrize("entity", ENTITIES)
def test_a_write_is_what_the_document_describes(server, client, entity):
    client.set_values(entity, ENTITY_ID, {"tier": "gold", "größe": "L" * 200})
    client.set_values(entity, ENTITY_ID.upper(), {})
    client.delete_values(entity, ENTITY_ID, ["tier", "größe"])
    client.delete_values(entity, ENTITY_ID, ())
    assert_described(server, 4)
    assert [seen.path for seen in server.seen] == [SET, SET, DELETE, DELETE]


@pytest.mark.parametrize("kind", LOOKUPS)
@pytest.mark.parametrize("value", ["cus_1", "a&b=c", "größe", "100"])
def test_a_lookup_and_its_pages_are_what_the_document_describes(server, client, kind, value):
    Directory(client).find(Reference(kind, value))
    assert_described(server, 3)
    assert [seen.query.get("next_page") for seen in server.seen] == [None, ["2"], ["2"]]
    assert {seen.path for seen in server.seen} == {CUSTOMERS}


def test_customers_by_their_ids_are_asked_for_as_the_document_describes(server, client):
    Directory(client).carrying("crm", "größe", [ENTITY_ID, ENTITY_ID.replace("9", "8")])
    Directory(client).carrying("crm", "A-1", [ENTITY_ID] * 100)
    assert_described(server, 2)
    assert server.seen[0].query["customer_ids"] == [ENTITY_ID, ENTITY_ID.replace("9", "8")]


@pytest.mark.parametrize("cursor", [None, "2", "a&b=c"])
def test_all_customers_are_asked_for_as_the_document_describes(server, client, cursor):
    Directory(client).page(cursor)
    assert_described(server, 1)
    assert server.seen[0].query.get("next_page") == (None if cursor is None else [cursor])


@pytest.mark.parametrize("kind", CONTRACT_LOOKUPS)
def test_contracts_are_asked_for_as_the_document_describes(server, client, kind):
    parts = ["key", "value"] if kind == "custom_field" else ["value"]
    Directory(client).contracts(Reference.of(kind, parts, Reference("id", ENTITY_ID)), ENTITY_ID)
    assert_described(server, 1)
    assert server.seen[0].path == LIST_CONTRACTS


# What the sandbox answers.

CATALOG = ("billable_metric", "contract_product", "rate_card")
ACCOUNT = "0015f00000AbCdEAAV"
SCENE = {
    "customers": [
        {"name": "Acme", "id": ENTITY_ID, "ingest_aliases": ["cus_1"], "salesforce_account_id": ACCOUNT},
        {"name": "Plain"},
    ],
    "contracts": [
        {"customer_id": ENTITY_ID},
        {
            "customer_id": ENTITY_ID,
            "parts": [{"entity": entity, "id": ENTITY_ID} for entity in PARTS],
            "name": "First",
            "uniqueness_key": "first",
            "salesforce_opportunity_id": "006",
            "netsuite_sales_order_id": "7",
        },
    ],
    "catalog": [{"entity": entity, "id": ENTITY_ID, "name": "Seats"} for entity in CATALOG],
}
KEY = {"entity": "customer", "key": "tier", "enforce_uniqueness": True}
LIST_CONTRACTS = "/v2/contracts/list"
METRIC, PRODUCT, RATE_CARD = (
    "/v1/billable-metrics",
    "/v1/contract-pricing/products/get",
    "/v1/contract-pricing/rate-cards/get",
)
OTHER = ENTITY_ID.replace("9", "8")
ASKED = [
    ("POST", SET, set_body(), 200),
    ("POST", SET, set_body(entity_id="cus_1"), 400),
    ("POST", SET, set_body(entity_id=ENTITY_ID.replace("9", "8")), 404),
    ("POST", DELETE, {"entity": "customer", "entity_id": ENTITY_ID, "keys": ["tier"]}, 200),
    ("POST", DELETE, {}, 400),
    ("POST", "/v1/customFields/addKey", {**KEY, "key": "plan"}, 200),
    ("POST", "/v1/customFields/addKey", KEY, 409),
    ("POST", "/v1/customFields/removeKey", {"entity": "customer", "key": "tier"}, 200),
    ("POST", "/v1/customFields/removeKey", {"entity": "customer", "key": "plan"}, 404),
    ("POST", "/v1/customFields/listKeys", {}, 200),
    ("POST", "/v1/customFields/listKeys", {"entities": ["charge"]}, 200),
    ("POST", "/v1/customFields/listKeys", {"entities": ["plan"]}, 400),
    ("GET", CUSTOMERS, None, 200),
    ("GET", f"{CUSTOMERS}?limit=1", None, 200),
    ("GET", f"{CUSTOMERS}?limit=0", None, 400),
    ("GET", f"{CUSTOMERS}?ingest_alias=cus_1", None, 200),
    ("GET", f"{CUSTOMERS}?only_archived=true", None, 200),
    ("GET", f"{CUSTOMERS}/{ENTITY_ID}", None, 200),
    ("GET", f"{CUSTOMERS}/{ENTITY_ID.replace('9', '8')}", None, 404),
    ("POST", CUSTOMERS, {"name": "New"}, 200),
    ("POST", CUSTOMERS, {"name": "New", "ingest_aliases": ["new", "newer"]}, 200),
    ("POST", CUSTOMERS, {"name": "New", "ingest_aliases": ["cus_1"]}, 409),
    ("POST", CUSTOMERS, {"name": "New", "custom_fields": {"crm": "A-1"}}, 200),
    ("POST", CUSTOMERS, {"name": "New", "custom_fields": {"crm": 7}}, 400),
    ("GET", f"{CUSTOMERS}?customer_ids={ENTITY_ID}&customer_ids={ENTITY_ID.replace('9', '8')}", None, 200),
    ("POST", LIST_CONTRACTS, {"customer_id": ENTITY_ID}, 200),
    ("POST", LIST_CONTRACTS, {}, 400),
    ("GET", f"{METRIC}/{ENTITY_ID}", None, 200),
    ("GET", f"{METRIC}/{OTHER}", None, 404),
    *(("POST", path, {"id": ENTITY_ID}, 200) for path in (PRODUCT, RATE_CARD)),
    *(("POST", path, {"id": OTHER}, 404) for path in (PRODUCT, RATE_CARD)),
    *(("POST", path, {"id": "prod_1"}, 400) for path in (PRODUCT, RATE_CARD)),
]


@pytest.fixture
def sandbox():
    app = create_sandbox(World(), clock=lambda: NOW)
    app.testing = True
    caller = app.test_client()
    assert caller.post("/sandbox", json={**SCENE, "faults": {"enforce_customers": True}}).status_code == 200
    for path, body in (("addKey", KEY), ("setValues", set_body())):
        assert caller.post(f"/v1/customFields/{path}", json=body, headers=HEADERS).status_code == 200
    for entity in ("contract", *PARTS, *CATALOG):
        assert caller.post(SET, json=set_body(entity=entity), headers=HEADERS).status_code == 200
    return caller


@pytest.mark.parametrize(("method", "target", "body", "status"), ASKED)
def test_the_sandbox_answers_as_the_document_describes(sandbox, method, target, body, status):
    answered = sandbox.open(target, method=method, headers=HEADERS, json=body)
    assert answered.status_code == status
    assert answered.content_type == "application/json"
    assert answer_problems(method, target.partition("?")[0], status, answered.json) == []


def test_the_answers_that_were_checked_had_something_in_them(sandbox):
    customers = sandbox.get(CUSTOMERS, headers=HEADERS).json["data"]
    assert [customer["custom_fields"] for customer in customers] == [{"tier": "gold"}, {}]
    contracts = sandbox.post(LIST_CONTRACTS, headers=HEADERS, json={"customer_id": ENTITY_ID}).json["data"]
    assert [contract.get("name") for contract in contracts] == [None, "First"]
    parts = [part for place, _ in PARTS.values() for part in contracts[1][place]]
    assert [part["custom_fields"] for part in parts] == [{"tier": "gold"}] * len(PARTS)
    metric = sandbox.get(f"{METRIC}/{ENTITY_ID}", headers=HEADERS).json["data"]
    assert metric["custom_fields"] == {"tier": "gold"}


@pytest.mark.parametrize("entity", [*READERS, *WITH_CONTRACTS])
def test_what_is_read_back_is_asked_for_and_read_as_the_document_describes(server, client, entity):
    if entity in WITH_CONTRACTS:
        reading.contracts(client, ENTITY_ID)
        reading.customer_ids(client, None, archived=True)
        reading.customer_ids(client, "2", archived=False)
        assert_described(server, 3)
        return
    READERS[entity].one(client, ENTITY_ID)
    assert_described(server, 1)
    if READERS[entity].many:
        READERS[entity].many(client, [ENTITY_ID] * MANY)
        assert_described(server, 2)


def test_every_part_of_a_contract_that_is_read_has_custom_fields_in_the_document():
    contract = COMPONENTS["schemas"]["ContractV2"]["properties"]
    for place in reading.PARTS.values():
        part = resolve(resolve(contract[place])["items"])
        assert "custom_fields" in part["properties"], place


def test_asking_for_keys_and_adding_them_is_what_the_document_describes(server, client):
    keys.list_keys(client)
    keys.list_keys(client, "2")
    keys.add_key(client, "customer", "größe", unique=True)
    assert_described(server, 3)


@pytest.mark.parametrize("fault", [{"outage": True}, {"error_rate": 1}, {"rate_limit": 0.1}], ids=str)
@pytest.mark.parametrize(("method", "target"), sorted({(method, target) for method, target, *_ in ASKED}))
def test_faults_have_the_shape_of_errors(sandbox, fault, method, target):
    sandbox.post("/sandbox", json={"faults": fault})
    for _ in range(2):  # a rate limit lets the first one through
        answered = sandbox.open(target, method=method, headers=HEADERS, json={} if method == "POST" else None)
    assert answered.status_code >= 429
    assert answer_problems(method, target.partition("?")[0], answered.status_code, answered.json) == []


def test_the_sandbox_offers_what_the_document_describes_and_the_document_is_about_the_sandbox():
    offered = {(method, path.replace("<", "{").replace(">", "}")) for method, path, *_ in ROUTES}
    described = {(method.upper(), path) for path, one in DOCUMENT["paths"].items() for method in one}
    assert offered == described


@pytest.mark.parametrize(("method", "path", "schema"), [(method, path, schema) for method, path, schema, _ in ROUTES])
def test_the_sandbox_requires_what_the_document_requires(method, path, schema):
    operation, _ = find_operation(method, re.sub("<.*>", ENTITY_ID, path))
    if schema is None:
        assert "requestBody" not in operation
        return
    described = schema_of(operation["requestBody"])
    if "$ref" in described:
        described = COMPONENTS["schemas"][described["$ref"].rpartition("/")[2]]
    required = {name for name, field in schema().fields.items() if field.required}
    assert required == set(described.get("required", []))


def test_what_the_sandbox_accepts_is_not_more_than_the_document_allows(sandbox):
    """Bodies that the document refuses are refused."""
    for method, target, body in WRONG_REQUESTS:
        if method != "POST" or "?" in target or target not in DOCUMENT["paths"]:
            continue
        answered = sandbox.post(target, data=stdlib_json.dumps(body), headers=HEADERS)
        assert answered.status_code == 400, body
