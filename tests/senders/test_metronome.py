"""What is odd about Metronome: https://docs.metronome.com/guides/platform-configuration/setup-webhooks"""

import json
from typing import Any

import pytest

from bridge.errors import NotThisShapeError, NotVerifiedError
from bridge.model import Event, Request
from bridge.senders import SENDERS
from bridge.times import SECOND
from tests.senders.fixtures import micros, one, with_header
from tests.senders.vendors import openssl_hex

METRONOME = SENDERS["metronome"]
SECRET = "a secret of the webhook"
NOW = 1795341600 * SECOND
THRESHOLD = "445b849e-1366-4580-a6cc-f488e27c059f"
PROPERTIES = {"customer_id": "c-1", "alert_id": THRESHOLD, "timestamp": "2026-11-22T09:59:57.865Z"}
ALERT = {"id": THRESHOLD, "type": "alerts.spend_threshold_reached", "properties": PROPERTIES}


def read(body: Any) -> Event:
    [event] = METRONOME.read(Request("POST", "/", {}, json.dumps(body).encode()), NOW)
    return event


def test_we_sign_the_published_example_as_it_was_published():
    published = one("metronome", "published_example")
    bare = Request("POST", "/webhooks/metronome", {}, published.request.body)
    signed = METRONOME.sign(bare, "correct-horse-battery-staple", micros("2006-01-02T22:04:05.9Z"))
    for name in ("X-Metronome-Date", "Metronome-Webhook-Signature"):
        assert signed.header(name) == published.request.header(name)


def test_date_is_no_substitute():
    """Proxies write over it."""
    fixture = one("metronome", "spend_threshold_reached")
    assert fixture.request.header("Date") == fixture.request.header("X-Metronome-Date")
    with pytest.raises(NotVerifiedError, match="X-Metronome-Date is missing"):
        fixture.unwrap(request=with_header(fixture.request, "X-Metronome-Date", None))


def test_a_line_feed_stands_between_date_and_body_and_not_a_backslash_and_an_n():
    fixture = one("metronome", "spend_threshold_reached")
    date = fixture.request.header("X-Metronome-Date").encode()
    wrong = openssl_hex(date + rb"\n" + fixture.request.body, SECRET)
    with pytest.raises(NotVerifiedError, match="no signature matches"):
        fixture.unwrap(request=with_header(fixture.request, "Metronome-Webhook-Signature", wrong))


@pytest.mark.parametrize("value", ["2026-11-22T10:00:00Z", "1795341600", "yesterday", "Sun, 31 Feb 2026 10:00:00 GMT"])
def test_a_date_of_another_form_is_refused_by_the_name_of_its_header(value):
    fixture = one("metronome", "spend_threshold_reached")
    with pytest.raises(NotVerifiedError, match="X-Metronome-Date is not of the form http-date"):
        fixture.unwrap(request=with_header(fixture.request, "X-Metronome-Date", value))


@pytest.mark.parametrize("change", [{"customer_id": "c-2"}, {"timestamp": "2026-12-22T09:59:57.865Z"}])
def test_a_threshold_that_is_crossed_again_or_by_another_customer_is_another_event(change):
    """In the published examples the id is that of the threshold."""
    again = read({**ALERT, "properties": {**PROPERTIES, **change}})
    assert again.event_id != read(ALERT).event_id
    assert again.event_id.startswith(THRESHOLD)


@pytest.mark.parametrize(
    ("notification", "expected"),
    [
        ({"timestamp": "2026-11-22T09:59:57Z"}, "2026-11-22T09:59:57Z"),
        ({"properties": {"timestamp": "2026-11-22T09:59:57.865Z"}}, "2026-11-22T09:59:57.865Z"),
        ({"properties": {"invoice_finalized_date": "2026-11-22T09:59:57Z"}}, "2026-11-22T09:59:57Z"),
        ({"timestamp": None, "properties": {"timestamp": "2026-11-22T09:59:57Z"}}, "2026-11-22T09:59:57Z"),
        ({"timestamp": "2027-11-22T09:59:57Z", "offset_id": THRESHOLD, "offset_duration": "-P1Y"}, None),
        ({"properties": {}}, None),
        ({"properties": None}, None),
        ({"properties": "text"}, None),
        ({}, None),
    ],
)
def test_the_time_is_that_of_what_happened_and_never_of_what_is_announced(notification, expected):
    event = read({"id": "n-1", "type": "contract.end", **notification})
    assert event.occurred_at == (expected and micros(expected))


@pytest.mark.parametrize("value", [True, 1795341600, "", "yesterday", [], {}])
def test_a_timestamp_that_is_none_is_refused(value):
    with pytest.raises(NotThisShapeError, match=r"^properties\.timestamp is "):
        read({**ALERT, "properties": {**PROPERTIES, "timestamp": value}})


@pytest.mark.parametrize("name", ["id", "type"])
@pytest.mark.parametrize("value", [None, True, 1.5, [], {}, "", "x" * 256])
def test_an_id_or_type_that_is_no_name_is_refused(name, value):
    with pytest.raises(NotThisShapeError, match=f"^{name} "):
        read({**ALERT, name: value})
