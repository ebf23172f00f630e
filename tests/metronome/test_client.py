"""What each answer of Metronome means, told by a real server."""

import time
from email.utils import formatdate

import orjson
import pytest

from bridge import __version__
from bridge.metronome.answers import MAX_MESSAGE_LENGTH, NOT_AN_ERROR, REDIRECTED, WEB_PAGE
from bridge.model import Outcome, Verdict
from bridge.times import HOUR, MINUTE, SECOND
from tests.metronome.conftest import NOW, TOKEN
from tests.metronome.server import answer, json, raw, zipped

ENTITY_ID = "99594816-e8a5-4bca-be21-8d1de0f45120"

DECIDED = {
    400: Verdict.REFUSED,
    401: Verdict.UNAUTHORIZED,
    403: Verdict.FORBIDDEN,
    404: Verdict.UNKNOWN,
    409: Verdict.CONFLICT,
    422: Verdict.REFUSED,
    429: Verdict.LIMITED,
}
STATUSES = [
    *((status, Verdict.ACCEPTED) for status in (200, 201, 202, 204)),
    *((status, Verdict.UNAVAILABLE) for status in (203, 205, 206, 207, 226)),
    *((status, Verdict.UNAVAILABLE) for status in (300, 301, 302, 303, 304, 305, 307, 308)),
    *((status, DECIDED.get(status, Verdict.UNAVAILABLE)) for status in range(400, 500)),
    *((status, Verdict.UNAVAILABLE) for status in (500, 501, 502, 503, 504, 520, 599, 600, 999)),
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
    server = serve(answer(status, b'{"data": [], "next_page": null, "message": "as it is"}'))
    outcome = call(connect(server.url))
    if status == 204 and call in (CALLS["customers"], CALLS["contracts"]):
        verdict = Verdict.UNAVAILABLE  # no content is no list
    assert (outcome.verdict, outcome.status) == (verdict, status)


@pytest.mark.parametrize("status", [status for status, verdict in STATUSES if verdict is not Verdict.ACCEPTED])
def test_nothing_is_tried_twice(serve, connect, status):
    server = serve(answer(status, b"{}", {"Retry-After": "0"}))
    set_values(connect(server.url))
    assert len(server.seen) == 1


# Only Metronome's own errors decide. Each of them has a message, says its description of the API.

FOREIGN = {
    "empty": b"",
    "HTML": b"<html><h1>no</h1></html>",
    "text": b"Forbidden by policy",
    "another shape": b'{"error": "no such key"}',
    "no message": b'{"message": null}',
    "array": b'["no such key"]',
    "string": b'"no such key"',
    "half a JSON": b'{"message": "no such',
    "two of them": b'{"message": "no"}{"message": "no"}',
    "binary": b"\x00\xff\xfe\x89PNG\r\n\x1a\n",
    "deep": b"[" * 50_000,
    "long": b'{"message": "no such key", "more": "' + b"x" * 300_000 + b'"}',
}


@pytest.mark.parametrize("body", FOREIGN.values(), ids=FOREIGN)
@pytest.mark.parametrize("status", [status for status in DECIDED if status != 429])
def test_an_error_that_is_not_metronomes_decides_nothing(serve, connect, status, body):
    server = serve(answer(status, body))
    outcome = set_values(connect(server.url))
    assert (outcome.verdict, outcome.status) == (Verdict.UNAVAILABLE, status)
    assert outcome.message.endswith(NOT_AN_ERROR)


@pytest.mark.parametrize("status", [200, 401, 403, 404])
def test_a_web_page_is_told_with_what_to_check(serve, connect, status):
    page = answer(status, b'{"message": "says a page"}', {"Content-Type": "text/html; charset=utf-8"})
    outcome = set_values(connect(serve(page).url))
    assert outcome.verdict is Verdict.UNAVAILABLE
    assert outcome.message.endswith(WEB_PAGE)
    assert "METRONOME_BASE_URL" in outcome.message


@pytest.mark.parametrize("body", FOREIGN.values(), ids=FOREIGN)
def test_a_limit_counts_in_whatever_form_it_comes(serve, connect, body):
    server = serve(answer(429, body, {"Retry-After": "7"}))
    assert set_values(connect(server.url)) == Outcome(Verdict.LIMITED, 429, "Too Many Requests", 7 * SECOND)


@pytest.mark.parametrize("body", [b"", b"{}", b" \r\n", b'{"message": "done"}', b"{}\n"])
def test_a_success_is_empty_or_an_object(serve, connect, body):
    assert set_values(connect(serve(answer(200, body)).url)) == Outcome(Verdict.ACCEPTED, 200)


NOT_SUCCESSES = {
    "HTML": b"<!doctype html><title>Log in</title>",
    "text": b"OK",
    "array": b"[]",
    "string": b'""',
    "null": b"null",
    "number": b"0",
    "half an object": b'{"data": [',
    "NaN": b'{"a": NaN}',
    "binary": b"\x00\x01",
    "deep": b"[" * 100_000,
}


@pytest.mark.parametrize("body", NOT_SUCCESSES.values(), ids=NOT_SUCCESSES)
def test_a_200_with_anything_else_is_not_a_success(serve, connect, body):
    outcome = set_values(connect(serve(answer(200, body)).url))
    assert (outcome.verdict, outcome.status) == (Verdict.UNAVAILABLE, 200)
    assert "METRONOME_BASE_URL" in outcome.message


def test_a_redirect_is_told_with_what_to_set(serve, connect):
    server = serve(json({"message": "as it is"}, 307, {"Location": "http://169.254.169.254/latest/meta-data"}))
    assert set_values(connect(server.url)) == Outcome(Verdict.UNAVAILABLE, 307, REDIRECTED)
    assert "METRONOME_BASE_URL" in REDIRECTED


SCOPES = [
    ({}, None),
    ({"X-Metronome-Rate-Limit-Type": "customer"}, "customer"),
    ({"x-metronome-rate-limit-type": "Client "}, "client"),
    ({"X-Metronome-Rate-Limit-Type": "galaxy"}, None),
    ({"X-Metronome-Rate-Limit-Type": ""}, None),
]


@pytest.mark.parametrize(("headers", "scope"), SCOPES, ids=str)
def test_what_a_limit_counts_is_told(serve, connect, headers, scope):
    assert set_values(connect(serve(json({"message": "slow"}, 429, headers)).url)).scope == scope
    assert set_values(connect(serve(json({"message": "slow"}, 503, headers)).url)).scope is None


MESSAGES = [
    pytest.param(b'{"message": "no such key"}', "no such key", id="message"),
    pytest.param(b'{"code": "CustomerNotFound", "message": "no such key"}', "no such key", id="more than a message"),
    pytest.param('{"message": "Schlüssel 🔑"}'.encode(), "Schlüssel 🔑", id="not ASCII"),
    pytest.param(b'{"message": ""}', "Bad Request", id="empty message"),
    pytest.param(b'{"message": "\\ud83d is cut"}', "\ufffd is cut", id="half a character"),
    pytest.param(b'{"message": "\\ud83d\\udd11 is whole"}', "🔑 is whole", id="two halves"),
    pytest.param(b'{"message": "no\\u0000key"}', "no\ufffdkey", id="NUL"),
    pytest.param(b'{"message": "no\\u001b[31mkey\\u202e"}', "no\ufffd[31mkey\ufffd", id="controls"),
    pytest.param(b'{"message": "no\\r\\nsuch\\tkey\\u2028"}', "no such key", id="lines"),
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
    server = serve(json({"message": "x" * 200_000}, 400))
    assert set_values(connect(server.url)).message == "x" * MAX_MESSAGE_LENGTH


@pytest.mark.parametrize(
    "quoted", [f"Bearer {TOKEN}", TOKEN, f"<{TOKEN}>", f"Authorization: bearer {TOKEN[:9]}...", f"x{TOKEN}x"]
)
@pytest.mark.parametrize("status", [400, 401, 429, 500])
def test_a_message_that_quotes_the_token_is_redacted(serve, connect, status, quoted):
    message = set_values(connect(serve(json({"message": f"bad header {quoted} given"}, status)).url)).message
    assert TOKEN[:9] not in message
    assert "[redacted]" in message
    assert message.startswith("bad header ")


def test_a_token_is_redacted_before_a_message_is_cut(serve, connect):
    text = "x" * (MAX_MESSAGE_LENGTH - 5) + TOKEN
    message = set_values(connect(serve(json({"message": text}, 400)).url)).message
    assert TOKEN[:5] not in message
    assert len(message) == MAX_MESSAGE_LENGTH


def test_a_compressed_answer_is_read(serve, connect):
    server = serve(zipped({"message": "no such key"}, 422))
    assert set_values(connect(server.url)).message == "no such key"


@pytest.fixture(params=["UTC", "America/New_York", "Asia/Kolkata"])
def zone(request, monkeypatch):
    """The zone that the machine is in."""
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize("date", [in_seconds(30), "Sunday, 22-Nov-26 10:00:30 GMT", "Sun Nov 22 10:00:30 2026"])
def test_a_date_is_in_utc_wherever_the_machine_is(serve, connect, zone, date):
    server = serve(raw(b"HTTP/1.1 429 Slow\r\nContent-Length: 0\r\nRetry-After: " + date.encode() + b"\r\n\r\n"))
    assert set_values(connect(server.url)).retry_after == 30 * SECOND


CUTS = [
    (429, {"Retry-After": str(365 * 86_400)}, (HOUR, "slow down (asked to wait 365 days, waiting 1 hour)")),
    (503, {"Retry-After": "86400"}, (5 * MINUTE, "slow down (asked to wait 1 day, waiting 5 minutes)")),
    (429, {"Retry-After": "0"}, (SECOND, "slow down (asked to wait 0 seconds, waiting 1 second)")),
    (429, {"Retry-After": "soon"}, (None, "slow down (its Retry-After is neither a number nor a date)")),
    (429, {"Retry-After": "7"}, (7 * SECOND, "slow down")),
]


@pytest.mark.parametrize(("status", "headers", "told"), CUTS, ids=str)
def test_a_wait_that_is_changed_is_told(serve, connect, status, headers, told):
    outcome = set_values(connect(serve(json({"message": "slow down"}, status, headers)).url))
    assert (outcome.retry_after, outcome.message) == told


def test_of_several_waits_the_longest_counts(serve, connect):
    head = b"HTTP/1.1 429 Slow\r\nContent-Length: 0\r\nRetry-After: 2\r\nRetry-After: 9\r\nRetry-After: soon\r\n\r\n"
    assert set_values(connect(serve(raw(head)).url)).retry_after == 9 * SECOND


def test_a_date_is_compared_with_the_servers_own_clock(serve, connect):
    dates = f"Date: {in_seconds(-7200)}\r\nRetry-After: {in_seconds(-7170)}\r\n\r\n".encode()
    server = serve(raw(b"HTTP/1.1 429 Slow\r\nContent-Length: 0\r\n" + dates))
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
