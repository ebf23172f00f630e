"""The JSON Schema of mapping files agrees with what reads them: laxer where it must be, never stricter."""

import json
import re
from copy import deepcopy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator
from marshmallow import fields

from bridge.authoring import jsonschema
from bridge.mapping import documents
from bridge.mapping.compiler import compile_source
from bridge.mapping.kinds import keys_of
from bridge.senders import SENDERS
from tests.conftest import ROOT
from tests.mapping.making import QUICK, SECRETS, SHIPPED, json_values

ENVIRON = {**SECRETS, "BITS": "256", "ORGANIZATION": "00D000000000002"}
VALIDATOR = Draft7Validator(jsonschema.schema())

RULE = {"name": "profile", "entity": "customer", "id": "data.id", "fields": {"tier": "data.tier"}}
EXAMPLE = {"name": "gold", "event": {"id": "evt_1"}, "expect": []}
GOOD = {"sender": "stripe", "secrets": ["${SECRET}"], "rules": [RULE], "examples": [EXAMPLE]}
HMAC = {**GOOD, "sender": "hmac", "options": {"header": "X-Signature"}}
#: What a recipe goes into that is given without a head.
HEAD = 'sender: stripe\nsecrets: ["${SECRET}"]\n'
DOCS = [
    HEAD + block if block.startswith("rules:") else block
    for page in sorted(ROOT.glob("docs/**/*.md"))
    for block in re.findall(r"```yaml\n(.*?)```", page.read_text(), re.DOTALL)
]


def mistakes(data):
    return [error.message for error in VALIDATOR.iter_errors(data)]


def is_read(data):
    made, _ = compile_source("test", "test.yaml", json.dumps(data), ENVIRON.get)
    return made is not None


def data_of(text):
    document, _ = documents.parse(text, "test.yaml")
    return document.data


def changed(data, path, value):
    """A copy in which `path` has another value, or nothing if that is ..."""
    data = deepcopy(data)
    *before, last = path
    inner = data
    for step in before:
        inner = inner[step]
    if value is ...:
        del inner[last]
    else:
        inner[last] = value
    return data


def test_it_is_a_json_schema():
    Draft7Validator.check_schema(jsonschema.schema())
    assert json.loads(jsonschema.text()) == jsonschema.schema()


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_mappings_are_valid_and_name_it(name):
    assert mistakes(data_of(SHIPPED[name])) == []
    assert SHIPPED[name].startswith("# yaml-language-server: $schema=mapping.schema.json\n")


@pytest.mark.parametrize("text", DOCS, ids=range(len(DOCS)))
def test_mappings_in_the_docs_are_valid(text):
    assert mistakes(data_of(text)) == []


FIELD = ("rules", 0, "fields", "tier")
RIGHT = [
    (GOOD, ("rules", 0, "events"), ["*", "customer.*", "customer.created"]),
    (GOOD, ("rules", 0, "events"), []),
    (GOOD, ("rules", 0, "partial"), True),
    (GOOD, FIELD, {"path": "data.tier", "default": 0, "when_null": "skip", "too_long": "truncate"}),
    (GOOD, FIELD, {"value": False}),
    (GOOD, FIELD, {"value": 1.5}),
    (GOOD, FIELD, {"value": "x" * 200}),
    (GOOD, ("rules", 0, "fields"), {"k" * 100: "data.tier"}),
    (GOOD, ("options",), {}),
    (GOOD, ("on_unverified",), "capture"),
    (GOOD, ("on_unverified",), {"hours": 1, "acknowledge": True}),
    (GOOD, ("on_unverified",), {}),
    (GOOD, ("examples", 0, "event"), [1, None]),
    (GOOD, ("examples", 0, "headers"), {"X-Type": "a"}),
    (GOOD, ("examples", 0, "expect"), [{"lookup": {"ingest_alias": "a"}, "set": {"a": 1, "b": True}, "remove": ["c"]}]),
    (changed(GOOD, ("examples", 0, "event"), ...), ("examples", 0, "file"), "events/gold.json"),
    (HMAC, ("options", "algorithm"), "sha512"),
    (HMAC, ("options", "algorithm"), "sha${BITS}"),
    (HMAC, ("options", "event_time"), ""),
    (
        changed(GOOD, ("sender",), "salesforce"),
        ("options",),
        {"organization_ids": ["00D000000000001", "${ORGANIZATION}"]},
    ),
    (changed(GOOD, ("secrets",), ...) | {"sender": "none"}, ("options",), {"i_understand_anyone_can_post": True}),
]


