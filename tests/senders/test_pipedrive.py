"""Pipedrive: two versions, one shape.

https://pipedrive.readme.io/docs/webhooks-v2-migration-guide
"""

from typing import Any

import orjson
import pytest

from bridge.errors import NotThisShapeError, NotVerifiedError
from bridge.model import Request
from bridge.senders import SENDERS
from tests.senders.fixtures import load_all, one

PIPEDRIVE = SENDERS["pipedrive"]
KEY = "d4de1c1518b4531717c676029a45911c340390a6"


def read(body: Any) -> Any:
    [event] = PIPEDRIVE.read(Request("POST", "/in", {}, orjson.dumps(body)), 0)
    return event


def body_of(name: str) -> Any:
    return orjson.loads(one("pipedrive", name).request.body)


@pytest.mark.parametrize(
    ("new", "old"),
    [
        ("deal_created", "version_1_deal_added"),
        ("deal_changed", "version_1_deal_updated"),
        ("deal_deleted", "version_1_deal_deleted"),
    ],
)
def test_one_path_finds_the_same_in_both_versions(new, old):
    [two], [one_] = one("pipedrive", new).unwrap(), one("pipedrive", old).unwrap()
    assert two.event_type == one_.event_type
    for key in ("entity", "entity_id", "action"):
        assert two.payload["meta"][key] == one_.payload["meta"][key]
    for state in ("data", "previous"):
        if new != "deal_changed" or state == "data":
            assert same(two.payload[state]) == same(one_.payload[state])


def same(record: Any) -> Any:
    """What both versions have, but for the form of times."""
    return record and {key: value for key, value in record.items() if key not in ("user_id", "update_time")}


@pytest.mark.parametrize(
    ("field", "plain"),
    [
        (None, {KEY: None}),
        ("gold", {KEY: "gold"}),
        (7, {KEY: 7}),
        ({"type": "varchar", "value": "gold"}, {KEY: "gold"}),
        ({"type": "varchar", "value": None}, {KEY: None}),
        ({"type": "enum", "id": 37}, {KEY: "37"}),
        ({"type": "user", "id": 1234}, {KEY: "1234"}),
        ({"type": "set", "values": [{"id": 1}, {"id": 22}]}, {KEY: "1,22"}),
        ({"type": "set", "values": []}, {KEY: ""}),
        ({"type": "monetary", "value": 0.5, "currency": "EUR"}, {KEY: 0.5, f"{KEY}_currency": "EUR"}),
        (
            {"type": "daterange", "value": "2027-01-01", "until": "2027-12-31"},
            {KEY: "2027-01-01", f"{KEY}_until": "2027-12-31"},
        ),
        ({"type": "address", "value": "Wien, AT", "country": "AT"}, {KEY: "Wien, AT", f"{KEY}_country": "AT"}),
        ({"type": "of tomorrow"}, {KEY: {"type": "of tomorrow"}}),
        ({"type": "set", "values": "1"}, {KEY: {"type": "set", "values": "1"}}),
        ({"type": "set", "values": [None]}, {KEY: {"type": "set", "values": [None]}}),
        ({"type": "enum", "id": True}, {KEY: {"type": "enum", "id": True}}),
    ],
)
def test_a_custom_field_is_what_it_holds(field, plain):
    body = body_of("deal_changed")
    body["data"]["custom_fields"] = {KEY: field}
    assert read(body).payload["data"]["custom_fields"] == plain


def test_a_custom_field_that_did_not_come_is_missing_and_not_null():
    body = body_of("version_1_deal_updated")
    del body["current"][KEY]
    assert KEY not in read(body).payload["data"]["custom_fields"]


@pytest.mark.parametrize("name", ["deal_changed", "version_1_deal_updated"])
def test_an_attempt_more_is_the_same_event(name):
    first, again = one("pipedrive", name).unwrap(), one("pipedrive", f"{name}_third_attempt").unwrap()
    assert first[0].event_id == again[0].event_id


@pytest.mark.parametrize("place", ["webhook_id", "timestamp_micro", "id", "object", "action"])
def test_another_event_of_version_1_has_another_id(place):
    ours, other = body_of("version_1_deal_updated"), body_of("version_1_deal_updated")
    other["meta"][place] = {"object": "person", "action": "deleted"}.get(place, 1795341598123457)
    assert read(ours).event_id != read(other).event_id


@pytest.mark.parametrize(
    ("given", "action"), [("added", "create"), ("updated", "change"), ("merged", "change"), ("deleted", "delete")]
)
def test_actions_of_version_1_are_called_as_in_version_2(given, action):
    body = body_of("version_1_deal_updated")
    body["meta"]["action"] = given
    assert read(body).event_type == f"{action}.deal"


@pytest.mark.parametrize("meta", [None, [], "x", {}, {"entity": "deal"}, {"entity": [], "action": "change"}])
def test_what_is_no_event_is_refused(meta):
    with pytest.raises(NotThisShapeError, match="meta"):
        read({"meta": meta, "data": {}})


@pytest.mark.parametrize("value", [True, "1795341598123456", 1.5, -1, 10**18])
def test_version_1_must_tell_its_time(value):
    body = body_of("version_1_deal_updated")
    body["meta"]["timestamp_micro"] = value
    with pytest.raises(NotThisShapeError, match="timestamp_micro"):
        read(body)


def older(**changed: Any) -> Any:
    """As hooks send it that have no timestamp_micro."""
    body = body_of("version_1_deal_updated")
    del body["meta"]["timestamp_micro"]
    body["meta"] |= {"timestamp": 1795341598}
    body["current"] |= changed
    return body


def test_version_1_without_microseconds_tells_its_time_in_seconds():
    event = read(older())
    assert event.occurred_at == 1795341598_000_000
    assert event.payload["meta"]["timestamp"] == "2026-11-22T09:59:58.000000Z"


def test_two_changes_within_such_a_second_are_two_events_and_a_repeat_is_not():
    ids = [read(body).event_id for body in (older(title="A"), older(title="B"), older(title="A"))]
    assert ids[0] != ids[1]
    assert ids[0] == ids[2]


@pytest.mark.parametrize("value", [None, True, "1795341598", 1.5, -1, 10**18])
def test_version_1_without_any_time_is_refused(value):
    body = older()
    body["meta"]["timestamp"] = value
    with pytest.raises(NotThisShapeError, match=r"^meta\.timestamp is "):
        read(body)


def test_a_body_is_not_read_before_the_login_is_checked():
    with pytest.raises(NotVerifiedError):
        PIPEDRIVE.unwrap(Request("POST", "/in", {}, b"no JSON"), ["user:password"], 0)


def test_a_wrong_login_is_asked_for_another():
    assert PIPEDRIVE.challenge.startswith("Basic ")


@pytest.mark.parametrize("fixture", load_all("pipedrive"), ids=repr)
def test_no_event_is_later_than_its_arrival(fixture):
    assert all(event.occurred_at < fixture.arrival for event in fixture.unwrap())
