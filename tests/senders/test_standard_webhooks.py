"""What is odd about Standard Webhooks, and about Svix, where they come from.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import json
import time

import pytest
from standardwebhooks import Webhook

from bridge.errors import NotThisShapeError, NotVerifiedError, SignError
from bridge.model import Event, Request
from bridge.senders import SENDERS
from bridge.times import SECOND
from tests.senders.fixtures import one, with_header
from tests.senders.vendors import openssl_ed25519, openssl_mac, standard_signature

STANDARD = SENDERS["standard-webhooks"]
CAPTURED = one("standard-webhooks", "customer_updated")
SVIX = one("standard-webhooks", "sent_by_svix")
ASYMMETRIC = one("standard-webhooks", "customer_updated_signed_v1a")
PUBLISHED = one("standard-webhooks", "published_v1a_example")
PUBLIC_KEY = ASYMMETRIC.secrets[0]
PRIVATE_KEY = ASYMMETRIC.private_keys[PUBLIC_KEY]
SECRET = CAPTURED.secrets[0]
GOOD = CAPTURED.request.header("webhook-signature")
SECONDS = 1795341600
NOW = SECONDS * SECOND


def unwrap(request: Request, secret: str = SECRET) -> Event:
    [event] = STANDARD.unwrap(request, [secret], NOW)
    return event


def signed(**payload) -> Request:
    body = json.dumps(payload).encode()
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(SECONDS),
        "webhook-signature": standard_signature(body, SECRET, "msg_1", SECONDS),
    }
    return Request("POST", "/", headers, body)


@pytest.mark.parametrize(
    "entries",
    [
        f"v1,AAAA {GOOD}",
        f"{GOOD} v1,AAAA",
        f"v1, {GOOD}",
        f"v1 {GOOD}",
        f"v1,not/base64! {GOOD}",
        f"v1,é {GOOD}",
        f"v1a,{'A' * 88} v2,AAAA {GOOD}",
        f"  {GOOD}  ",
        " ".join(["v1,AAAA"] * 500 + [GOOD]),
    ],
)
def test_a_good_signature_is_found_among_others(entries):
    assert unwrap(with_header(CAPTURED.request, "webhook-signature", entries)).event_type == "customer.updated"


@pytest.mark.parametrize(
    "entries",
    [
        GOOD.removeprefix("v1,"),
        GOOD.replace("v1,", "v1a,"),
        GOOD.replace("v1,", "V1,"),
        GOOD.replace("v1,", "v1="),
        GOOD.replace("v1,", "v1, "),
        GOOD + "=",
        GOOD[:-2],
        f"{GOOD},{GOOD}",
        f"{GOOD};v1,AAAA",
    ],
)
def test_what_only_looks_like_the_signature_is_refused(entries):
    with pytest.raises(NotVerifiedError):
        unwrap(with_header(CAPTURED.request, "webhook-signature", entries))


@pytest.mark.parametrize("timestamp", [f"{SECONDS}.0", f"{SECONDS}000", f"0{SECONDS}", f"+{SECONDS}", "now", "1e9"])
def test_a_time_written_otherwise_is_refused(timestamp):
    with pytest.raises(NotVerifiedError):
        unwrap(with_header(CAPTURED.request, "webhook-timestamp", timestamp))


def test_headers_of_two_kinds_are_not_mixed():
    headers = SVIX.request.headers
    for name in ("id", "timestamp", "signature"):
        mixed = {**headers, f"webhook-{name}": headers[f"svix-{name}"]}
        del mixed[f"svix-{name}"]
        with pytest.raises(NotVerifiedError):
            unwrap(Request("POST", "/", mixed, SVIX.request.body))


def test_the_id_is_the_one_that_was_signed():
    """Anybody on the way can add a header of the other kind."""
    event = unwrap(with_header(SVIX.request, "webhook-id", "msg_of-somebody-else"))
    assert event.event_id == SVIX.request.header("svix-id")


def test_an_id_beyond_ascii_is_proven_as_it_was_sent():
    body = CAPTURED.request.body
    headers = {
        "webhook-id": "msg_é".encode().decode("latin-1"),
        "webhook-timestamp": str(SECONDS),
        "webhook-signature": standard_signature(body, SECRET, "msg_é", SECONDS),
    }
    assert unwrap(Request("POST", "/", headers, body)).payload["type"] == "customer.updated"


def test_the_key_is_what_the_secret_encodes():
    """Unlike with Stripe: see test_the_secret_is_used_as_it_is_written."""
    message = b"msg_1." + str(SECONDS).encode() + b"." + CAPTURED.request.body
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    for candidate, verdict in ((key, True), (SECRET.encode(), False), (SECRET.removeprefix("whsec_").encode(), False)):
        value = base64.b64encode(openssl_mac(message, candidate)).decode()
        headers = {"webhook-id": "msg_1", "webhook-timestamp": str(SECONDS), "webhook-signature": f"v1,{value}"}
        request = Request("POST", "/", headers, CAPTURED.request.body)
        if verdict:
            assert unwrap(request)
        else:
            with pytest.raises(NotVerifiedError):
                unwrap(request)


def test_a_secret_may_come_without_its_prefix():
    assert unwrap(CAPTURED.request, SECRET.removeprefix("whsec_"))


@pytest.mark.parametrize(
    "secret", ["", "whsec_", "whsec_not base64", "whsec_AAA", "whpk_AAAA", "whsec_whsec_AAAA", "ü"]
)
def test_a_secret_that_is_no_base64_is_objected_to_and_proves_nothing(secret):
    problem = STANDARD.check_secret(secret)
    assert problem
    assert len(secret) < len("whsec_A") or secret not in problem
    with pytest.raises(NotVerifiedError):
        unwrap(CAPTURED.request, secret)
    with pytest.raises(SignError):
        STANDARD.sign(CAPTURED.request, secret, NOW)


@pytest.mark.parametrize(
    ("timestamp", "micros"),
    [
        ("2026-11-22T09:00:00Z", NOW - 3600 * SECOND),
        ("2026-11-22T09:00:00.123456789Z", NOW - 3600 * SECOND + 123_456),
        ("2026-11-22T10:00:00+01:00", NOW - 3600 * SECOND),
        (None, None),
        # Clerk sends milliseconds, others seconds.
        (SECONDS, NOW),
        (SECONDS + 0.25, NOW + SECOND // 4),
        (SECONDS * 1000 + 7, NOW + 7000),
        (SECONDS * 10**6 + 7, NOW + 7),
        (SECONDS * 10**9 + 7000, NOW + 7),
        (str(SECONDS), NOW),
        (str(SECONDS * 1000), NOW),
        (0, 0),
    ],
)
def test_the_time_is_the_bodys_and_not_that_of_the_attempt(timestamp, micros):
    assert unwrap(signed(timestamp=timestamp)).occurred_at == micros


@pytest.mark.parametrize("created_at", ["2026-11-22T10:00:00.000Z", SECONDS, SECONDS * 1000])
def test_created_at_is_the_time_of_an_event_without_a_timestamp(created_at):
    """As Resend has it: https://resend.com/docs/webhooks/introduction"""
    assert unwrap(signed(created_at=created_at)).occurred_at == NOW
    assert unwrap(signed(created_at=created_at, timestamp=None)).occurred_at == NOW
    assert unwrap(signed(created_at=created_at, timestamp=SECONDS - 5)).occurred_at == NOW - 5 * SECOND


