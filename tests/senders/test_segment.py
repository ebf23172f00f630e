"""Segment signs one event: nothing that is not signed, or brought by a token, may come in.

https://github.com/segmentio/action-destinations/blob/main/packages/destination-actions/src/destinations/webhook
"""

from dataclasses import replace
from typing import Any

import orjson
import pytest

from bridge.errors import NotThisShapeError, NotVerifiedError
from bridge.senders import SENDERS
from tests.senders.fixtures import one, with_header
from tests.senders.vendors import openssl_hex

SECRET = "a-shared-secret-of-ours"
SINGLE = one("segment", "group_traits_changed")
BATCH = one("segment", "batch_with_a_token")


def signed(body: bytes, over: bytes) -> Any:
    request = with_header(replace(SINGLE.request, body=body), "X-Signature", openssl_hex(over, SECRET, "sha1"))
    return SENDERS["segment"].bound({}).unwrap(request, [SECRET], 0)


def test_a_signature_of_the_first_event_does_not_let_in_the_others():
    with pytest.raises(NotVerifiedError, match="Batch Size") as caught:
        SENDERS["segment"].bound({}).unwrap(BATCH.request, [SECRET], 0)
    assert "batch_token_header" in str(caught.value)


EVENT = SINGLE.request.body


@pytest.mark.parametrize(
    "body",
    [
        b"[" + EVENT + b"," + EVENT + b"]",
        b"[" + EVENT + b",{}]",
        b"[{}," + EVENT + b"]",
        b"[" + EVENT + b",]",
        b"[[" + EVENT + b"]]",
        b"[ " + EVENT + b"]",
        b"[" + EVENT + b"] ",
        b"[" + EVENT,
        EVENT + b"]",
        b"[]",
    ],
)
def test_what_stands_beside_the_signed_event_is_refused(body):
    assert signed(EVENT, EVENT)
    assert signed(b"[" + EVENT + b"]", EVENT) == signed(EVENT, EVENT)
    with pytest.raises(NotVerifiedError):
        signed(body, EVENT)


def test_a_token_proves_batches_and_nothing_else():
    assert len(BATCH.unwrap()) == 2
    single = replace(BATCH.request, body=EVENT)
    with pytest.raises(NotVerifiedError):
        BATCH.unwrap(request=single)
    with pytest.raises(NotVerifiedError, match="X-Bridge-Token"):
        BATCH.unwrap(request=with_header(BATCH.request, "X-Bridge-Token", None), secrets=[SECRET, *BATCH.secrets])


def test_events_and_batches_can_have_secrets_of_their_own():
    secrets = [SECRET, *BATCH.secrets]
    assert BATCH.unwrap(secrets=secrets)
    assert BATCH.unwrap(request=SINGLE.request, secrets=secrets)


@pytest.mark.parametrize(
    ("changes", "event_type"),
    [
        ({"type": "identify"}, "identify"),
        ({"type": "group"}, "group"),
        ({"type": "page", "name": "Pricing"}, "page"),
        ({"type": "track", "event": "Plan Changed"}, "track.Plan Changed"),
        ({"type": "track", "event": "a.b"}, "track.a.b"),
    ],
)
def test_a_track_call_is_known_by_the_name_of_its_event(changes, event_type):
    body = orjson.dumps({**orjson.loads(EVENT), **changes})
    [event] = SINGLE.sender.read(replace(SINGLE.request, body=body), 0)
    assert event.event_type == event_type


@pytest.mark.parametrize(
    "changes",
    [
        {"type": None},
        {"type": "track"},
        {"type": "track", "event": ""},
        {"type": "track", "event": "x" * 255},
        {"messageId": None},
        {"timestamp": None, "receivedAt": None},
        {"timestamp": "recently"},
    ],
)
def test_what_lacks_its_id_type_or_time_is_refused(changes):
    with pytest.raises(NotThisShapeError):
        SINGLE.sender.read(replace(SINGLE.request, body=orjson.dumps({**orjson.loads(EVENT), **changes})), 0)


@pytest.mark.parametrize("sender", ["segment", "rudderstack"])
def test_the_clock_of_the_device_decides_nothing(sender):
    for fixture in (one(sender, "group_traits_changed"), one(sender, "plan_changed")):
        [event] = fixture.unwrap()
        assert event.payload["originalTimestamp"] > "2026-11-22T11"
        assert event.occurred_at < fixture.arrival


@pytest.mark.parametrize("sender", ["segment", "rudderstack"])
def test_a_call_without_a_timestamp_happened_when_the_platform_received_it(sender):
    call = {"messageId": "m-1", "type": "identify", "receivedAt": "2026-11-22T10:00:00Z", "traits": {}}
    request = replace(SINGLE.request, body=orjson.dumps(call))
    [event] = SENDERS[sender].bound({}).read(request, 0)
    assert event.occurred_at == 1795341600_000_000
