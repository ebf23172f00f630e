"""What is odd about Stripe: https://docs.stripe.com/webhooks"""

import json
from dataclasses import replace

import pytest
from stripe import WebhookSignature

from bridge.errors import NotThisShapeError, NotVerifiedError
from bridge.model import Event, Request
from bridge.senders import SENDERS
from bridge.times import SECOND
from tests.senders.vendors import stripe_header

STRIPE = SENDERS["stripe"]
SECRET = "whsec_of-the-endpoint"
SECONDS = 1795341600
NOW = SECONDS * SECOND
EVENT = {"id": "evt_1", "type": "customer.updated", "created": SECONDS, "data": {"object": {"id": "cus_1"}}}
BODY = json.dumps(EVENT).encode()
GOOD = stripe_header(BODY, SECRET, SECONDS).partition("v1=")[2]


def request(body: bytes = BODY, header: str | None = None) -> Request:
    """Signed by Stripe's library, unless a header is given."""
    header = stripe_header(body, SECRET, SECONDS) if header is None else header
    return Request("POST", "/webhooks/stripe", {"stripe-signature": header}, body)


def unwrap(wanted: Request) -> Event:
    [event] = STRIPE.unwrap(wanted, [SECRET], NOW)
    return event


def with_value(**changed) -> Request:
    return request(json.dumps({**EVENT, **changed}).encode())


@pytest.mark.parametrize(
    "header",
    [
        f"t={SECONDS},v1={GOOD}",
        f"v1={GOOD},t={SECONDS}",
        f" t={SECONDS} , v1={GOOD} ",
        f"t={SECONDS},v1={'0' * 64},v1={GOOD}",
        f"t={SECONDS},v1={GOOD},v1=nothing",
        f"t={SECONDS},v1=,v1,,=,v1={GOOD}",
        f"t={SECONDS},v0={'0' * 64},v2=x,v1={GOOD}",
        f"t={SECONDS},v1={GOOD.upper()}",
    ],
)
def test_a_good_signature_is_found_among_others(header):
    assert unwrap(request(header=header)).event_id == "evt_1"


@pytest.mark.parametrize(
    "header",
    [
        f"v1={GOOD}",
        f"t={SECONDS}",
        f"t={SECONDS},v0={GOOD}",
        f"t={SECONDS},V1={GOOD}",
        f"t={SECONDS},t={SECONDS},v1={GOOD}",
        f"t={SECONDS - 1},t={SECONDS},v1={GOOD}",
        f"t={SECONDS},v1={GOOD[:-2]}",
        f"t={SECONDS},v1={GOOD}00",
        f"t={SECONDS},v1=0x{GOOD}",
        f"t={SECONDS},v1={'g' * 64}",
        f"t={SECONDS};v1={GOOD}",
        f"t=0{SECONDS},v1={GOOD}",
        f"t={SECONDS}.0,v1={GOOD}",
        f"t=+{SECONDS},v1={GOOD}",
        f"t=-{SECONDS},v1={GOOD}",
        f"t=,v1={GOOD}",
        f"t={'9' * 40},v1={GOOD}",
        f"t=\u0661{SECONDS},v1={GOOD}",
        "t,v1",
        "garbage",
        "{}",
    ],
)
def test_a_header_that_is_not_stripes_is_refused(header):
    with pytest.raises(NotVerifiedError):
        unwrap(request(header=header))


def test_the_time_is_part_of_the_proof():
    with pytest.raises(NotVerifiedError):
        unwrap(request(header=f"t={SECONDS + 1},v1={GOOD}"))


def test_the_secret_is_used_as_it_is_written():
    """Unlike with Standard Webhooks, `whsec_` belongs to the key, and nothing is decoded."""
    with pytest.raises(NotVerifiedError):
        STRIPE.unwrap(request(), [SECRET.removeprefix("whsec_")], NOW)


@pytest.mark.parametrize(
    ("created", "micros"),
    [
        (0, 0),
        (SECONDS, NOW),
        ("2026-11-22T10:00:00.000Z", NOW),
        ("2026-11-22T10:00:00.123456Z", NOW + 123_456),
        ("2026-11-22T12:00:00+02:00", NOW),
        ("2026-11-22T10:00:00", NOW),
    ],
)
def test_created_may_be_seconds_or_iso_text(created, micros):
    """https://docs.stripe.com/event-destinations: thin events carry text."""
    assert unwrap(with_value(created=created)).occurred_at == micros


