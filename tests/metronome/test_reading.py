"""What Metronome holds is read as its API gives it, whatever it leaves out."""

import pytest

from bridge.metronome import keys, reading
from bridge.metronome.reading import READERS, contracts, customer_ids, customers
from bridge.model import Verdict
from tests.metronome.server import answer, json

ONE = "00000000-0000-4000-8000-00000000000a"
TWO = "00000000-0000-4000-8000-00000000000b"


@pytest.fixture
def read(serve, connect):
    """What a function reads from one answer, and what it asked."""

    def run(function, answered, *given, **named):
        server = serve(answered)
        result = function(connect(server.url), *given, **named)
        (asked,) = server.seen
        return result, asked

    return run


def test_customers_are_asked_for_together_and_those_left_out_are_missing(read):
    page = json({"data": [{"id": ONE.upper(), "custom_fields": {"tier": "gold"}}], "next_page": None})
    (outcome, readings), asked = read(customers, page, [ONE, TWO])
    assert (outcome.verdict, readings) == (Verdict.ACCEPTED, {("customer", ONE): {"tier": "gold"}})
    assert asked.query == {"customer_ids": [ONE, TWO], "limit": ["100"]}


@pytest.mark.parametrize("entity", READERS)
@pytest.mark.parametrize(
    ("row", "values"),
    [
        ({"custom_fields": {"tier": "gold", "seats": "5"}}, {"tier": "gold", "seats": "5"}),
        ({"custom_fields": {}}, {}),
        ({"custom_fields": {"tier": None}}, {}),
        ({"custom_fields": None}, {}),
        ({}, {}),
    ],
)
def test_one_entity_is_read_with_or_without_values(read, entity, row, values):
    (outcome, found), asked = read(READERS[entity].one, json({"data": {"id": ONE, **row}}), ONE)
    assert (outcome.verdict, found) == (Verdict.ACCEPTED, values)
    assert ONE in asked.target + asked.body.decode()


@pytest.mark.parametrize("entity", READERS)
@pytest.mark.parametrize("body", [{}, {"data": None}, {"data": []}, {"data": {"custom_fields": {"tier": "gold"}}}])
def test_an_answer_of_another_shape_says_nothing_about_the_entity(read, entity, body):
    (outcome, found), _ = read(READERS[entity].one, json(body), ONE)
    assert (outcome.verdict, found) == (Verdict.UNAVAILABLE, {})


@pytest.mark.parametrize("entity", READERS)
def test_an_entity_that_does_not_exist_is_unknown(read, entity):
    (outcome, found), _ = read(READERS[entity].one, json({"message": "not found"}, 404), ONE)
    assert (outcome.verdict, found) == (Verdict.UNKNOWN, {})


def test_contracts_are_read_with_all_of_their_parts(read):
    parts = {place: [{"id": TWO, "custom_fields": {"of": place}}] for place in reading.PARTS.values()}
    body = {"data": [{"id": ONE, "custom_fields": {"of": "contract"}, **parts}, {"id": TWO, "subscriptions": None}]}
    (_, readings), asked = read(contracts, json(body), ONE)
    expected = {(entity, TWO): {"of": place} for entity, place in reading.PARTS.items()}
    assert readings == {("contract", ONE): {"of": "contract"}, ("contract", TWO): {}, **expected}
    assert asked.json == {"customer_id": ONE, "include_archived": True}


@pytest.mark.parametrize("answered", [json({"data": {}}), json({}), answer(500), json({"message": "no"}, 400)])
def test_contracts_of_another_shape_are_none(read, answered):
    (outcome, readings), _ = read(contracts, answered, ONE)
    assert (outcome.verdict is Verdict.ACCEPTED, readings) == (False, {})


@pytest.mark.parametrize("archived", [True, False])
def test_all_customers_are_walked_page_by_page(read, archived):
    page = json({"data": [{"id": ONE}, {"id": 7}, "x"], "next_page": "2"})
    (_, found), asked = read(customer_ids, page, "1", archived=archived)
    assert found == ([ONE], "2")
    assert asked.query == {"limit": ["100"], "only_archived": [str(archived).lower()], "next_page": ["1"]}


def test_keys_are_listed_page_by_page_and_what_is_none_is_passed_over(read):
    rows = [
        {"entity": "customer", "key": "tier", "enforce_uniqueness": True},
        {"entity": "contract", "key": "tier", "enforce_uniqueness": False},
        {"entity": "customer"},
        7,
    ]
    (_, found), asked = read(keys.list_keys, json({"data": rows, "next_page": "2"}), "1")
    assert found == ({("customer", "tier"): True, ("contract", "tier"): False}, "2")
    assert (asked.query, asked.json) == ({"next_page": ["1"]}, {})


@pytest.mark.parametrize("answered", [answer(503), json({"data": {}}), json({"message": "no"}, 403)])
def test_keys_that_cannot_be_listed_are_none(read, answered):
    (outcome, found), _ = read(keys.list_keys, answered)
    assert (outcome.verdict is Verdict.ACCEPTED, found) == (False, ({}, None))


def test_a_key_is_added_as_it_is_declared(read):
    (outcome, _), asked = read(keys.add_key, answer(), "customer", "größe", unique=True)
    assert outcome.verdict is Verdict.ACCEPTED
    assert asked.json == {"entity": "customer", "key": "größe", "enforce_uniqueness": True}
