"""What the network may do to a call, and what a call may do to the network."""

import gzip
import socket
import threading
import time
import tracemalloc

import pytest

from bridge.metronome.client import MAX_ANSWER_BYTES
from bridge.model import Outcome, Verdict
from tests.metronome.server import (
    ENDLESS_BYTES,
    answer,
    drip,
    endless,
    hang_up_after,
    json,
    raw,
    reset,
    silence,
)

ENTITY_ID = "99594816-e8a5-4bca-be21-8d1de0f45120"

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
MOVED = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/elsewhere\r\n"


def set_values(client):
    return client.set_values("customer", ENTITY_ID, {"tier": "gold"})


NO_ANSWERS = {
    "closed at once": raw(b""),
    "reset at once": reset(b""),
    "half a status line": raw(b"HTTP/1."),
    "closed after the headers": raw(HEAD + b"Content-Length: 100\r\n\r\n"),
    "closed in the middle of the body": raw(HEAD + b'Content-Length: 100\r\n\r\n{"data": ['),
    "reset in the middle of the headers": reset(HEAD),
    "reset in the middle of the body": reset(HEAD + b'Content-Length: 100\r\n\r\n{"data": ['),
    "closed in the middle of a chunk": raw(CHUNKED + b'64\r\n{"data": ['),
    "closed before the last chunk": raw(CHUNKED + b"2\r\n{}\r\n"),
    "no length of a chunk": raw(CHUNKED + b"what\r\n{}\r\n0\r\n\r\n"),
    "not gzip": raw(HEAD + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}"),
    "another protocol": raw(b"SSH-2.0-OpenSSH_9.6\r\n"),
    "TLS": raw(b"\x15\x03\x01\x00\x02\x02\x46"),
    "noise": raw(bytes(range(256)) * 16),
    "a status that is no number": raw(b"HTTP/1.1 OK 200\r\n\r\n"),
    "a long header": raw(HEAD + b"X: " + b"x" * 100_000 + b"\r\n\r\n"),
    "many headers": raw(HEAD + b"".join(b"X-%d: x\r\n" % n for n in range(200)) + b"\r\n"),
    # A redirect is an answer, but one that breaks off is not: neither may it raise.
    "a redirect that breaks off": raw(MOVED + b"Content-Length: 100\r\n\r\n<html>"),
    "a compressed redirect that breaks off": raw(
        MOVED + b"Content-Encoding: gzip\r\nContent-Length: 100000\r\n\r\n" + b"<html>" * 10_000
    ),
}


@pytest.mark.parametrize("script", NO_ANSWERS.values(), ids=NO_ANSWERS)
def test_a_broken_answer_is_worth_another_try(serve, connect, script):
    server = serve(script)
    outcome = set_values(connect(server.url))
    assert outcome.verdict is Verdict.UNAVAILABLE
    assert len(server.seen) == 1


@pytest.mark.parametrize("script", NO_ANSWERS.values(), ids=NO_ANSWERS)
def test_the_call_after_a_broken_answer_is_not_harmed(serve, connect, script):
    server = serve(script, json({"message": "no such key"}, 400))
    client = connect(server.url)
    set_values(client)
    assert server.hung_up.wait(5)
    assert set_values(client) == Outcome(Verdict.REFUSED, 400, "no such key")


def test_nobody_at_home_is_worth_another_try(connect):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    assert set_values(connect(url)) == Outcome(Verdict.UNAVAILABLE, message="no answer: ConnectionError")


@pytest.mark.parametrize(
    "url",
    ["http://", "http://127.0.0.1:99999", "gopher://127.0.0.1", f"http://{'x' * 64}.invalid", "http://a..invalid"],
)
def test_an_address_that_is_none_does_not_raise(connect, url):
    assert set_values(connect(url)).verdict is Verdict.UNAVAILABLE


def test_silence_ends_with_the_timeout(serve, connect):
    server = serve(silence)
    outcome = set_values(connect(server.url, timeout_seconds=0.2))
    assert outcome == Outcome(Verdict.UNAVAILABLE, message="no answer: ReadTimeout")


def test_silence_in_the_middle_of_an_answer_ends_with_the_timeout(serve, connect):
    def begin(handler):
        handler.wfile.write(HEAD + b'Content-Length: 100\r\n\r\n{"data": [')
        silence(handler)

    server = serve(begin)
    outcome = set_values(connect(server.url, timeout_seconds=0.2))
    assert (outcome.verdict, outcome.status) == (Verdict.UNAVAILABLE, None)


