"""What HubSpot's bodies mean: single properties in batches, and whole objects from workflows."""

import json
import re
from typing import Any

import orjson
import pytest

from bridge.errors import NotThisShapeError
from bridge.model import Event, Request
from bridge.senders import SENDERS
from bridge.times import MILLISECOND, SECOND

HUBSPOT = SENDERS["hubspot"]
MILLISECONDS = 1795341600000
NOW = MILLISECONDS * MILLISECOND
CHANGE = {
    "eventId": 3181526859,
    "subscriptionId": 2881778,
    "portalId": 62515,
    "appId": 1160452,
    "occurredAt": MILLISECONDS,
    "subscriptionType": "contact.propertyChange",
    "attemptNumber": 0,
    "objectId": 201,
    "propertyName": "tier",
    "propertyValue": "Gold",
}
ASSOCIATION = {
    "eventId": 3181526860,
    "subscriptionId": 2881779,
    "portalId": 62515,
    "occurredAt": MILLISECONDS,
    "subscriptionType": "contact.associationChange",
    "associationType": "CONTACT_TO_COMPANY",
    "fromObjectId": 201,
    "toObjectId": 301,
    "associationRemoved": False,
    "isPrimaryAssociation": False,
}


def read(body: Any, now: int = NOW) -> list[Event]:
    return HUBSPOT.read(Request("POST", "/", {}, json.dumps(body).encode()), now)


def event(body: Any, now: int = NOW) -> Event:
    [found] = read(body, now)
    return found


@pytest.mark.parametrize("body", [[], [CHANGE], [CHANGE] * 100])
def test_a_batch_has_as_many_events_as_elements(body):
    assert len(read(body)) == len(body)


def test_one_event_need_not_be_in_a_list():
    assert event(CHANGE) == event([CHANGE])


@pytest.mark.parametrize("value", ["Gold", "", None, "12.50", "1803686400000", "REDACTED", "true"])
def test_a_changed_property_is_found_where_a_workflow_has_it(value):
    assert event([{**CHANGE, "propertyValue": value}]).payload["properties"] == {"tier": value}


def test_the_element_itself_is_kept():
    payload = event([{**CHANGE, "isSensitive": True}]).payload
    assert {**payload, "properties": None} == {**CHANGE, "isSensitive": True, "properties": None}


@pytest.mark.parametrize(
    "element",
    [
        {**CHANGE, "propertyName": None, "subscriptionType": "contact.creation"},
        {key: value for key, value in CHANGE.items() if not key.startswith("property")},
        ASSOCIATION,
        {**ASSOCIATION, "subscriptionType": "contact.merge", "objectId": 201},
    ],
)
def test_what_is_not_about_a_property_has_none(element):
    named = {key: value for key, value in element.items() if value is not None}
    assert event([named]).payload["properties"] == {}


@pytest.mark.parametrize("name", ["subscriptionType", "eventType"])
def test_the_type_has_two_names(name):
    element = {key: value for key, value in CHANGE.items() if key != "subscriptionType"}
    assert event([{**element, name: "object.propertyChange"}]).event_type == "object.propertyChange"


@pytest.mark.parametrize("changed", [{"attemptNumber": 9}, {"changeSource": "API"}, {"appId": 7}])
def test_another_attempt_is_the_same_event(changed):
    assert event([{**CHANGE, **changed}]).event_id == event([CHANGE]).event_id


@pytest.mark.parametrize(
    "changed",
    [
        {"eventId": 1},
        {"portalId": 1},
        {"subscriptionId": 1},
        {"objectId": 1},
        {"occurredAt": MILLISECONDS + 1},
        {"propertyName": "segment"},
    ],
)
def test_what_differs_in_more_than_the_attempt_is_another_event(changed):
    """HubSpot's eventId is not unique: see its guide to the Webhooks API."""
    assert event([{**CHANGE, **changed}]).event_id != event([CHANGE]).event_id


@pytest.mark.parametrize(
    "changed",
    [{"fromObjectId": 1}, {"toObjectId": 1}, {"associationType": "COMPANY_TO_CONTACT"}, {"associationRemoved": True}],
)
def test_each_association_is_an_event_of_its_own(changed):
    """A primary association comes as two messages, and no other field tells associations apart."""
    assert event([{**ASSOCIATION, **changed}]).event_id != event([ASSOCIATION]).event_id


