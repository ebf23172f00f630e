import threading

import orjson
import pytest

from bridge.errors import BusyError, NotVerifiedError, TooMuchError
from bridge.mapping.rules import Source
from bridge.model import Request
from bridge.pipeline import receive
from bridge.pipeline.receive import CROWD, LARGE, MAX_HEADER_LENGTH, Received, Receiver
from bridge.senders import SENDERS
from tests.senders.fixtures import one
from tests.support.making import NOW

FIXTURE = one("stripe", "customer_updated")
SOURCE = Source("stripe", "stripe.yaml", SENDERS["stripe"], (), "digest", tuple(FIXTURE.secrets))


class SlowEvents:
    """Stores nothing until it is told to."""

    def __init__(self):
        self.inside, self.go_on = threading.Semaphore(0), threading.Event()

    def add(self, *_):
        self.inside.release()
        self.go_on.wait(20)
        return 1


def test_several_requests_at_a_time_are_a_crowd_until_they_are_answered():
    events = SlowEvents()
    receiver = Receiver(events, lambda: None)

    def post():
        receiver.receive(SOURCE, FIXTURE.request, FIXTURE.arrival)

    threads = [threading.Thread(target=post) for _ in range(CROWD)]
    for thread in threads:
        assert not receiver.is_crowded()
        thread.start()
        assert events.inside.acquire(timeout=20)
    assert receiver.is_crowded()
    events.go_on.set()
    for thread in threads:
        thread.join()
    assert not receiver.is_crowded()


def test_requests_that_were_refused_are_no_crowd():
    receiver = Receiver(SlowEvents(), lambda: None)
    for _ in range(CROWD):
        with pytest.raises(NotVerifiedError):
            receiver.receive(SOURCE, FIXTURE.request, 0)
    assert not receiver.is_crowded()


def posted(store, body, **headers):
    """An HMAC sender's batch, verified and stored. Returns what the receiver says of it."""
    sender = SENDERS["hmac"].bound({"header": "X-Signature"})
    source = Source("erp", "erp.yaml", sender, (), "digest", ("secret",))
    request = sender.sign(Request("POST", "/webhooks/erp", headers, body), "secret", NOW)
    return Receiver(store.events, lambda: None).receive(source, request, NOW)


def test_what_a_request_says_once_is_not_stored_for_ever_so_many_events(store):
    """Its headers, for instance, are kept with each event."""
    body = orjson.dumps([{"id": number} for number in range(4_000)])
    assert posted(store, body, **{"user-agent": "u" * 8000}) == Received(4_000, 0)
    kept = [len(event.headers["user-agent"]) for event in store.events.find(limit=10)]
    assert set(kept) == {MAX_HEADER_LENGTH}


def test_events_that_would_take_far_more_room_than_their_request_are_refused(store):
    sender = SENDERS["zoho"]
    source = Source("zoho", "zoho.yaml", sender, (), "digest", ("secret",))
    common = {"token": "secret", "module": "Deals", "operation": "update", "server_time": 1, "channel_id": 1}
    body = orjson.dumps({**common, "resource_uri": "u" * 50_000, "ids": [str(number) for number in range(100)]})
    with pytest.raises(TooMuchError, match=r"would have more than \d+ bytes.*send fewer events at a time"):
        Receiver(store.events, lambda: None).receive(source, Request("POST", "/webhooks/zoho", {}, body), NOW)
    assert not store.events.find()


def test_large_requests_are_read_one_at_a_time_and_small_ones_beside_them(monkeypatch):
    monkeypatch.setattr(receive, "PATIENCE_SECONDS", 0.01)
    receiver = Receiver(SlowEvents(), lambda: None)
    refused = pytest.raises(BusyError, match="nothing of this one was stored")
    with receiver.room_for(LARGE + 1), receiver.room_for(LARGE), refused, receiver.room_for(LARGE + 1):
        pass
    with receiver.room_for(LARGE + 1):
        pass
