"""What each answer of Metronome means, told by a real server."""

import time
from email.utils import formatdate

import orjson
import pytest

from bridge import __version__
from bridge.metronome.client import MAX_MESSAGE_LENGTH
from bridge.model import Outcome, Verdict
from bridge.times import HOUR, MILLISECOND, SECOND
from tests.metronome.conftest import NOW, TOKEN
from tests.metronome.server import answer, json, zipped

ENTITY_ID = "99594816-e8a5-4bca-be21-8d1de0f45120"

STATUSES = [
    (200, Verdict.ACCEPTED),
    (201, Verdict.ACCEPTED),
    (202, Verdict.ACCEPTED),
    (204, Verdict.ACCEPTED),
    (301, Verdict.UNAVAILABLE),
    (302, Verdict.UNAVAILABLE),
    (304, Verdict.UNAVAILABLE),
    (307, Verdict.UNAVAILABLE),
    (308, Verdict.UNAVAILABLE),
    (400, Verdict.REFUSED),
    (401, Verdict.UNAUTHORIZED),
    (403, Verdict.FORBIDDEN),
    (404, Verdict.UNKNOWN),
    (408, Verdict.UNAVAILABLE),
    (409, Verdict.CONFLICT),
    (413, Verdict.REFUSED),
    (422, Verdict.REFUSED),
    (429, Verdict.LIMITED),
    (500, Verdict.UNAVAILABLE),
    (501, Verdict.UNAVAILABLE),
    (502, Verdict.UNAVAILABLE),
    (503, Verdict.UNAVAILABLE),
    (504, Verdict.UNAVAILABLE),
    (599, Verdict.UNAVAILABLE),
]


def in_seconds(seconds):
    return formatdate(NOW / SECOND + seconds, usegmt=True)


def set_values(client):
    return client.set_values("customer", ENTITY_ID, {"tier": "gold"})