MERGE = {
    **{key: value for key, value in CHANGE.items() if key not in ("objectId", "propertyName", "propertyValue")},
    "subscriptionType": "contact.merge",
    "primaryObjectId": 201,
    "mergedObjectIds": [202, 204],
    "newObjectId": 203,
    "numberOfPropertiesMoved": 7,
}
GENERIC = {
    **{key: value for key, value in ASSOCIATION.items() if key != "associationType"},
    "subscriptionType": "object.associationChange",
    "associationTypeId": 5,
    "associationCategory": "HUBSPOT_DEFINED",
    "fromObjectTypeId": "0-3",
    "toObjectTypeId": "0-2",
}
NAMELESS = {key: value for key, value in CHANGE.items() if key != "eventId"}


@pytest.mark.parametrize(
    ("element", "changed"),
    [
        (MERGE, {"primaryObjectId": 9}),
        (MERGE, {"mergedObjectIds": [202]}),
        (MERGE, {"newObjectId": 9}),
        *[(GENERIC, {key: 9}) for key in ("associationTypeId", "fromObjectId", "toObjectId")],
        *[(GENERIC, {key: "0-1"}) for key in ("fromObjectTypeId", "toObjectTypeId")],
        (GENERIC, {"associationCategory": "USER_DEFINED"}),
        (GENERIC, {"isPrimaryAssociation": True}),
        # Without an eventId all that it says tells it from others.
        ({**CHANGE, "eventId": None}, {"propertyValue": "Silver"}),
        (NAMELESS, {"propertyValue": "Silver"}),
        (NAMELESS, {"changeSource": "API"}),
    ],
)
def test_what_is_different_is_another_event_and_another_attempt_is_not(element, changed):
    assert event([{**element, **changed}]).event_id != event([element]).event_id
    assert event([{**element, "attemptNumber": 3}]).event_id == event([element]).event_id


TIER = {"tier": {"value": "Gold"}}


@pytest.mark.parametrize(
    ("body", "about"),
    [
        ([CHANGE], {"objectId": 201, "portalId": 62515}),
        ([MERGE], {"objectId": 201, "newObjectId": 203}),
        ([{**MERGE, "objectId": 7}], {"objectId": 7}),
        ([GENERIC], {"objectId": 201, "objectTypeId": "0-3"}),
        ({"vid": 201, "portal-id": 62515, "properties": TIER}, {"objectId": 201, "portalId": 62515}),
        ({"vid": 202, "canonical-vid": 201, "properties": TIER}, {"objectId": 201, "vid": 202}),
        ({"objectId": 301, "properties": TIER}, {"objectId": 301}),
    ],
)
def test_one_path_finds_the_object_that_an_event_is_about(body, about):
    payload = event(body).payload
    assert {key: payload[key] for key in about} == about


def test_one_event_of_the_api_is_known_without_a_subscription_id():
    alone = {key: value for key, value in CHANGE.items() if key != "subscriptionId"}
    assert event(alone).event_type == "contact.propertyChange"


BAD = [
    7,
    None,
    "text",
    [],
    {},
    {**CHANGE, "occurredAt": "yesterday"},
    {**CHANGE, "occurredAt": None},
    {**CHANGE, "occurredAt": True},
    {**CHANGE, "occurredAt": -1},
    {**CHANGE, "occurredAt": 10**18},
    {**CHANGE, "occurredAt": 1.5},
    {**CHANGE, "subscriptionType": None},
    {**CHANGE, "subscriptionType": 1.5},
    {**CHANGE, "objectId": {"id": 1}},
    {**CHANGE, "eventId": True},
    {**CHANGE, "propertyName": ["tier"]},
]


@pytest.mark.parametrize("bad", BAD)
def test_one_bad_element_keeps_the_others(bad):
    first, unreadable, last = read([CHANGE, bad, {**CHANGE, "objectId": 202}])
    assert (first.problem, last.problem) == (None, None)
    assert unreadable.event_type == "unreadable"
    assert unreadable.problem
    assert unreadable.payload == bad


def test_bad_elements_that_differ_are_different_events_and_a_repeat_is_not():
    events = read([*BAD, *BAD])
    assert len({one.event_id for one in events}) == len(BAD)


def test_a_deep_bad_element_keeps_the_others_or_refuses_the_batch():
    deep = b"[" * 500 + b"]" * 500
    body = b"[" + json.dumps(CHANGE).encode() + b"," + deep + b"]"
    try:
        events = HUBSPOT.read(Request("POST", "/", {}, body), NOW)
    except NotThisShapeError:
        return
    assert [orjson.dumps(found.payload) for found in events]


@pytest.mark.parametrize("body", [7, None, "text", True])
def test_a_body_that_is_neither_list_nor_object_is_refused(body):
    with pytest.raises(NotThisShapeError):
        read(body)


