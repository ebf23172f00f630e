"""What is odd about Paddle: https://developer.paddle.com/webhooks/signature-verification"""

import json

import pytest

from bridge.errors import NotThisShapeError, NotVerifiedError
from bridge.model import Event, Request
from bridge.senders import SENDERS
from bridge.times import SECOND
from tests.senders.fixtures import load_all, one
from tests.senders.vendors import openssl_hex

PADDLE = SENDERS["paddle"]
SECRET = "pdl_ntfset_of-the-destination"
SECONDS = 1795341600
NOW = SECONDS * SECOND
EVENT = {"event_id": "evt_1", "event_type": "customer.updated", "occurred_at": "2026-11-22T09:59:57.020285Z"}
BODY = json.dumps(EVENT).encode()
GOOD = openssl_hex(f"{SECONDS}:".encode() + BODY, SECRET)


def unwrap(header: str) -> Event:
    [event] = PADDLE.unwrap(Request("POST", "/", {"paddle-signature": header}, BODY), [SECRET], NOW)
    return event


def read(**changed) -> Event:
    [event] = PADDLE.read(Request("POST", "/", {}, json.dumps({**EVENT, **changed}).encode()), NOW)
    return event


@pytest.mark.parametrize("fixture", load_all("paddle"), ids=repr)
def test_what_we_sign_paddles_package_signed_alike(fixture):
    """It signed the fixtures."""
    signed = PADDLE.sign(fixture.request, fixture.secrets[0], NOW + 999_999).header("Paddle-Signature")
    given = fixture.request.header("Paddle-Signature")
    assert signed.split(";") == given.split(";")[:2]


@pytest.mark.parametrize(
    "header",
    [
        f"ts={SECONDS};h1={GOOD}",
        f"h1={GOOD};ts={SECONDS}",
        f" ts={SECONDS} ; h1={GOOD} ",
        f"ts={SECONDS};h1={'0' * 64};h1={GOOD}",
        f"ts={SECONDS};h1=;h1;;=;h1={GOOD}",
        f"ts={SECONDS};h2={'0' * 64};h1={GOOD};v=1",
        f"ts={SECONDS};h1={GOOD.upper()}",
    ],
)
def test_a_good_signature_is_found_among_others(header):
    assert unwrap(header).event_id == "evt_1"


@pytest.mark.parametrize(
    "header",
    [
        f"h1={GOOD}",
        f"ts={SECONDS}",
        f"ts={SECONDS};h2={GOOD}",
        f"ts={SECONDS};H1={GOOD}",
        f"t={SECONDS};h1={GOOD}",
        f"ts={SECONDS};ts={SECONDS};h1={GOOD}",
        f"ts={SECONDS + 1};h1={GOOD}",
        f"ts={SECONDS},h1={GOOD}",
        f"ts={SECONDS}.0;h1={GOOD}",
        f"ts=0{SECONDS};h1={GOOD}",
        f"ts=;h1={GOOD}",
        f"ts={SECONDS};h1={GOOD[:-2]}",
        f"ts={SECONDS};h1={'g' * 64}",
        "garbage",
    ],
)
def test_a_header_that_is_not_paddles_is_refused(header):
    with pytest.raises(NotVerifiedError):
        unwrap(header)


def test_a_clock_that_is_a_minute_off_does_no_harm():
    """Paddle's package refuses after 5 seconds, and would have to be asked for more."""
    fixture = one("paddle", "subscription_updated")
    for seconds in (-60, 60):
        assert fixture.unwrap(now=NOW + seconds * SECOND)


def test_one_event_that_goes_to_two_destinations_is_one():
    first, second = (read(notification_id=f"ntf_{number}") for number in (1, 2))
    assert first.event_id == second.event_id == "evt_1"


@pytest.mark.parametrize("name", ["event_id", "event_type", "occurred_at"])
@pytest.mark.parametrize("value", [None, True, 1.5, [], {}, ""])
def test_an_event_without_id_type_or_time_is_refused(name, value):
    with pytest.raises(NotThisShapeError, match=f"^{name} "):
        read(**{name: value})
