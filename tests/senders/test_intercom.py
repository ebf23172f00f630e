"""What is odd about Intercom: https://developers.intercom.com/docs/webhooks/webhook-notifications"""

import json

import pytest

from bridge.errors import NotThisShapeError, NotVerifiedError
from bridge.model import Event, Request
from bridge.senders import SENDERS
from bridge.times import SECOND
from tests.senders.fixtures import load_all
from tests.senders.vendors import github_accepts, openssl_hex

INTERCOM = SENDERS["intercom"]
SECRET = "client-secret-of-our-app"
SECONDS = 1795341600
NOW = SECONDS * SECOND
NOTIFICATION = {"type": "notification_event", "id": "notif_1", "topic": "company.updated", "created_at": SECONDS}


def unwrap(signature: str | None = None, **changed) -> list[Event]:
    body = json.dumps({**NOTIFICATION, **changed}).encode()
    given = signature or f"sha1={openssl_hex(body, SECRET, 'sha1')}"
    return INTERCOM.unwrap(Request("POST", "/", {"x-hub-signature": given}, body), [SECRET], NOW)


@pytest.mark.parametrize("fixture", load_all("intercom"), ids=repr)
def test_gidgethub_which_knows_this_header_accepts_the_fixtures_and_what_we_sign(fixture):
    secret = fixture.secrets[0]
    signed = INTERCOM.sign(fixture.request, secret, NOW)
    for signature in (fixture.request.header("X-Hub-Signature"), signed.header("X-Hub-Signature")):
        assert github_accepts(fixture.request.body, signature, secret)


def test_a_ping_must_be_genuine_and_is_no_event():
    """Intercom does not save a webhook that refuses it. Its id is null."""
    ping = {"id": None, "topic": "ping", "data": {"item": {"type": "ping", "message": "something something interzen"}}}
    assert unwrap(**ping) == []
    with pytest.raises(NotVerifiedError):
        unwrap(f"sha1={'0' * 40}", **ping)


@pytest.mark.parametrize("prefix", ["", "sha256=", "SHA1=", "sha1:"])
def test_a_signature_of_another_kind_is_refused(prefix):
    body = json.dumps(NOTIFICATION).encode()
    with pytest.raises(NotVerifiedError, match="must begin with sha1="):
        unwrap(prefix + openssl_hex(body, SECRET, "sha1"))


def test_a_repeat_has_the_time_of_the_first():
    """Of the times in a notification only created_at is when it happened."""
    [event] = unwrap(delivery_attempts=7, first_sent_at=SECONDS + 60, delivered_at=SECONDS + 120)
    assert (event.event_id, event.occurred_at) == ("notif_1", NOW)


@pytest.mark.parametrize("value", [None, True, 1.5, -1, 10**12, "1795341600", [], {}])
def test_a_created_at_that_is_no_time_is_refused(value):
    with pytest.raises(NotThisShapeError, match=r"^created_at is "):
        unwrap(created_at=value)


@pytest.mark.parametrize("name", ["id", "topic"])
@pytest.mark.parametrize("value", [None, True, 1.5, [], {}, "", "x" * 256])
def test_an_id_or_topic_that_is_no_name_is_refused(name, value):
    with pytest.raises(NotThisShapeError, match=f"^{name} "):
        unwrap(**{name: value})
