"""The sandbox's custom fields: what it refuses, what it holds, and which keys it allows."""

from enum import Enum, auto

import pytest

from bridge.model import ENTITIES
from tests.metronome.sandbox import ONE, TWO, Sandbox

SET = "/v1/customFields/setValues"
DELETE = "/v1/customFields/deleteValues"
LIST_KEYS = "/v1/customFields/listKeys"
ADD_KEY = "/v1/customFields/addKey"
REMOVE_KEY = "/v1/customFields/removeKey"

GOOD = {
    SET: {"entity": "customer", "entity_id": ONE, "custom_fields": {"tier": "gold"}},
    DELETE: {"entity": "customer", "entity_id": ONE, "keys": ["kept"]},
    ADD_KEY: {"entity": "customer", "key": "tier", "enforce_uniqueness": False},
    REMOVE_KEY: {"entity": "customer", "key": "kept"},
    LIST_KEYS: {"entities": ["customer"]},
}


class Special(Enum):
    #: The property is left out.
    MISSING = auto()


MISSING = Special.MISSING

BAD_ENTITIES = [MISSING, None, "", 7, True, [], "plan", "Customer", "customer ", ["customer"]]
BAD_IDS = [
    *(MISSING, None, "", 7, [], "cus_1", f"{ONE} ", f"{ONE}\n", f"{{{ONE}}}", f"urn:uuid:{ONE}", ONE[:-1], f"{ONE}0"),
    *(ONE.replace("-", ""), ONE.replace("a", "g"), f"{ONE[:-1]}\u0660"),
]
BAD_KEYS = [MISSING, None, "", 7, [], "k" * 101]
BAD_FIELDS = [
    *(MISSING, None, "tier", 7, [], ["tier"], [{"tier": "gold"}], {"": "gold"}, {"k" * 101: "gold"}),
    *({"tier": bad} for bad in (None, 7, 7.5, True, False, [], ["gold"], {}, {"is": "gold"}, "x" * 201, "🎉" * 201)),
    # All or nothing.
    *({"tier": "gold", "seats": bad} for bad in (12, None, "x" * 201)),
]
BAD = [
    *((path, "entity", bad) for path in (SET, DELETE, ADD_KEY, REMOVE_KEY) for bad in BAD_ENTITIES),
    *((path, "entity_id", bad) for path in (SET, DELETE) for bad in BAD_IDS),
    *((path, "key", bad) for path in (ADD_KEY, REMOVE_KEY) for bad in BAD_KEYS),
    *((SET, "custom_fields", bad) for bad in BAD_FIELDS),
    *((DELETE, "keys", bad) for bad in (MISSING, None, "kept", 7, {}, {"kept": "x"}, [7], [None], [["kept"]])),
    *((ADD_KEY, "enforce_uniqueness", bad) for bad in (MISSING, None, "", "true", "yes", 0, 1, 1.0, [], {})),
    *((LIST_KEYS, "entities", bad) for bad in (None, "customer", 7, {}, ["plan"], [None], [7], ["customer", ""])),
]
BODIES = [b"[]", b"[{}]", b'"text"', b"7", b"null", b"true", b"{", b"{'a': 1}", b"entity=customer", b"\xff\xfe{\x00"]
BODIES += [b'{"entity": "\\ud800"}', b"{}}", b"[" * 10_000, b'{"entity": NaN}']


@pytest.fixture
def sandbox():
    made = Sandbox()
    made.add_key("kept")
    made.set({"kept": "yes"})
    return made


def state(sandbox):
    """Everything but the calls."""
    shown = sandbox.get("/sandbox")[1]
    return {name: shown[name] for name in ("values", "keys", "customers", "contracts", "faults")}


def assert_refused(sandbox, answered, before):
    status, body = answered
    assert status == 400
    assert set(body) == {"message"}
    assert body["message"]
    assert state(sandbox) == before
    assert sandbox.get("/sandbox")[1]["calls"][-1]["status"] == 400


@pytest.mark.parametrize(
    ("path", "name", "bad"), BAD, ids=[f"{path} {name} {str(bad)[:40]}" for path, name, bad in BAD]
)
def test_a_bad_property_is_refused_and_nothing_is_applied(sandbox, path, name, bad):
    before = state(sandbox)
    body = {key: value for key, value in {**GOOD[path], name: bad}.items() if value is not MISSING}
    assert_refused(sandbox, sandbox.post(path, body), before)