@pytest.mark.parametrize("value", ["", "yesterday", -1, 10**30, "9" * 20])
def test_a_timestamp_that_is_no_time_is_refused(value):
    with pytest.raises(NotThisShapeError, match=r"^timestamp is "):
        unwrap(signed(timestamp=value))


@pytest.mark.parametrize("value", [True, [], {}, "yesterday", -1, 10**30])
def test_a_created_at_that_is_no_time_is_the_vendors_own_business(value):
    assert unwrap(signed(created_at=value)).occurred_at is None


def test_an_event_without_a_time_has_none():
    assert unwrap(signed(type="a")).occurred_at is None


def test_a_timestamp_that_is_no_time_is_refused_without_repeating_it():
    for text in ("yesterday, jane", "2026-99-99T00:00:00 jane"):
        with pytest.raises(NotThisShapeError, match="timestamp") as caught:
            unwrap(signed(timestamp=text))
        assert "jane" not in str(caught.value)


@pytest.mark.parametrize(("payload", "found"), [({}, "untyped"), ({"type": "a.b"}, "a.b"), ({"type": 7}, "7")])
def test_the_type_is_the_bodys(payload, found):
    assert unwrap(signed(**payload)).event_type == found


@pytest.mark.parametrize("value", [None, True, "", {}, []])
def test_a_type_that_is_no_name_is_refused(value):
    with pytest.raises(NotThisShapeError):
        unwrap(signed(type=value))


