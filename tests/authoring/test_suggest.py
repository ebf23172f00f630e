"""Every path that is listed leads where it says; every draft lints, and its example passes."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.authoring.draft import draft
from bridge.authoring.material import material_of
from bridge.authoring.suggest import entries_of, kind_of, sender_of
from bridge.errors import BridgeError, SenderError
from bridge.mapping import examples
from bridge.mapping.compiler import compile_source
from bridge.mapping.expressions import compile_expression
from bridge.model import MAX_KEY_LENGTH, Request
from bridge.senders import SENDERS
from tests.mapping.making import NOW, OTHER_UUID, QUICK, UUID, json_values
from tests.senders.fixtures import load_everything

FIXTURES = load_everything()
#: Requests that hold no event that could be read, or nothing that could be a field.
BARREN = (SenderError, BridgeError)


def check_draft(material, chosen=()):
    made = draft(material, material.sender, "drafted", chosen, NOW)
    source, problems = compile_source("drafted", "drafted.yaml", made.text, lambda _: None)
    assert [str(problem) for problem in problems if problem.level == "error"] == [], made.text
    assert list(examples.run(source, NOW)) == [], made.text
    assert all(len(field.key) <= MAX_KEY_LENGTH for rule in source.rules for field in rule.fields)
    assert made.has_example == bool(source.examples)
    return made, source


@pytest.mark.parametrize("fixture", FIXTURES, ids=repr)
def test_a_draft_of_every_captured_request_passes_check(fixture):
    sender = SENDERS[fixture.sender.name]
    given_sender = fixture.sender if fixture.options and not sender.open else sender
    try:
        made, _ = check_draft(material_of(fixture.request, given_sender, NOW))
    except BARREN as error:
        barren = str(error)
    else:
        barren = None
        assert not any(secret and secret in made.text for secret in fixture.secrets)
    assert barren is None or "there is nothing" in barren or all(event.problem for event in fixture.unwrap())


@pytest.mark.parametrize("fixture", FIXTURES, ids=repr)
def test_a_sender_is_told_by_its_headers_or_not_at_all(fixture):
    told = sender_of(fixture.request)
    generic = fixture.sender.name in ("hmac", "token", "basic", "none")
    assert told == fixture.sender.name or told is None or generic


def test_most_senders_are_told_by_their_headers():
    told = {fixture.sender.name for fixture in FIXTURES if sender_of(fixture.request) == fixture.sender.name}
    assert len(told) >= 15


DEAL = {
    "event_id": "5f0c1e7a-0b1d-4f57-9a54-2f4f6f1f9a10",
    "event": "deal.updated",
    "occurred_at": "2026-11-22T09:59:58Z",
    "deal": {"id": 7, "name": "Renewal", "amount_cents": 120, "lost": None, "metronome_contract_id": OTHER_UUID},
    "company": {"id": "co_4", "name": "Acme", "note": "x" * 201, "metronome_customer_id": UUID},
    "items": [{"sku": "a", "metronome_subscription_id": OTHER_UUID}, {"sku": "b", "count": 2}],
    "tags": ["x", "y"],
}


def material(payload=None, sender="hmac"):
    body = json.dumps(DEAL if payload is None else payload).encode()
    return material_of(Request("POST", "/", {}, body), SENDERS[sender], NOW)


def test_one_event_becomes_a_rule_for_each_entity_that_it_names():
    _, source = check_draft(material())
    assert [(rule.entity, rule.locator.path.text, rule.for_each and rule.for_each.text) for rule in source.rules] == [
        ("contract", "deal.metronome_contract_id", None),
        ("customer", "company.metronome_customer_id", None),
        ("subscription", "item.metronome_subscription_id", "items"),
    ]
    assert [[(field.key, field.path.text) for field in rule.fields] for rule in source.rules] == [
        [
            ("deal_id", "deal.id"),
            ("deal_name", "deal.name"),
            ("amount_cents", "deal.amount_cents"),
            ("lost", "deal.lost"),
        ],
        [("company_id", "company.id"), ("company_name", "company.name"), ("note", "company.note")],
        [("sku", "item.sku"), ("count", "item.count")],
    ]
    assert source.rules[0].events == ("deal.updated",)
    assert source.examples[0].expect[2] == {
        "entity": "subscription",
        "id": OTHER_UUID,
        "set": {"sku": "a"},
    }


def test_a_draft_says_what_it_guesses():
    text = check_draft(material())[0].text
    assert 'secrets: ["${DRAFTED_WEBHOOK_SECRET}"]' in text
    assert "amount_cents: deal.amount_cents  # cents: divide(..., `100`)" in text
    assert "note: {path: company.note, too_long: truncate}" in text
    assert "  event_time: occurred_at" in text
    without = check_draft(material({"id": 1, "account": {"id": "co_4", "tier": "gold"}}))[0].text
    assert "# a guess: what finds the customer by an ingest alias" in without
    assert "lookup: {ingest_alias: account.id}" in without


CHOSEN = [
    ("deal.name", "deal_name", "deal.name"),
    ("items[0].sku", "sku", "item.sku"),
    ("item.sku", "sku", "item.sku"),
    ("lower(company.name)", "company_name", "lower(company.name)"),
    ("upper(item.sku)", "sku", "upper(item.sku)"),
    ("divide(deal.amount_cents, `100`)", "amount_cents", "divide(deal.amount_cents, `100`)"),
    ("tags", "tags", "join(', ', tags)"),
    ("company", "company", "to_string(company)"),
]


@pytest.mark.parametrize(("path", "key", "written"), CHOSEN)
def test_a_chosen_path_or_expression_becomes_a_field(path, key, written):
    _, source = check_draft(material(), [path])
    assert [(field.key, field.path.text) for rule in source.rules for field in rule.fields] == [(key, written)]


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("deal.nam", "deal.nam finds nothing: deal has no 'nam': did you mean 'name'?"),
        ("deal..x", "not a JMESPath expression"),
        ("abs(deal.name)", "abs() cannot take text"),
    ],
)
def test_a_chosen_path_that_will_not_do_says_why(path, words):
    with pytest.raises(BridgeError) as refused:
        draft(material(), SENDERS["hmac"], "drafted", [path], NOW)
    assert words in str(refused.value)


@given(json_values("a", "b c", 'd"', "é", "0", "item", "\x1b"))
@QUICK
def test_every_listed_path_leads_to_its_value(payload):
    for entry in entries_of(payload):
        assert compile_expression(entry.path).evaluate(payload) == entry.value
        assert entry.path.isprintable()
        if entry.for_each:
            elements = compile_expression(entry.for_each).evaluate(payload)
            around = payload if isinstance(payload, dict) else {}
            reached = [compile_expression(entry.item).evaluate({**around, "item": element}) for element in elements]
            assert entry.value in reached


@given(
    st.dictionaries(st.text(max_size=6), json_values(), min_size=1, max_size=5) | json_values("id", "metronome_id", "x")
)
@QUICK
def test_a_draft_of_any_event_passes_check(payload):
    try:
        made = material(payload, "none")
        check_draft(made)
    except BARREN:
        pass


NOTES = [
    ({"x": UUID}, ("a UUID: an id of Metronome?",)),
    ({"at": "2026-11-22T10:00:00Z"}, ("a time: see date()",)),
    ({"at": "2026-11-22"}, ("a date",)),
    ({"at": 1795341600}, ("a time: see date()",)),
    ({"at": 1795341600123}, ("a time: see date()",)),
    ({"amount_cents": 500}, ("cents: divide(..., `100`)",)),
    ({"amount": 500}, ("cents? then divide(..., `100`)",)),
    ({"amount": 0}, ()),
    ({"quantity": 5}, ()),
    ({"phone": "1795341600"}, ()),
    ({"x": "y" * 201}, ("201 characters, and 200 fit: see too_long",)),
    ({"x": ["a"]}, ("a list: see join()",)),
    ({"x": None}, ()),
    ({"flag": True}, ()),
]


@pytest.mark.parametrize(("payload", "notes"), NOTES)
def test_a_value_is_noted_for_what_it_looks_like(payload, notes):
    assert entries_of(payload)[0].notes == notes


@pytest.mark.parametrize(
    ("value", "kind"),
    [("", "empty text"), ([], "empty list"), ({}, "empty object"), (None, "null"), ("a", "text"), ([1], "list")],
)
def test_empty_is_told_from_null(value, kind):
    assert kind_of(value) == kind


def test_elements_of_a_list_are_listed_once_and_each_key_where_it_is_first():
    paths = [entry.path for entry in entries_of({"a": [{"x": 1}, {"x": 2, "y": [{"z": 3}]}]})]
    assert paths == ["a", "a[0].x", "a[1].y", "a[1].y[0].z"]
    (*_, last) = entries_of({"a": [{"x": 1}, {"x": 2, "y": [{"z": 3}]}]})
    assert (last.for_each, last.item) == ("a[].y[]", "item.z")
