"""What is odd about Shopify: https://shopify.dev/docs/apps/build/webhooks/verify-deliveries"""

import json
from typing import Any

import pytest

from bridge.errors import NotThisShapeError, NotVerifiedError
from bridge.model import Event, Request
from bridge.senders import SENDERS
from bridge.times import SECOND
from tests.senders.fixtures import load_all, micros, one, with_header
from tests.senders.vendors import openssl_base64, openssl_hex, shopify_accepts

SHOPIFY = SENDERS["shopify"]
SECRET = "shpss_client-secret-of-our-app"
NOW = 1795341635 * SECOND
CUSTOMER = {"id": 7106306564346, "note": "gold", "updated_at": "2026-11-22T10:59:58+01:00"}


def request(body: Any = CUSTOMER, topic: str = "customers/update", **headers: str) -> Request:
    content = json.dumps(body).encode()
    proof = {"x-shopify-hmac-sha256": openssl_base64(content, SECRET), "x-shopify-topic": topic}
    given = {f"x-shopify-{name.replace('_', '-')}": value for name, value in headers.items()}
    return Request("POST", "/webhooks/shopify", {**proof, **given}, content)


def event(wanted: Request, now: int = NOW) -> Event:
    [found] = SHOPIFY.unwrap(wanted, [SECRET], now)
    return found


@pytest.mark.parametrize("fixture", load_all("shopify"), ids=repr)
def test_shopifys_package_accepts_the_fixtures_and_what_we_sign(fixture):
    body, signed = fixture.request.body, SHOPIFY.sign(fixture.request, SECRET, NOW)
    assert shopify_accepts(body, fixture.request.headers, SECRET)
    assert shopify_accepts(body, signed.headers, SECRET)
    assert shopify_accepts(body, signed.headers, "shpss_new", old_secret=SECRET)
    assert not shopify_accepts(body, signed.headers, "shpss_new")


def test_a_captured_request_stays_within_its_second_whatever_its_headers_say():
    again = event(request(webhook_id="w-2", event_id="e-2", triggered_at="2026-12-24T18:00:00Z"), NOW + SECOND)
    assert again.occurred_at == micros("2026-11-22T09:59:58.999999Z")


def test_gold_silver_gold_within_a_second_are_three_events_in_their_order():
    """`updated_at` has whole seconds, and the first body is the last one again."""
    events = [
        event(request({**CUSTOMER, "note": note}, webhook_id=f"w-{n}", triggered_at=f"2026-11-22T09:59:58.{n}Z"))
        for n, note in enumerate(("gold", "silver", "gold"))
    ]
    assert len({one.event_id for one in events}) == 3
    assert [one.occurred_at for one in events] == sorted({one.occurred_at for one in events})


@pytest.mark.parametrize("header", ["webhook_id", "event_id"])
def test_a_try_more_of_one_delivery_is_the_same_event(header):
    """https://shopify.dev/docs/apps/build/webhooks/verify-deliveries and, of older date, .../ignore-duplicates"""
    first, again = (event(request(**{header: "w-1"}), now) for now in (NOW, NOW + SECOND))
    assert first.event_id == again.event_id
    assert event(request(**{header: "w-2"})).event_id != first.event_id
    assert event(request(**{header: "w" * 300})).event_id


def test_without_any_header_a_repeat_is_known_by_what_it_says():
    assert event(request()).event_id == event(request(), NOW + SECOND).event_id


def test_one_object_under_two_topics_makes_two_events():
    """One action of a merchant leads to several deliveries, with one X-Shopify-Event-Id and perhaps one body."""
    created, updated = (event(request(topic=f"customers/{what}", event_id="e-1")) for what in ("create", "update"))
    assert created.event_id != updated.event_id


@pytest.mark.parametrize(
    ("triggered_at", "expected"),
    [
        (None, "2026-11-22T09:59:58Z"),
        ("2026-11-22T09:59:58.000000001Z", "2026-11-22T09:59:58Z"),
        ("2026-11-22T09:59:58.123456789Z", "2026-11-22T09:59:58.123456Z"),
        ("2026-11-22T09:59:59Z", "2026-11-22T09:59:58.999999Z"),
        ("2027-11-22T09:59:59Z", "2026-11-22T09:59:58.999999Z"),
        ("2026-11-22T09:59:57.999999Z", "2026-11-22T09:59:58Z"),
        ("2006-11-22T09:59:57Z", "2026-11-22T09:59:58Z"),
    ],
)
def test_the_header_may_say_when_within_the_second_that_is_signed(triggered_at, expected):
    headers = {} if triggered_at is None else {"triggered_at": triggered_at}
    assert event(request(**headers)).occurred_at == micros(expected)


@pytest.mark.parametrize(
    "body", [{"id": 1}, {"id": 1, "updated_at": None}, {"one": {"updated_at": None}}, {"one": {}}, {}]
)
def test_a_body_without_a_time_has_that_of_the_header_and_the_id_of_the_delivery(body):
    found = event(request(body, webhook_id="w-1", triggered_at="2026-11-22T09:59:58.123456789Z"))
    assert (found.event_id, found.occurred_at) == ("w-1", micros("2026-11-22T09:59:58.123456Z"))


def test_gold_silver_and_gold_again_are_three_events_where_the_body_tells_no_time():
    bodies = [{"id": 1, "note": note} for note in ("gold", "silver", "gold")]
    ids = [event(request(body, webhook_id=f"w-{number}")).event_id for number, body in enumerate(bodies)]
    assert len(set(ids)) == 3


def test_a_second_uninstallation_of_an_unchanged_shop_is_an_event_of_its_own():
    shop = {"id": 548380009, "updated_at": "2025-01-01T00:00:00Z"}
    first, second = (
        event(request(shop, "app/uninstalled", webhook_id=webhook_id, triggered_at=f"2026-11-{day}T10:00:00Z"))
        for webhook_id, day in (("w-1", "01"), ("w-2", "22"))
    )
    assert first.event_id != second.event_id
    assert second.occurred_at == micros("2026-11-22T10:00:00Z")


@pytest.mark.parametrize("value", [7, True, [], {}, "", "yesterday", "2026-13-01"])
def test_an_updated_at_that_is_no_time_is_refused(value):
    with pytest.raises(NotThisShapeError, match=r"^updated_at is "):
        event(request({"id": 1, "updated_at": value}))


def test_a_request_about_nothing_is_refused():
    with pytest.raises(NotThisShapeError, match="X-Shopify-Topic is missing"):
        event(with_header(request(), "X-Shopify-Topic", None))


def test_the_signature_is_base64_and_not_hex():
    """The SDK's validate_hmac, which is for query strings, makes hex."""
    content = json.dumps(CUSTOMER).encode()
    in_hex = openssl_hex(content, SECRET)
    with pytest.raises(NotVerifiedError):
        event(Request("POST", "/", {"x-shopify-hmac-sha256": in_hex, "x-shopify-topic": "a/b"}, content))


def test_what_is_only_in_headers_is_not_in_the_payload():
    payload = event(one("shopify", "customer_updated").request).payload
    assert "acme-toys.myshopify.com" not in json.dumps(payload)