@pytest.mark.parametrize("path", GOOD)
@pytest.mark.parametrize("content", BODIES, ids=[repr(body)[:40] for body in BODIES])
def test_a_body_that_is_no_object_is_refused_and_nothing_is_applied(sandbox, path, content):
    before = state(sandbox)
    response = sandbox.call("POST", path, data=content, content_type="application/json")
    assert_refused(sandbox, (response.status_code, response.json), before)


@pytest.mark.parametrize("path", [SET, DELETE, ADD_KEY, REMOVE_KEY])
def test_no_body_is_refused(sandbox, path):
    assert sandbox.call("POST", path).status_code == 400


def test_a_message_names_what_is_wrong(sandbox):
    message = sandbox.post(SET, {**GOOD[SET], "custom_fields": {"seats": 12}})[1]["message"]
    assert "custom_fields" in message
    assert "seats" in message


@pytest.mark.parametrize("path", GOOD)
def test_what_the_api_does_not_describe_is_passed_over(sandbox, path):
    assert sandbox.post(path, {**GOOD[path], "note": {"any": ["thing"]}})[0] == 200


@pytest.mark.parametrize("path", GOOD)
def test_a_content_type_is_not_asked_for(sandbox, path):
    assert sandbox.call("POST", path, data=b"{", content_type="text/plain").status_code == 400
    assert sandbox.post(path, GOOD[path])[0] == 200


@pytest.mark.parametrize("entity", ENTITIES)
def test_every_entity_holds_values_of_its_own(sandbox, entity):
    assert sandbox.set({"tier": "gold"}, entity, TWO) == 200
    assert sandbox.held(entity, TWO) == {"tier": "gold"}
    assert [row["entity"] for row in state(sandbox)["values"] if row["entity_id"] == TWO] == [entity]


@pytest.mark.parametrize("value", ["", " ", "x" * 200, "🎉" * 200, "größe\n\x00", "null", "12"])
def test_any_short_text_is_a_value(sandbox, value):
    assert sandbox.set({"k" * 100: value}) == 200
    assert sandbox.held() == {"kept": "yes", "k" * 100: value}


def test_setting_overwrites_the_given_keys_and_keeps_the_others(sandbox):
    sandbox.set({"tier": "silver", "seats": "1"})
    sandbox.set({"tier": "gold", "plan": "free"})
    assert sandbox.held() == {"kept": "yes", "tier": "gold", "seats": "1", "plan": "free"}


def test_setting_nothing_changes_nothing(sandbox):
    assert sandbox.set({}) == 200
    assert sandbox.held() == {"kept": "yes"}


def test_success_has_no_useful_body(sandbox):
    assert sandbox.post(SET, GOOD[SET]) == (200, {})
    assert sandbox.post(DELETE, GOOD[DELETE]) == (200, {})


def test_a_uuid_is_the_same_in_either_case(sandbox):
    sandbox.set({"tier": "gold"}, entity_id=ONE.upper())
    sandbox.delete(["kept"], entity_id=ONE.upper())
    assert sandbox.held() == {"tier": "gold"}


@pytest.mark.parametrize(
    ("keys", "left"),
    [
        (["tier"], {"kept": "yes", "seats": "1"}),
        (["tier", "seats"], {"kept": "yes"}),
        (["tier", "tier"], {"kept": "yes", "seats": "1"}),
        (["never set"], {"kept": "yes", "tier": "gold", "seats": "1"}),
        ([], {"kept": "yes", "tier": "gold", "seats": "1"}),
    ],
)
def test_deleting_removes_the_given_keys_and_keeps_the_others(sandbox, keys, left):
    sandbox.set({"tier": "gold", "seats": "1"})
    assert sandbox.delete(keys) == 200
    assert sandbox.held() == left


def test_deleting_from_an_entity_without_values_is_no_error(sandbox):
    assert sandbox.delete(["tier"], entity_id=TWO) == 200
    assert sandbox.held(entity_id=TWO) == {}


