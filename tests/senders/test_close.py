"""What is odd about Close: https://developer.close.com/api/resources/webhooks"""

import json
from typing import Any

import pytest

from bridge.errors import NotThisShapeError, NotVerifiedError, SignError
from bridge.model import Event, Request
from bridge.senders import SENDERS
from bridge.times import SECOND
from tests.senders.fixtures import micros, one, with_header
from tests.senders.vendors import openssl_mac

CLOSE = SENDERS["close"]
KEY = "058bfb6a3d8cfdc4da7c3be5901b16ae11da982b46a25fb2cd7016e97a140a1c"
SECONDS = 1795341600
NOW = SECONDS * SECOND
EVENT = {
    "id": "ev_1",
    "object_type": "lead",
    "action": "updated",
    "date_created": "2026-11-22T09:59:58.123000",
    "date_updated": "2026-11-22T09:59:58.123000",
}


def read(**changed: Any) -> Event:
    body = json.dumps({"event": {**EVENT, **changed}, "subscription_id": "whsub_1"}).encode()
    [event] = CLOSE.read(Request("POST", "/", {}, body), NOW)
    return event


def test_the_key_is_decoded_from_hex():
    fixture = one("close", "lead_updated")
    as_text = openssl_mac(str(SECONDS).encode() + fixture.request.body, KEY.encode()).hex()
    with pytest.raises(NotVerifiedError, match="no signature matches"):
        fixture.unwrap(request=with_header(fixture.request, "close-sig-hash", as_text))
    assert fixture.unwrap(secrets=[KEY.upper()])


@pytest.mark.parametrize("secret", ["", " ", "whsec_abc", KEY[:-1], f"0x{KEY}", "a key"])
def test_a_key_that_is_no_hex_is_told_verifies_nothing_and_signs_nothing(secret):
    assert "is not hexadecimal" in CLOSE.check_secret(secret)
    with pytest.raises(NotVerifiedError):
        one("close", "lead_updated").unwrap(secrets=[secret])
    with pytest.raises(SignError, match="not hexadecimal"):
        CLOSE.sign(Request("POST", "/", {}, b"{}"), secret, NOW)


def test_what_we_sign_openssl_signs_alike():
    signed = CLOSE.sign(Request("POST", "/", {}, b"{}"), KEY, NOW + 999_999)
    assert signed.headers == {
        "close-sig-timestamp": str(SECONDS),
        "close-sig-hash": openssl_mac(f"{SECONDS}{{}}".encode(), bytes.fromhex(KEY)).hex(),
    }


def test_a_time_without_a_zone_is_utc():
    assert read().occurred_at == micros("2026-11-22T09:59:58.123Z")
    assert read(date_updated="2026-11-22T10:59:58+01:00").occurred_at == micros("2026-11-22T09:59:58Z")


def test_an_event_that_took_in_a_later_change_is_news_of_that_time():
    first, later = read(), read(date_updated="2026-11-22T10:03:07.456000")
    assert first.event_id != later.event_id
    assert later.occurred_at == micros("2026-11-22T10:03:07.456Z")


@pytest.mark.parametrize("updated", [None, EVENT["date_created"]])
def test_an_event_that_did_not_keeps_its_id(updated):
    assert read(date_updated=updated).event_id == "ev_1"


@pytest.mark.parametrize(
    ("changed_fields", "data", "expected"),
    [
        (["custom.cf_1"], {"name": "Acme"}, {"custom.cf_1": None, "name": "Acme"}),
        (["custom.cf_1"], {"custom.cf_1": "Gold"}, {"custom.cf_1": "Gold"}),
        (["name", "name"], {"name": None}, {"name": None}),
        ([], {"name": "Acme"}, {"name": "Acme"}),
        ([7, None, ["name"]], {"name": "Acme"}, {"name": "Acme"}),
        (None, {"name": "Acme"}, {"name": "Acme"}),
        ("name", {}, {}),
        (["name"], None, None),
        (["name"], [], []),
    ],
)
def test_what_changed_and_is_gone_is_null(changed_fields, data, expected):
    assert read(changed_fields=changed_fields, data=data).payload["event"]["data"] == expected


@pytest.mark.parametrize(
    ("field", "value"),
    [("id", None), ("id", ""), ("id", "x" * 256), ("object_type", 7.5), ("action", None), ("action", [])],
)
def test_an_event_without_a_name_is_refused(field, value):
    with pytest.raises(NotThisShapeError, match=rf"^event\.{field} "):
        read(**{field: value})


@pytest.mark.parametrize("value", [True, 1795341600, "", "yesterday", [], {}])
def test_a_date_that_is_none_is_refused(value):
    with pytest.raises(NotThisShapeError, match=r"^event\.date_updated "):
        read(date_updated=value)


@pytest.mark.parametrize("body", [b"{}", b'{"event":null}', b'{"event":[]}', b'{"event":"lead.updated"}'])
def test_a_body_without_an_event_is_refused(body):
    with pytest.raises(NotThisShapeError, match=r"^event is "):
        CLOSE.read(Request("POST", "/", {}, body), NOW)