@pytest.mark.parametrize(("data", "path", "value"), RIGHT, ids=range(len(RIGHT)))
def test_what_is_right_is_valid(data, path, value):
    data = changed(data, path, value)
    assert is_read(data)
    assert mistakes(data) == []


WRONG = [
    (GOOD, ("sender",), ...),
    (GOOD, ("sender",), "strpe"),
    (GOOD, ("secrets",), ...),
    (GOOD, ("secrets",), []),
    (GOOD, ("secrets",), "${SECRET}"),
    (GOOD, ("secrets",), [""]),
    (GOOD, ("sendr",), "stripe"),
    (GOOD, ("description",), 5),
    (GOOD, ("description",), None),
    (GOOD, ("options",), {"header": "X-Signature"}),
    (GOOD, ("options",), None),
    (GOOD, ("on_unverified",), "keep"),
    (GOOD, ("on_unverified",), {"hours": 169}),
    (GOOD, ("on_unverified",), {"hours": 0.5}),
    (GOOD, ("on_unverified",), {"acknowledge": "yes"}),
    (GOOD, ("on_unverified",), {"days": 1}),
    (HMAC, ("options",), ...),
    (HMAC, ("options",), {}),
    (HMAC, ("options", "encodng"), "hex"),
    (HMAC, ("options", "algorithm"), "md5"),
    (HMAC, ("options", "separator"), ""),
    (HMAC, ("options", "header"), 5),
    (changed(HMAC, ("sender",), "salesforce"), ("options",), {"organization_ids": ["00D"]}),
    (changed(HMAC, ("sender",), "none"), ("options",), {"i_understand_anyone_can_post": True}),
    (changed(HMAC, ("secrets",), ...) | {"sender": "none"}, ("options",), {"i_understand_anyone_can_post": False}),
    (changed(HMAC, ("secrets",), ...) | {"sender": "none"}, ("options",), {"i_understand_anyone_can_post": 1}),
    (changed(HMAC, ("secrets",), ...) | {"sender": "none"}, ("options",), {}),
    (GOOD, ("rules",), ...),
    (GOOD, ("rules",), []),
    (GOOD, ("rules",), {}),
    (GOOD, ("rules", 0), "profile"),
    (GOOD, ("rules", 0, "name"), ...),
    (GOOD, ("rules", 0, "name"), "n" * 201),
    (GOOD, ("rules", 0, "events"), "customer.*"),
    (GOOD, ("rules", 0, "events"), ["*.created"]),
    (GOOD, ("rules", 0, "when"), True),
    (GOOD, ("rules", 0, "when"), ""),
    (GOOD, ("rules", 0, "entity"), "custmer"),
    (GOOD, ("rules", 0, "entity"), ...),
    (GOOD, ("rules", 0, "id"), ...),
    (GOOD, ("rules", 0, "lookup"), {"ingest_alias": "data.id"}),
    (changed(GOOD, ("rules", 0, "id"), ...), ("rules", 0, "lookup"), {}),
    (changed(GOOD, ("rules", 0, "id"), ...), ("rules", 0, "lookup"), {"alias": "data.id"}),
    (
        changed(GOOD, ("rules", 0, "id"), ...),
        ("rules", 0, "lookup"),
        {"ingest_alias": "data.id", "salesforce_account_id": "data.id"},
    ),
    (
        changed(changed(GOOD, ("rules", 0, "id"), ...), ("rules", 0, "entity"), "contract"),
        ("rules", 0, "lookup"),
        {"ingest_alias": "data.id"},
    ),
    (GOOD, ("rules", 0, "partial"), "true"),
    (GOOD, ("rules", 0, "fields"), ...),
    (GOOD, ("rules", 0, "fields"), {}),
    (GOOD, ("rules", 0, "fields"), {"": "data.tier"}),
    (GOOD, ("rules", 0, "fields"), {"k" * 101: "data.tier"}),
    (GOOD, FIELD, 5),
    (GOOD, FIELD, {}),
    (GOOD, FIELD, {"default": "free"}),
    (GOOD, FIELD, {"path": "data.tier", "value": "gold"}),
    (GOOD, FIELD, {"value": "gold", "too_long": "truncate"}),
    (GOOD, FIELD, {"value": "x" * 201}),
    (GOOD, FIELD, {"value": ""}),
    (GOOD, FIELD, {"path": "data.tier", "when_null": "default"}),
    (GOOD, FIELD, {"path": "data.tier", "when_missing": "ignore"}),
    (GOOD, FIELD, {"path": "data.tier", "too_long": "cut"}),
    (GOOD, ("examples", 0, "event"), ...),
    (GOOD, ("examples", 0, "file"), "gold.json"),
    (changed(GOOD, ("examples", 0, "event"), ...), ("examples", 0, "file"), "/gold.json"),
    (changed(GOOD, ("examples", 0, "event"), ...), ("examples", 0, "file"), ""),
    (GOOD, ("examples", 0, "event"), None),
    (GOOD, ("examples", 0, "expect"), ...),
    (GOOD, ("examples", 0, "expect"), {"set": {}}),
    (GOOD, ("examples", 0, "expect"), [{"entity": "custmer"}]),
    (GOOD, ("examples", 0, "expect"), [{"lookup": {}}]),
    (GOOD, ("examples", 0, "expect"), [{"set": {"tier": None}}]),
    (GOOD, ("examples", 0, "expect"), [{"remove": "tier"}]),
    (GOOD, ("examples", 0, "headers"), {"X-Type": 5}),
]