def test_an_answer_that_trickles_in_ends_with_the_timeout(serve, connect):
    """A call must be over before the lease of its entity is, however the answer comes in."""
    server = serve(drip(HEAD + b"Content-Length: 20\r\n\r\n", b"{" + b" " * 18 + b"}"))
    client = connect(server.url, timeout_seconds=0.2, clock=lambda: time.time_ns() // 1000)
    assert set_values(client).verdict is Verdict.UNAVAILABLE


ENDLESS = {
    "until it is closed": endless(HEAD + b"\r\n"),
    "of a known length": endless(HEAD + b"Content-Length: 999999999999\r\n\r\n"),
    "in chunks": endless(CHUNKED, b"10000\r\n" + b" " * (1 << 16) + b"\r\n"),
    "of an error": endless(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    "of a redirect": endless(MOVED + b"\r\n"),
}


@pytest.mark.parametrize("script", ENDLESS.values(), ids=ENDLESS)
def test_an_endless_answer_is_not_read_to_its_end(serve, connect, script):
    server = serve(script, answer())
    client = connect(server.url)
    assert set_values(client).verdict is Verdict.UNAVAILABLE
    # What sockets hold back comes on top of what was read.
    assert server.bytes_sent < 4 * MAX_ANSWER_BYTES < ENDLESS_BYTES
    assert set_values(client).verdict is Verdict.ACCEPTED


def test_a_small_answer_that_unfolds_is_not_unfolded_to_its_end(serve, connect):
    member = gzip.compress(bytes(MAX_ANSWER_BYTES), 1)
    server = serve(answer(200, member * 16, {"Content-Encoding": "gzip"}))
    client = connect(server.url)
    tracemalloc.start()
    try:
        outcome = set_values(client)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (outcome.verdict, outcome.status) == (Verdict.UNAVAILABLE, None)
    assert peak < 4 * MAX_ANSWER_BYTES


def test_a_large_answer_is_read(serve, connect):
    page = {"data": [{"id": ENTITY_ID, "name": "x" * 1000}] * 10_000, "next_page": None}
    server = serve(json(page))
    outcome, got = connect(server.url).customers({})
    assert outcome.verdict is Verdict.ACCEPTED
    assert len(got["data"]) == 10_000


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("call", ["set_values", "customers"])
def test_a_redirect_is_not_followed(serve, connect, status, call):
    elsewhere = serve(json({"data": [], "next_page": None}))
    server = serve(answer(status, b"", {"Location": f"{elsewhere.url}/v1/customers"}))
    client = connect(server.url)
    outcome = set_values(client) if call == "set_values" else client.customers({})[0]
    assert (outcome.verdict, outcome.status) == (Verdict.UNAVAILABLE, status)
    assert len(server.seen) == 1
    assert (elsewhere.seen, elsewhere.connections) == ([], [])


def test_a_redirect_to_itself_is_not_followed_either(serve, connect):
    server = serve(answer(307, b"", {"Location": "/v1/customFields/setValues"}), answer())
    assert set_values(connect(server.url)).status == 307
    assert len(server.seen) == 1


@pytest.mark.parametrize("location", ["http://[::1", "//", "http://", "\xff\xfe", "javascript:alert(1)", ""])
def test_a_redirect_to_nowhere_does_not_raise(serve, connect, location):
    server = serve(answer(302, b"", {"Location": location}))
    assert set_values(connect(server.url)).verdict is Verdict.UNAVAILABLE


def test_one_connection_serves_many_calls(serve, connect):
    statuses = [200, 204, 400, 401, 404, 409, 429, 500, 503, 200]
    server = serve(*[answer(status, b'{"message": "as it is"}') for status in statuses])
    client = connect(server.url)
    assert [set_values(client).status for _ in statuses] == statuses
    assert len(server.connections) == 1


def test_a_connection_that_was_closed_meanwhile_is_made_anew(serve, connect):
    server = serve(hang_up_after(answer()), answer())
    client = connect(server.url)
    assert set_values(client).verdict is Verdict.ACCEPTED
    assert server.hung_up.wait(5)
    assert set_values(client).verdict is Verdict.ACCEPTED
    assert len(server.connections) == 2


def test_each_thread_has_a_connection_of_its_own(serve, connect):
    server = serve(answer())
    client = connect(server.url)
    sessions = []

    def call_twice():
        session = client.session()
        assert set_values(client).verdict is Verdict.ACCEPTED
        assert set_values(client).verdict is Verdict.ACCEPTED
        assert client.session() is session
        sessions.append(session)
        session.close()

    threads = [threading.Thread(target=call_twice) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(session) for session in sessions}) == 3
    assert len(server.connections) == 3
    assert len(server.seen) == 6
