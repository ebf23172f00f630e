"""What is odd about Zendesk: https://developer.zendesk.com/documentation/webhooks/verifying/"""

import base64
import json
from typing import Any

import pytest

from bridge.errors import NotThisShapeError, NotVerifiedError
from bridge.model import Event, Request
from bridge.senders import SENDERS
from bridge.times import SECOND
from tests.senders.fixtures import one, with_header
from tests.senders.vendors import openssl_base64

SECRET = "YSBzaWduaW5nIHNlY3JldCBvZiBhIHdlYmhvb2s="
NOW = 1795341600 * SECOND
EVENT = {
    "type": "zen:event-type:organization.custom_field_changed",
    "id": "64bd3dd7",
    "time": "2026-11-22T10:00:00Z",
    "event": {"current": "gold", "previous": None, "custom_field": {"id": "7", "title": "tier", "type": "text"}},
}


def read(body: Any, headers: dict[str, str] | None = None, **options: str) -> list[Event]:
    return SENDERS["zendesk"].bound(options).read(Request("POST", "/", headers or {}, json.dumps(body).encode()), NOW)


def changed(what: str, detail: Any) -> dict[str, Any]:
    [event] = read({**EVENT, "type": f"zen:event-type:{what}", "event": detail})
    return event.payload["changed"]


def test_the_secret_is_text_although_it_looks_like_base64():
    fixture = one("zendesk", "organization_tier_changed")
    decoded = base64.b64decode(SECRET).decode()
    with pytest.raises(NotVerifiedError):
        fixture.unwrap(secrets=[decoded])


def test_the_secret_that_zendesk_publishes_is_not_to_be_configured():
    published = "dGhpc19zZWNyZXRfaXNfZm9yX3Rlc3Rpbmdfb25seQ=="
    assert "publishes for tests" in SENDERS["zendesk"].bound({}).check_secret(published)


def test_the_time_is_signed_as_it_is_written():
    fixture = one("zendesk", "timestamp_with_an_offset")
    same_moment = with_header(fixture.request, "X-Zendesk-Webhook-Signature-Timestamp", "2026-11-22T10:00:00Z")
    with pytest.raises(NotVerifiedError, match="no signature matches"):
        fixture.unwrap(request=same_moment)


@pytest.mark.parametrize("value", ["yesterday", "1795341600", "2026-11-22T25:00:00Z"])
def test_a_time_that_is_none_is_refused_by_the_name_of_its_header(value):
    fixture = one("zendesk", "organization_tier_changed")
    wrong = with_header(fixture.request, "X-Zendesk-Webhook-Signature-Timestamp", value)
    with pytest.raises(NotVerifiedError, match="X-Zendesk-Webhook-Signature-Timestamp is not of the form iso"):
        fixture.unwrap(request=wrong)


def test_what_we_sign_openssl_signs_alike():
    fixture = one("zendesk", "organization_tier_changed")
    signed = fixture.sender.sign(fixture.request, SECRET, NOW + 999_999)
    assert signed.header("X-Zendesk-Webhook-Signature-Timestamp") == "2026-11-22T10:00:00Z"
    assert signed.headers == fixture.request.headers
    expected = openssl_base64(b"2026-11-22T10:00:00Z" + fixture.request.body, SECRET)
    assert signed.header("X-Zendesk-Webhook-Signature") == expected


@pytest.mark.parametrize(
    ("what", "detail", "expected"),
    [
        ("organization.name_changed", {"current": "Acme", "previous": "Ac"}, {"name": "Acme"}),
        ("organization.external_id_changed", {"current": None, "previous": "1"}, {"external_id": None}),
        ("user.active_changed", {"current": False, "previous": True}, {"active": False}),
        (
            "user.custom_field_changed",
            {"current": 25, "custom_field": {"id": 7, "title": "Seats"}},
            {"Seats": 25, "7": 25},
        ),
        ("user.custom_field_changed", {"current": "a", "custom_field": {"id": "7"}}, {"7": "a"}),
        ("organization.tags_changed", {"added": {"tags": ["vip"]}, "removed": {"tags": []}}, {}),
        ("organization.created", {}, {}),
        ("organization.deleted", {"current": "Acme"}, {}),
        ("organization.name_changed", {"previous": "Acme"}, {}),
        ("organization.name_changed", None, {}),
        ("organization.name_changed", [], {}),
    ],
)
def test_what_changed_is_found_under_its_name(what, detail, expected):
    assert changed(what, detail) == expected


def test_the_id_of_an_event_is_its_own_and_that_of_a_trigger_the_invocation():
    """Several webhooks that subscribe to one event are invoked separately."""
    headers = {"x-zendesk-webhook-invocation-id": "01FX"}
    assert [event.event_id for event in read(EVENT, headers)] == ["64bd3dd7"]
    assert [event.event_id for event in read({"tier": "gold"}, headers)] == ["01FX"]


def test_a_trigger_may_send_an_id_of_its_own_or_a_list():
    headers = {"x-zendesk-webhook-invocation-id": "01FX"}
    assert [event.event_id for event in read({"audit": "a-1"}, headers, event_id="audit")] == ["a-1"]
    assert [event.event_id for event in read([{"tier": "gold"}, {"tier": "silver"}], headers)] == ["01FX:0", "01FX:1"]


@pytest.mark.parametrize("value", [None, True, 1795341600, "yesterday", [], {}])
def test_a_time_of_an_event_that_is_none_is_refused(value):
    with pytest.raises(NotThisShapeError, match=r"^time is "):
        read({**EVENT, "time": value})