@pytest.mark.parametrize(("data", "path", "value"), WRONG, ids=range(len(WRONG)))
def test_what_is_wrong_is_refused_by_both(data, path, value):
    data = changed(data, path, value)
    assert not is_read(data)
    assert mistakes(data)


@pytest.mark.parametrize("data", [None, [], "stripe", 5], ids=str)
def test_what_is_no_block_is_refused(data):
    assert mistakes(data)


def described(schema):
    """Every key of blocks with known keys, with its own schema."""
    if isinstance(schema, list):
        for inner in schema:
            yield from described(inner)
    if isinstance(schema, dict):
        if schema.get("additionalProperties") is False:
            yield from schema["properties"].items()
        for inner in schema.values():
            yield from described(inner)


def test_every_key_is_described():
    lookups = jsonschema.keys(jsonschema.TEXT, jsonschema.LOOKUPS)["properties"]
    assert [
        key for key, inner in described(jsonschema.schema()) if "description" not in inner and key not in lookups
    ] == []


@pytest.mark.parametrize("name", [name for name, sender in SENDERS.items() if sender.options])
def test_every_option_of_a_sender_is_offered(name):
    branches = [one for one in jsonschema.schema()["allOf"] if one["if"]["properties"]["sender"]["enum"] == [name]]
    options = branches[0]["then"]["properties"]["options"]
    assert options["properties"].keys() == keys_of(SENDERS[name].options()).keys()


def test_a_kind_of_field_without_a_shape_is_a_mistake():
    with pytest.raises(TypeError, match="Date has no shape"):
        jsonschema.shape(fields.Date())


def places(data, path=()):
    """Where a value can be changed, or one be put beside it."""
    steps = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for step, inner in steps:
        yield (*path, step)
        yield from places(inner, (*path, step))


FILES = {name: data_of(text) for name, text in SHIPPED.items()}
#: Key -> what stands behind it somewhere in the shipped mappings.
USUAL = {}
for one in [*FILES.values(), GOOD, HMAC]:
    for path in places(one):
        value = one
        for step in path:
            value = value[step]
        USUAL.setdefault(path[-1], []).append(value)
ODD = json_values() | st.sampled_from(["${SECRET}", "sha${BITS}", "data.id", "capture", "remove", 0, 1, True, {}, []])


@pytest.mark.parametrize("name", FILES)
@given(data=st.data())
@settings(QUICK, max_examples=20)
def test_what_marshmallow_accepts_is_valid_however_a_file_is_changed(name, data):
    made = FILES[name]
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(sorted(places(made), key=str)))
        key = data.draw(st.just(path[-1]) | st.sampled_from(sorted(USUAL, key=str)))
        if isinstance(path[-1], str) and isinstance(key, str):
            path = (*path[:-1], key)
        usual = st.sampled_from(USUAL.get(path[-1], [None]))
        made = changed(made, path, data.draw(usual | ODD))
    if is_read(made):
        assert mistakes(made) == []


def test_event_types_of_the_sender_are_offered_and_others_accepted():
    branches = [one["then"] for one in VALIDATOR.schema["allOf"] if one["if"] == jsonschema.says("sender", ["stripe"])]
    (offered,) = [one["properties"]["rules"]["items"]["properties"]["events"]["items"]["anyOf"][0] for one in branches]
    assert {"customer.updated", "customer.subscription.deleted"} <= set(offered["enum"])
    assert mistakes(changed(GOOD, ("rules", 0, "events"), ["customer.updated", "customer.*", "customer.frozen"])) == []