@pytest.mark.parametrize(
    ("body", "what"),
    [
        ({"vid": 201, "properties": {}}, "workflow.contact"),
        ({"objectTypeId": "0-1"}, "workflow.contact"),
        ({"objectTypeId": "0-2", "objectType": "COMPANY"}, "workflow.company"),
        ({"objectTypeId": "0-3"}, "workflow.deal"),
        ({"objectTypeId": "0-5"}, "workflow.ticket"),
        ({"objectTypeId": "2-4711", "objectType": "LICENCE"}, "workflow.licence"),
        ({"objectTypeId": "2-4711"}, "workflow.object"),
        ({"objectTypeId": ["0-2"], "objectType": 7}, "workflow.object"),
        ({"objectType": "not a\nname"}, "workflow.object"),
        ({}, "workflow.object"),
    ],
)
def test_a_workflow_says_what_kind_of_object_it_sends(body, what):
    assert event(body).event_type == what


@pytest.mark.parametrize(
    ("properties", "found"),
    [
        ({"tier": {"value": "Gold", "timestamp": MILLISECONDS}}, {"tier": "Gold"}),
        ({"tier": {"value": None, "timestamp": MILLISECONDS}}, {"tier": None}),
        ({"tier": "Gold", "segment": None}, {"tier": "Gold", "segment": None}),
        ({"tier": {"label": "Gold"}}, {"tier": {"label": "Gold"}}),
    ],
)
def test_the_value_of_a_property_is_found_by_its_name_alone(properties, found):
    payload = event({"objectId": 1, "properties": properties}).payload
    assert payload["properties"] == found
    assert payload["propertyDetails"] == properties
    assert payload["objectId"] == 1


@pytest.mark.parametrize("body", [{"properties": 7}, {"properties": ["tier"]}, {"properties": None}, {"tier": "Gold"}])
def test_a_customised_body_stays_as_it_is(body):
    assert event(body).payload == body


def test_an_object_is_as_new_as_its_newest_property():
    stamps = {"a": MILLISECONDS - 5, "b": MILLISECONDS - 2, "c": MILLISECONDS - 9}
    properties = {name: {"value": "x", "timestamp": stamp} for name, stamp in stamps.items()}
    assert event({"properties": {**properties, "d": {"value": "x"}, "e": "x"}}).occurred_at == NOW - 2 * MILLISECOND


def test_an_old_contact_is_as_new_as_its_newest_version():
    """Its properties have their times in `versions` only."""
    versions = [{"value": "Gold", "timestamp": MILLISECONDS - 3}, {"value": "Silver", "timestamp": MILLISECONDS - 8}]
    body = {"vid": 201, "properties": {"tier": {"value": "Gold", "versions": versions}}}
    assert event(body).occurred_at == NOW - 3 * MILLISECOND


@pytest.mark.parametrize("name", ["lastmodifieddate", "hs_lastmodifieddate"])
def test_an_object_whose_properties_have_no_times_is_as_new_as_hubspot_says(name):
    """As contacts come without history: {"lastmodifieddate": {"value": "1551971286841"}}."""
    body = {"vid": 201, "properties": {"tier": {"value": "Gold"}, name: {"value": str(MILLISECONDS - 1)}}}
    assert event(body).occurred_at == NOW - MILLISECOND
    body["properties"]["tier"]["timestamp"] = MILLISECONDS - 5
    assert event(body).occurred_at == NOW - 5 * MILLISECOND
    assert event({"vid": 201, "properties": {name: {"value": "yesterday"}}}).occurred_at is None


def test_gold_silver_gold_without_times_are_three_events():
    bodies = [{"objectId": 1, "tier": tier} for tier in ("gold", "silver", "gold")]
    assert len({event(body, NOW + second * SECOND).event_id for second, body in enumerate(bodies)}) == 3


def test_the_same_object_with_its_times_is_one_event_whenever_it_comes():
    body = {"objectId": 1, "properties": {"tier": {"value": "gold", "timestamp": MILLISECONDS}}}
    assert len({event(body, NOW + second * SECOND).event_id for second in range(3)}) == 1


def test_gold_silver_gold_with_times_are_three_events():
    tiers = enumerate(("gold", "silver", "gold"))
    bodies = [{"properties": {"tier": {"value": tier, "timestamp": MILLISECONDS + n}}} for n, tier in tiers]
    assert len({event(body).event_id for body in bodies}) == 3


def test_an_id_of_long_names_is_one_that_indexes_hold():
    long = {**CHANGE, "eventId": "\U0001f511" * 200, "propertyName": "\U0001f511" * 200}
    assert re.fullmatch("[0-9a-f]{32}", event([long]).event_id)
    assert event([long]).event_id == event([long]).event_id != event([{**long, "objectId": 202}]).event_id