def test_a_key_that_was_not_added_is_refused_if_keys_are_enforced(sandbox):
    sandbox.arrange(faults={"enforce_keys": True})
    assert sandbox.set({"kept": "still", "tier": "gold"}) == 400
    assert sandbox.held() == {"kept": "yes"}
    assert sandbox.add_key("tier", "charge") == 200
    assert sandbox.set({"kept": "still", "tier": "gold"}) == 400
    assert sandbox.add_key("tier") == 200
    assert sandbox.set({"kept": "still", "tier": "gold"}) == 200
    assert sandbox.held() == {"kept": "still", "tier": "gold"}


def test_a_refused_key_is_named(sandbox):
    sandbox.arrange(faults={"enforce_keys": True})
    assert "tier" in sandbox.post(SET, GOOD[SET])[1]["message"]


def test_a_key_is_added_once_for_each_entity(sandbox):
    assert [sandbox.add_key("tier"), sandbox.add_key("tier"), sandbox.add_key("tier", "charge")] == [200, 409, 200]


def test_a_key_is_removed_once(sandbox):
    assert [sandbox.remove_key("kept"), sandbox.remove_key("kept")] == [200, 404]
    sandbox.arrange(faults={"enforce_keys": True})
    assert sandbox.set({"kept": "still"}) == 400


def test_the_values_of_a_removed_key_are_no_longer_accessible(sandbox):
    """Metronome on removeKey: existing values "will no longer be accessible once the key is removed"."""
    sandbox.arrange(customers=[{"name": "Acme", "id": ONE}])
    sandbox.remove_key("kept")
    assert sandbox.get(f"/v1/customers/{ONE}")[1]["data"]["custom_fields"] == {}


def test_a_unique_value_has_one_holder(sandbox):
    sandbox.add_key("account", unique=True)
    assert sandbox.set({"account": "A"}) == 200
    assert sandbox.set({"account": "A"}) == 200
    assert sandbox.set({"account": "A", "tier": "gold"}, entity_id=TWO) == 409
    assert sandbox.held(entity_id=TWO) == {}
    sandbox.add_key("account", "contract", unique=True)
    assert sandbox.set({"account": "A"}, "contract", TWO) == 200
    assert sandbox.set({"account": "B"}, entity_id=TWO) == 200
    assert sandbox.set({"account": "B"}) == 409
    sandbox.delete(["account"])
    assert sandbox.set({"account": "A"}, entity_id=TWO) == 200
    assert sandbox.set({"kept": "yes"}, entity_id=TWO) == 200


KEYS = [("charge", "cost"), ("customer", "kept"), ("customer", "tier"), ("product", "tier")]


@pytest.mark.parametrize(
    ("body", "listed"),
    [
        ({}, KEYS),
        ({"entities": []}, KEYS),
        ({"entities": ["customer"]}, KEYS[1:3]),
        ({"entities": ["product", "charge", "charge"]}, [KEYS[0], KEYS[3]]),
        ({"entities": ["invoice"]}, []),
    ],
    ids=str,
)
def test_keys_are_listed_by_entity(sandbox, body, listed):
    for entity, key in set(KEYS) - {("customer", "kept")}:
        sandbox.add_key(key, entity, unique=key == "tier")
    rows = [{"entity": entity, "key": key, "enforce_uniqueness": key == "tier"} for entity, key in listed]
    assert sandbox.post(LIST_KEYS, body) == (200, {"data": rows, "next_page": None})


def test_keys_are_listed_without_a_body(sandbox):
    assert len(sandbox.call("POST", LIST_KEYS).json["data"]) == 1


@pytest.mark.parametrize("count", [99, 100, 101, 200, 250])
def test_keys_are_listed_page_by_page(sandbox, count):
    sandbox.remove_key("kept")
    for number in range(count):
        sandbox.world.add_key("customer", f"key {number:03}", unique=False)
    listed, pages, cursor = [], 0, None
    while pages == 0 or cursor:
        query = f"?next_page={cursor}" if cursor else ""
        page = sandbox.post(LIST_KEYS + query, {"entities": ["customer"]})[1]
        listed += [row["key"] for row in page["data"]]
        pages, cursor = pages + 1, page["next_page"]
    assert listed == [f"key {number:03}" for number in range(count)]
    assert pages == -(-count // 100)


@pytest.mark.parametrize("cursor", ["", "x", "-1", "1.5", "9" * 5000])
def test_a_cursor_that_was_not_given_out_is_refused(sandbox, cursor):
    assert sandbox.post(f"{LIST_KEYS}?next_page={cursor}", {})[0] == 400
