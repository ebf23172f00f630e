"""The calls that an event would lead to are those that a delivery makes, and all of it can be written as JSON."""

import json

import pytest

from bridge.mapping import examples
from bridge.metronome.client import DELETE_VALUES, SET_VALUES
from bridge.model import UNREADABLE, Request, StoredEvent
from bridge.pipeline import preview
from tests.mapping.making import NOW, OTHER_UUID, SHIPPED, UUID, lint, source_of_rules

RULES = """\
- {name: first, entity: customer, id: id, fields: {tier: tier, plan: plan}}
- {name: second, entity: customer, id: id, fields: {plan: {value: pro}, seats: seats}}
- {name: other, entity: customer, lookup: {ingest_alias: alias}, fields: {tier: tier}}
- {name: contract, entity: contract, id: contract, fields: {tier: tier}}
"""


def stored(payload, at=NOW, received_at=NOW + 5, **given):
    return StoredEvent(7, "stripe", "evt_1", given.pop("event_type", "x.y"), at, received_at, payload, **given)


PAYLOAD = {"id": UUID, "contract": OTHER_UUID, "alias": "cus_1", "tier": "gold", "plan": "free", "seats": None}


def test_all_changes_of_an_entity_become_one_call_each_to_set_and_to_remove():
    made = preview.of_stored(source_of_rules(RULES), stored(PAYLOAD))
    assert [(call.path, dict(call.body)) for call in made.calls] == [
        (
            SET_VALUES,
            {"entity": "customer", "entity_id": UUID, "custom_fields": {"tier": "gold", "plan": "pro"}},
        ),
        (DELETE_VALUES, {"entity": "customer", "entity_id": UUID, "keys": ["seats"]}),
        (
            SET_VALUES,
            {"entity": "customer", "entity_id": "<found by ingest_alias cus_1>", "custom_fields": {"tier": "gold"}},
        ),
        (SET_VALUES, {"entity": "contract", "entity_id": OTHER_UUID, "custom_fields": {"tier": "gold"}}),
    ]
    assert not made.failed


def test_of_the_events_of_one_request_the_newest_wins():
    source, _ = lint(SHIPPED["hubspot"])
    event = {
        "subscriptionId": 1,
        "portalId": 2,
        "subscriptionType": "company.propertyChange",
        "objectId": 3,
        "propertyName": "tier",
    }
    newer = {**event, "eventId": 1, "occurredAt": NOW // 1000, "propertyValue": "Gold"}
    older = {**event, "eventId": 2, "occurredAt": NOW // 1000 - 5, "propertyValue": "Silver"}
    made = preview.of_request(source, Request("POST", "/", {}, json.dumps([newer, older]).encode()), NOW)
    assert [call.body["custom_fields"] for call in made.calls] == [{"tier": "gold"}]
    assert len(made.explanations) == 2


def test_a_stored_event_whose_sender_gave_no_time_is_known_as_such():
    assert not preview.of_stored(source_of_rules(RULES), stored(PAYLOAD, at=NOW, received_at=NOW)).explanations[0].dated
    assert preview.of_stored(source_of_rules(RULES), stored(PAYLOAD)).explanations[0].dated


def test_a_stored_event_that_could_not_be_read_fails_with_its_reason():
    made = preview.of_stored(source_of_rules(RULES), stored({}, event_type=UNREADABLE, reason="it has no id"))
    assert made.failed
    assert made.explanations[0].translation.failures == ("it has no id",)


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_example_can_be_written_as_json(name):
    source, _ = lint(SHIPPED[name])
    for example in source.examples:
        request = Request("POST", "/", example.headers, source.sender.compose(example.event))
        made = preview.of_request(source, request, NOW)
        told = json.loads(json.dumps(preview.as_json(made)))
        assert told["failed"] is made.failed
        assert len(told["events"]) == len(examples.read(source, request, NOW))
        assert bool(told["calls"]) == any(explanation.translation.changes for explanation in made.explanations)
