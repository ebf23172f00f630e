import threading

import pytest

from bridge.errors import NotVerifiedError
from bridge.mapping.rules import Source
from bridge.pipeline.receive import CROWD, Receiver
from bridge.senders import SENDERS
from tests.senders.fixtures import one

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