def test_the_reference_library_verifies_what_we_sign():
    signed_now = STANDARD.sign(Request("POST", "/", {}, CAPTURED.request.body), SECRET, time.time_ns() // 1000)
    assert Webhook(SECRET).verify(signed_now.body, dict(signed_now.headers))["type"] == "customer.updated"


def test_what_we_sign_again_is_the_same_event():
    first, second = (STANDARD.sign(Request("POST", "/", {}, b"{}"), SECRET, NOW + n * SECOND) for n in (0, 60))
    assert first.header("webhook-id") == second.header("webhook-id")
    assert first.header("webhook-timestamp") != second.header("webhook-timestamp")


def test_what_everybody_may_know_is_no_shared_secret():
    """Who has the public key could sign v1 with it, if it were taken for a secret."""
    body = CAPTURED.request.body
    message = b"msg_1." + str(SECONDS).encode() + b"." + body
    for key in (PUBLIC_KEY.encode(), base64.b64decode(PUBLIC_KEY.removeprefix("whpk_"))):
        value = base64.b64encode(openssl_mac(message, key)).decode()
        headers = {"webhook-id": "msg_1", "webhook-timestamp": str(SECONDS), "webhook-signature": f"v1,{value}"}
        with pytest.raises(NotVerifiedError):
            unwrap(Request("POST", "/", headers, body), PUBLIC_KEY)


def test_a_private_key_verifies_nothing_and_is_objected_to():
    problem = STANDARD.check_secret(PRIVATE_KEY)
    assert "whpk_" in problem
    assert PRIVATE_KEY not in problem
    with pytest.raises(NotVerifiedError):
        unwrap(ASYMMETRIC.request, PRIVATE_KEY)


@pytest.mark.parametrize(
    "secret", ["whpk_", "whpk_é", "whpk_AAAA", f"whpk_{'A' * 88}", PUBLIC_KEY[:-4], f"{PUBLIC_KEY}AAAA"]
)
def test_a_public_key_of_another_length_is_objected_to(secret):
    assert "whpk_ and the base64 of 32 bytes" in STANDARD.check_secret(secret)
    with pytest.raises(NotVerifiedError):
        unwrap(ASYMMETRIC.request, secret)


@pytest.mark.parametrize(
    "change",
    [
        lambda good: good.replace("v1a,", "v1,"),
        lambda good: good.replace("v1a,", "V1A,"),
        lambda good: good.removeprefix("v1a,"),
        lambda good: good[:-4],
        lambda good: f"{good}AAAA",
        lambda good: f"v1a,{'A' * 86}==",
        lambda _: "v1a,",
    ],
)
def test_what_only_looks_like_an_asymmetric_signature_is_refused(change):
    entry = change(ASYMMETRIC.request.header("webhook-signature"))
    with pytest.raises(NotVerifiedError):
        unwrap(with_header(ASYMMETRIC.request, "webhook-signature", entry), PUBLIC_KEY)


@pytest.mark.parametrize("length", [32, 64])
def test_we_sign_with_a_private_key_as_openssl_does(length):
    """With its public half behind it, as Svix writes it, or without."""
    secret = PUBLISHED.private_keys[PUBLISHED.secrets[0]]
    key = base64.b64decode(secret.removeprefix("whsk_"))
    body = PUBLISHED.request.body
    signed = STANDARD.sign(Request("POST", "/", {}, body), f"whsk_{base64.b64encode(key[:length]).decode()}", NOW)
    message = f"{signed.header('webhook-id')}.{SECONDS}.".encode() + body
    assert signed.header("webhook-signature") == f"v1a,{base64.b64encode(openssl_ed25519(message, key[:32])).decode()}"


@pytest.mark.parametrize("secret", [PUBLIC_KEY, "whsk_", "whsk_AAAA", f"whsk_{'A' * 40}", PRIVATE_KEY[:-4]])
def test_what_cannot_sign_says_so_without_repeating_it(secret):
    with pytest.raises(SignError, match="whsk_") as caught:
        STANDARD.sign(CAPTURED.request, secret, NOW)
    assert len(secret) < len("whsk_A") or secret not in str(caught.value)
