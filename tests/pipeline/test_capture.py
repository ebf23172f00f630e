import pytest

from bridge.mapping.files import Mappings
from bridge.mapping.live import Live
from bridge.mapping.rules import CaptureRule, Source
from bridge.model import Request
from bridge.pipeline.capture import BURST, INTERVAL, MAX_BODY_BYTES, REST, Capturer
from bridge.senders import SENDERS
from bridge.times import DAY, HOUR, SECOND
from tests.support.making import NOW

REQUEST = Request("POST", "/webhooks/stripe?token=abc", {"cookie": "a=b", "host": "a.example"}, b"{}")


def source(digest="first", **given):
    rule = CaptureRule(**given)
    return Source("stripe", "stripe.yaml", SENDERS["stripe"], (), digest, ("whsec_test",), capture=rule)


@pytest.fixture
def capturer(store):
    return Capturer(store.captures, Live(Mappings({"stripe": source()}, ())))


def test_what_was_refused_is_kept_without_its_secrets(store, capturer):
    assert capturer.capture(source(), REQUEST, "the header Stripe-Signature is missing", NOW)
    (kept,) = store.captures.find("stripe")
    assert (kept.reason, kept.received_at, kept.is_whole) == ("the header Stripe-Signature is missing", NOW, True)
    assert kept.request.target == "/webhooks/stripe?token=redacted"
    assert kept.request.headers == {"cookie": "redacted", "host": "a.example"}
    assert kept.request.body == b"{}"


def test_nothing_is_kept_unless_the_mapping_file_says_so(store, capturer):
    silent = Source("stripe", "stripe.yaml", SENDERS["stripe"], (), "d", ("whsec_test",))
    assert not capturer.capture(silent, REQUEST, "no", NOW)
    assert store.captures.find("stripe") == []


def test_no_more_are_kept_than_were_asked_for_and_capturing_goes_on(store, capturer):
    for number in range(5):
        assert capturer.capture(source(requests=2), REQUEST, str(number), NOW)
    assert [kept.reason for kept in store.captures.find("stripe")] == ["1", "0"]


def test_capturing_ends_after_its_hours_from_the_first_on(store, capturer):
    assert capturer.capture(source(hours=2), REQUEST, "first", NOW)
    assert capturer.capture(source(hours=2), REQUEST, "second", NOW + 2 * HOUR - 1)
    assert not capturer.capture(source(hours=2), REQUEST, "third", NOW + 2 * HOUR)
    assert not capturer.capture(source(hours=2), REQUEST, "fourth", NOW + 2 * HOUR + REST + 1)
    assert len(store.captures.find("stripe")) == 2


def test_all_replicas_count_from_the_same_first_one(store, capturer):
    capturer.capture(source(hours=1), REQUEST, "here", NOW)
    elsewhere = Capturer(store.captures, Live(Mappings({"stripe": source()}, ())))
    assert not elsewhere.capture(source(hours=1), REQUEST, "there", NOW + HOUR)


def test_a_change_of_the_file_begins_anew(capturer):
    capturer.capture(source(hours=1), REQUEST, "first", NOW)
    assert capturer.capture(source("second", hours=1), REQUEST, "again", NOW + DAY)


def test_clearing_makes_room_and_begins_anew(store, capturer):
    capturer.capture(source(hours=1, requests=1), REQUEST, "first", NOW)
    assert not capturer.capture(source(hours=1, requests=1), REQUEST, "late", NOW + DAY)
    assert store.captures.clear("stripe") == 1
    assert capturer.capture(source(hours=1, requests=1), REQUEST, "anew", NOW + DAY + REST)
    assert [kept.reason for kept in store.captures.find("stripe")] == ["anew"]


def test_a_large_body_is_cut_and_said_to_be(store, capturer):
    large = Request("POST", "/webhooks/stripe", {}, b"x" * (MAX_BODY_BYTES + 1))
    capturer.capture(source(), large, "no", NOW)
    (kept,) = store.captures.find("stripe")
    assert (len(kept.request.body), kept.is_whole) == (MAX_BODY_BYTES, False)


def test_old_captures_go_with_the_retention(store, capturer):
    capturer.capture(source(), REQUEST, "old", NOW)
    assert list(store.retention.prune(NOW + 1, 10)) == []
    assert store.captures.find("stripe") == []


def test_a_flood_of_refused_requests_is_looked_into_now_and_then(store, capturer, monkeypatch):
    looked = []
    monkeypatch.setattr("bridge.pipeline.capture.diagnose", lambda case: looked.append(case.now) or ())
    for number in range(10_000):
        assert capturer.capture(source(requests=1000), REQUEST, "no", NOW + number * SECOND // 1000)
    assert len(looked) == BURST + 10 * SECOND // INTERVAL - 1
    assert len(store.captures.find("stripe")) == len(looked)


def test_nothing_is_looked_into_when_there_is_no_room(capturer, monkeypatch):
    assert capturer.capture(source(requests=1), REQUEST, "no", NOW)
    monkeypatch.setattr("bridge.pipeline.capture.diagnose", None)
    for hours in range(3):
        assert capturer.capture(source(requests=1), REQUEST, "no", NOW + hours * HOUR)


def test_a_secret_that_the_end_of_what_is_kept_cuts_in_two_is_not_kept(store, capturer):
    body = b"x" * (MAX_BODY_BYTES - 5) + b" whsec_test " + b"y" * 5000
    capturer.capture(source(), Request("POST", "/webhooks/stripe", {}, body), "no", NOW)
    (kept,) = store.captures.find("stripe")
    assert b"whse" not in kept.request.body
