"""Zoho CRM: notifications of many records, and webhooks of workflows.

https://www.zoho.com/crm/developer/docs/api/v8/notifications/overview.html
"""

from dataclasses import replace
from typing import Any

import orjson
import pytest

from bridge.errors import NotThisShapeError, NotVerifiedError
from bridge.model import Request
from bridge.senders import SENDERS
from tests.senders.fixtures import load_all, one, with_header

ZOHO = SENDERS["zoho"]
WORKFLOW = SENDERS["zoho-workflow"]
CAPTURED = one("zoho", "account_updated")
FIRST = "3652397000000624046"


def read(**changes: Any) -> Any:
    body = {**orjson.loads(CAPTURED.request.body), **changes}
    return ZOHO.read(replace(CAPTURED.request, body=orjson.dumps(body)), 0)


@pytest.mark.parametrize("fixture", load_all("zoho"), ids=repr)
def test_neither_the_token_nor_the_query_of_the_url_is_kept(fixture):
    stored = orjson.dumps([event.payload for event in fixture.unwrap()]).decode()
    assert '"token"' not in stored
    assert fixture.secrets[0] not in stored
    assert "a-code-of-ours" in fixture.request.body.decode()
    assert "a-code-of-ours" not in stored


@pytest.mark.parametrize("token", [None, 5, True, [], {}, ["a-token-of-ours-4711"], "", "A-TOKEN-OF-OURS-4711"])
def test_a_token_must_be_the_very_text(token):
    body = {**orjson.loads(CAPTURED.request.body), "token": token}
    with pytest.raises(NotVerifiedError):
        CAPTURED.unwrap(request=replace(CAPTURED.request, body=orjson.dumps(body)))


@pytest.mark.parametrize(("length", "verdict"), [(50, None), (51, "has more than 50 characters")])
def test_a_token_that_zoho_would_not_take_is_objected_to(length, verdict):
    assert ZOHO.check_secret("x" * length) == verdict


@pytest.mark.parametrize(
    ("changes", "known"),
    [
        ({"affected_values": [], "affected_fields": []}, {}),
        ({"affected_values": None, "affected_fields": None}, {}),
        ({"affected_values": "x", "affected_fields": {}}, {}),
        ({"affected_values": [None, 7, {}], "affected_fields": [None]}, {}),
        ({"affected_values": [{"record_id": "1", "values": {"Tier": "x"}}], "affected_fields": [{"1": ["Tier"]}]}, {}),
        ({"affected_values": [], "affected_fields": [{FIRST: ["Tier"]}]}, {"fields": ["Tier"]}),
        ({"affected_values": [{"record_id": FIRST, "values": {}}], "affected_fields": []}, {"values": {}}),
    ],
)
def test_what_zoho_does_not_say_of_a_record_is_missing_and_not_null(changes, known):
    [event] = read(**changes)
    assert {key: value for key, value in event.payload.items() if key in ("values", "fields")} == known


@pytest.mark.parametrize("place", ["channel_id", "module", "operation", "server_time"])
def test_another_event_has_another_id(place):
    other = {"module": "Deals", "operation": "insert"}.get(place, 1795341598124)
    assert read(**{place: other})[0].event_id != read()[0].event_id


@pytest.mark.parametrize("ids", [None, "1", {}, 5])
def test_ids_must_be_a_list(ids):
    with pytest.raises(NotThisShapeError, match="ids"):
        read(ids=ids)


def test_a_notification_of_nothing_holds_no_event():
    assert read(ids=[]) == []


@pytest.mark.parametrize("value", [None, True, "1795341598123", 1.5, -1, 10**15])
def test_a_notification_without_its_time_is_kept_as_unreadable(value):
    [event] = read(server_time=value)
    assert event.event_type == "unreadable"
    assert "server_time" in event.problem


def workflow(body: bytes, content_type: str = "application/x-www-form-urlencoded") -> Any:
    [event] = WORKFLOW.bound({}).read(Request("POST", "/in", {"content-type": content_type}, body), 0)
    return event.payload


@pytest.mark.parametrize(
    ("body", "payload"),
    [
        (b"", {}),
        (b"a=1", {"a": "1"}),
        (b"a=", {"a": ""}),
        (b"a", {"a": ""}),
        (b"a=1&a=2", {"a": "2"}),
        (b"a=x+y%20z%2B", {"a": "x y z+"}),
        (b"a=S%C3%B6hne&b=%F0%9F%94%91", {"a": "Söhne", "b": "🔑"}),
        ("a=Söhne".encode(), {"a": "Söhne"}),
        (b"Account+Name=Acme", {"Account Name": "Acme"}),
    ],
)
def test_the_parameters_of_a_form_are_the_payload(body, payload):
    assert workflow(body) == payload


@pytest.mark.parametrize(
    "content_type", ["Application/X-WWW-Form-Urlencoded", "application/x-www-form-urlencoded; a=b"]
)
def test_a_form_is_known_by_its_type(content_type):
    assert workflow(b"a=1", content_type) == {"a": "1"}
    assert workflow(b'{"a": 1}', "text/plain") == {"a": 1}


def test_a_form_in_another_encoding_is_refused():
    with pytest.raises(NotThisShapeError):
        workflow(b"a=S\xf6hne")


def test_a_secret_in_the_form_itself_proves_nothing():
    fixture = one("zoho-workflow", "account_edited_as_a_form")
    request = with_header(
        replace(fixture.request, body=b"X-Bridge-Token=a-secret-of-ours-4711"), "X-Bridge-Token", None
    )
    with pytest.raises(NotVerifiedError):
        fixture.unwrap(request=request)