CALLS = {
    "set_values": set_values,
    "delete_values": lambda client: client.delete_values("customer", ENTITY_ID, ["tier"]),
    "customers": lambda client: client.customers({"ingest_alias": "cus_1"})[0],
    "contracts": lambda client: client.contracts(ENTITY_ID)[0],
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize(("status", "verdict"), STATUSES)
def test_a_status_has_one_meaning(serve, connect, call, status, verdict):
    server = serve(answer(status, b'{"data": [], "next_page": null}'))
    outcome = call(connect(server.url))
    if status == 204 and call in (CALLS["customers"], CALLS["contracts"]):
        verdict = Verdict.UNAVAILABLE  # no content is no list
    assert (outcome.verdict, outcome.status) == (verdict, status)


@pytest.mark.parametrize("status", [status for status, verdict in STATUSES if verdict is not Verdict.ACCEPTED])
def test_nothing_is_tried_twice(serve, connect, status):
    server = serve(answer(status, b"{}", {"Retry-After": "0"}))
    set_values(connect(server.url))
    assert len(server.seen) == 1


MESSAGES = [
    pytest.param(b'{"message": "no such key"}', "no such key", id="message"),
    pytest.param(b'{"code": "CustomerNotFound", "message": "no such key"}', "no such key", id="more than a message"),
    pytest.param('{"message": "Schlüssel 🔑"}'.encode(), "Schlüssel 🔑", id="not ASCII"),
    pytest.param(b'{"message": ""}', "Bad Request", id="empty message"),
    pytest.param(b'{"message": null}', "Bad Request", id="null message"),
    pytest.param(b'{"error": "no such key"}', "Bad Request", id="another shape"),
    pytest.param(b'["no such key"]', "Bad Request", id="array"),
    pytest.param(b'"no such key"', "Bad Request", id="string"),
    pytest.param(b"", "Bad Request", id="empty"),
    pytest.param(b"<html><h1>400</h1></html>", "Bad Request", id="HTML"),
    pytest.param(b'{"message": "no such', "Bad Request", id="half a JSON"),
    pytest.param(b"\x00\xff\xfe\x89PNG\r\n\x1a\n", "Bad Request", id="binary"),
    pytest.param(b'{"message": "\\ud800"}', "Bad Request", id="lone surrogate"),
    pytest.param(b'{"message": "no\\u0000key"}', "no\ufffdkey", id="NUL"),
    pytest.param(b"[" * 100_000, "Bad Request", id="deep"),
]


@pytest.mark.parametrize(("body", "message"), MESSAGES)
def test_a_refusal_is_told_in_metronomes_words_or_its_status(serve, connect, body, message):
    server = serve(answer(400, body))
    assert set_values(connect(server.url)) == Outcome(Verdict.REFUSED, 400, message)


@pytest.mark.parametrize("message", [{"key": "tier"}, ["tier"], 17, True])
def test_a_message_of_another_type_is_still_text(serve, connect, message):
    server = serve(json({"message": message}, 400))
    assert set_values(connect(server.url)).message == str(message)


def test_a_huge_message_is_cut(serve, connect):
    server = serve(json({"message": "x" * 1_000_000}, 400))
    assert set_values(connect(server.url)).message == "x" * MAX_MESSAGE_LENGTH


def test_a_huge_answer_without_a_message_is_told_by_its_status(serve, connect):
    server = serve(answer(400, b"x" * 1_000_000))
    assert set_values(connect(server.url)).message == "Bad Request"


def test_a_compressed_answer_is_read(serve, connect):
    server = serve(zipped({"message": "no such key"}, 422))
    assert set_values(connect(server.url)).message == "no such key"


WAITS = [
    ({}, None),
    ({"Retry-After": "7"}, 7 * SECOND),
    ({"Retry-After": "0"}, 0),
    ({"Retry-After": "1.5"}, 1_500_000),
    ({"Retry-After": "0.000001"}, 1),
    ({"Retry-After": " 7 "}, 7 * SECOND),
    ({"Retry-After": in_seconds(30)}, 30 * SECOND),
    # The two old forms of a date: https://www.rfc-editor.org/rfc/rfc9110#name-date-time-formats
    ({"Retry-After": "Sunday, 22-Nov-26 10:00:30 GMT"}, 30 * SECOND),
    ({"Retry-After": "Sun Nov 22 10:00:30 2026"}, 30 * SECOND),
    ({"retry-after-ms": "250"}, 250 * MILLISECOND),
    ({"retry-after-ms": "0.5"}, 500),
    ({"retry-after-ms": "250", "Retry-After": "7"}, 250 * MILLISECOND),
    ({"retry-after-ms": "soon", "Retry-After": "7"}, 7 * SECOND),
    ({"retry-after-ms": "", "Retry-After": in_seconds(30)}, 30 * SECOND),
    # What says nothing: the caller's own backoff applies.
    ({"Retry-After": ""}, None),
    ({"Retry-After": "soon"}, None),
    ({"Retry-After": "7 seconds"}, None),
    ({"Retry-After": "nan"}, None),
    ({"Retry-After": "inf"}, None),
    ({"Retry-After": "-7"}, None),
    ({"retry-after-ms": "-250"}, None),
    ({"Retry-After": in_seconds(-30)}, None),
    ({"Retry-After": "Thu, 01 Jan 1970 00:00:00 GMT"}, None),
    ({"Retry-After": "Thu, 31 Feb 2027 00:00:00 GMT"}, None),
    ({"Retry-After": "Fri, 31 Dec 99999 23:59:59 GMT"}, None),
    # What asks for too much.
    ({"Retry-After": "86400"}, HOUR),
    ({"Retry-After": "1e300"}, HOUR),
    ({"retry-after-ms": "99999999999999999999"}, HOUR),
    ({"Retry-After": in_seconds(86400)}, HOUR),
    ({"Retry-After": "Fri, 31 Dec 9999 23:59:59 GMT"}, HOUR),
]


@pytest.fixture(params=["UTC", "America/New_York", "Asia/Kolkata"])
def zone(request, monkeypatch):
    """The zone that the machine is in."""
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(("headers", "wait"), WAITS, ids=[str(headers) for headers, _ in WAITS])
def test_how_long_to_wait_is_read_in_every_form(serve, connect, headers, wait):
    server = serve(json({"message": "slow down"}, 429, headers))
    assert set_values(connect(server.url)) == Outcome(Verdict.LIMITED, 429, "slow down", wait)


@pytest.mark.parametrize("date", [in_seconds(30), "Sunday, 22-Nov-26 10:00:30 GMT", "Sun Nov 22 10:00:30 2026"])
def test_a_date_is_in_utc_wherever_the_machine_is(serve, connect, zone, date):
    server = serve(json({}, 429, {"Retry-After": date}))
    assert set_values(connect(server.url)).retry_after == 30 * SECOND


def test_an_outage_may_say_how_long_to_wait_too(serve, connect):
    server = serve(answer(503, b"", {"Retry-After": "20"}))
    assert set_values(connect(server.url)) == Outcome(Verdict.UNAVAILABLE, 503, "Service Unavailable", 20 * SECOND)


def test_success_says_nothing_but_its_status(serve, connect):
    server = serve(json({"message": "done"}, 200, {"Retry-After": "20"}))
    assert set_values(connect(server.url)) == Outcome(Verdict.ACCEPTED, 200)


def test_a_call_says_who_calls_and_nothing_that_metronome_would_remember(serve, connect):
    server = serve(json({"data": [], "next_page": None}))
    client = connect(server.url)
    for call in CALLS.values():
        call(client)
    assert len(server.seen) == len(CALLS)
    for seen in server.seen:
        assert seen.headers["user-agent"] == f"metronome-bridge/{__version__}"
        assert seen.headers["authorization"] == f"Bearer {TOKEN}"
        assert seen.headers["accept"] == "application/json"
        assert not [name for name in seen.headers if "idempotency" in name]


def test_text_arrives_as_it_is(serve, connect):
    server = serve()
    values = {"größe": "L", "emoji": "🎉 " * 60, "quote": '"\\\n\t\x00', "empty": ""}
    connect(server.url).set_values("customer", ENTITY_ID, values)
    connect(server.url).delete_values("customer", ENTITY_ID, list(values))
    assert server.seen[0].json["custom_fields"] == values
    assert server.seen[1].json["keys"] == list(values)


@pytest.mark.parametrize("alias", ["cus_1", "a&b=c", "50% + 1", "größe", "a/b?c#d", "x\r\nHost: y", ""])
def test_a_query_arrives_as_it_is(serve, connect, alias):
    server = serve(json({"data": [], "next_page": None}))
    connect(server.url).customers({"ingest_alias": alias, "limit": "100"})
    assert server.seen[0].query == {"ingest_alias": [alias], "limit": ["100"]}


def test_a_page_of_customers_is_handed_over(serve, connect):
    page = {"data": [{"id": ENTITY_ID, "custom_fields": {"tier": "gold"}}], "next_page": "2"}
    server = serve(json(page))
    assert connect(server.url).customers({"limit": "100"}) == (Outcome(Verdict.ACCEPTED, 200), page)


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b"<html>", b'{"data": null}', b'{"data": {"id": "1"}}', b'{"data": "none"}']
)
def test_an_answer_that_is_no_page_is_no_answer(serve, connect, body):
    server = serve(answer(200, body))
    client = connect(server.url)
    for outcome, page in (client.customers({"limit": "100"}), client.contracts(ENTITY_ID)):
        assert (outcome.verdict, outcome.status, page) == (Verdict.UNAVAILABLE, 200, {})


def test_a_base_url_may_have_a_path(serve, connect):
    server = serve()
    set_values(connect(f"{server.url}/metronome"))
    assert server.seen[0].path == "/metronome/v1/customFields/setValues"


def test_a_body_is_json_of_a_known_length(serve, connect):
    server = serve()
    set_values(connect(server.url))
    seen = server.seen[0]
    assert seen.headers["content-type"] == "application/json"
    assert seen.headers["content-length"] == str(len(seen.body))
    assert orjson.loads(seen.body) == {"entity": "customer", "entity_id": ENTITY_ID, "custom_fields": {"tier": "gold"}}