@pytest.mark.parametrize(
    "created",
    [None, True, False, -1, 1.5, 10**12, 2**63, 10**30, "", "yesterday", str(SECONDS), "2026-13-01", [SECONDS], {}],
)
def test_a_created_that_is_no_time_is_refused(created):
    with pytest.raises(NotThisShapeError, match=r"^created is "):
        unwrap(with_value(created=created))


@pytest.mark.parametrize("created", ["2026-99-99T00:00:00 jane@acme.example", "2026-11-22T10:00:00 jane@acme.example"])
def test_a_message_about_created_does_not_repeat_it(created):
    with pytest.raises(NotThisShapeError) as caught:
        unwrap(with_value(created=created))
    assert "jane" not in str(caught.value)


@pytest.mark.parametrize("name", ["id", "type"])
@pytest.mark.parametrize("value", [None, True, 1.5, [], {}, "", "x" * 256, "evt\n1", "evt\x00", "evt\u202e"])
def test_an_id_or_type_that_is_no_name_is_refused(name, value):
    with pytest.raises(NotThisShapeError, match=f"^{name} "):
        unwrap(with_value(**{name: value}))


@pytest.mark.parametrize("name", ["id", "type", "created"])
def test_an_event_without_id_type_or_created_is_refused(name):
    body = json.dumps({key: value for key, value in EVENT.items() if key != name}).encode()
    with pytest.raises(NotThisShapeError, match=f"^{name} "):
        unwrap(request(body))


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (b"", "not JSON"),
        (b" ", "not JSON"),
        (b"{", "not JSON"),
        (BODY[:-1], "not JSON"),
        (BODY + b"{}", "not JSON"),
        (BODY.replace(b"cus_1", b"\xff"), "not JSON"),
        (BODY.replace(b'"cus_1"', b"NaN"), "not JSON"),
        (BODY.replace(b'"cus_1"', b"Infinity"), "not JSON"),
        (BODY.replace(b'"cus_1"', b"1e999"), "not JSON"),
        (BODY.replace(b"cus_1", rb"\ud800"), "not JSON"),
        (BODY.replace(b'"cus_1"', b"'cus_1'"), "not JSON"),
        (b"\xef\xbb\xbf" + BODY, "not JSON"),
        (BODY.decode().encode("utf-16"), "not JSON"),
        (b"[" * 5000 + b"]" * 5000, "not JSON"),
        (b'{"a":' * 200_000, "not JSON"),
        (b"[" + BODY + b"]", "a list"),
        (b'"text"', "text"),
        (b"7", "a number"),
        (b"null", "null"),
        (b"true", "true or false"),
    ],
)
def test_a_body_that_is_no_object_is_refused_but_was_verified(body, what):
    unsigned = Request("POST", "/", {}, body)
    signed = STRIPE.sign(unsigned, SECRET, NOW)
    with pytest.raises(NotThisShapeError, match=f"^the body is {what}"):
        unwrap(signed)
    with pytest.raises(NotVerifiedError):
        STRIPE.unwrap(signed, ["another"], NOW)


def test_of_a_key_given_twice_the_last_counts():
    body = b'{"id":"evt_1","id":"evt_2","type":"a","type":"b","created":1,"created":2,"x":1,"x":2}'
    event = unwrap(request(body))
    assert (event.event_id, event.event_type, event.occurred_at, event.payload["x"]) == ("evt_2", "b", 2 * SECOND, 2)


@pytest.mark.parametrize("number", [2**53 + 1, 2**63 - 1, 2**63, 2**64 - 1, -(2**63)])
def test_a_large_whole_number_stays_exact(number):
    assert unwrap(with_value(data=number)).payload["data"] == number


def test_names_beyond_ascii_are_allowed():
    assert unwrap(with_value(id="evt_é", type="kůň.změněn")).event_type == "kůň.změněn"


def test_stripes_library_verifies_what_we_sign():
    signed = STRIPE.sign(replace(request(), headers={"x": "y"}), SECRET, NOW + 999_999)
    assert WebhookSignature.verify_header(BODY, signed.header("Stripe-Signature"), SECRET)
    assert signed.header("Stripe-Signature") == stripe_header(BODY, SECRET, SECONDS)
    assert signed.header("x") == "y"
