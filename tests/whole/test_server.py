"""How requests are taken and answers leave, as seen by who has the connection."""

import json
import os
import re
import signal
import socket
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from tests.support.processes import until
from tests.support.stripe_events import customer_updated, signed

pytestmark = pytest.mark.slow


@pytest.fixture
def server(sqlite_world, request):
    """Its process and its URL."""
    return sqlite_world.serve(
        WEB_CONCURRENCY="1", BRIDGE_DELIVERY="off", BRIDGE_WEB_THREADS=getattr(request, "param", "32")
    )


@pytest.fixture
def serving(server):
    return server[1]


with_few_and_many_threads = pytest.mark.parametrize("server", ["1", "32"], indirect=True)


@pytest.fixture
def connect(serving):
    address = urlsplit(serving)
    with ExitStack() as connections:
        yield lambda: connections.enter_context(socket.create_connection((address.hostname, address.port), timeout=30))


@pytest.fixture
def connection(connect):
    return connect()


def request_of(url, **headers):
    given = signed(customer_updated(tier="gold"))
    made = requests.Request("POST", f"{url}/webhooks/stripe", **given).prepare()
    lines = "".join(f"{name}: {value}\r\n" for name, value in {**made.headers, **headers}.items())
    return f"POST /webhooks/stripe HTTP/1.1\r\nHost: bridge\r\n{lines}\r\n".encode(), made.body


def test_an_answer_leaves_in_one_piece(serving, connection):
    """Else a process that is killed between head and body leaves half an answer to an event that it has stored."""
    for _ in range(20):
        connection.sendall(b"".join(request_of(serving)))
        head, _, body = connection.recv(1 << 16).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK\r\n")
        assert body == b"{}"


def test_an_answer_without_a_body_leaves_too(connection):
    for _ in range(2):
        connection.sendall(b"HEAD /healthz HTTP/1.1\r\nHost: bridge\r\n\r\n")
        answer = connection.recv(1 << 16)
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        assert answer.endswith(b"\r\n\r\n")


def test_who_asks_before_sending_a_body_is_told_to_go_on(serving, connection):
    head, body = request_of(serving, Expect="100-continue")
    connection.sendall(head)
    assert connection.recv(1 << 16).startswith(b"HTTP/1.1 100 Continue\r\n")
    connection.sendall(body)
    assert connection.recv(1 << 16).startswith(b"HTTP/1.1 200 OK\r\n")


@with_few_and_many_threads
def test_two_requests_in_one_piece_get_two_answers(serving, connection):
    connection.sendall(b"".join(request_of(serving)) * 2)
    answers = b""
    while answers.count(b"\r\n\r\n{}") < 2:
        piece = connection.recv(1 << 16)
        assert piece
        answers += piece
    assert answers.count(b"HTTP/1.1 200 OK\r\n") == 2


@with_few_and_many_threads
def test_connections_that_stay_open_keep_nobody_from_being_served(serving, connect):
    """More of them than there are threads, and each asks again as soon as it is answered."""
    connections = [connect() for _ in range(40)]
    for _ in range(5):
        for one in connections:
            one.sendall(b"".join(request_of(serving)))
        for one in connections:
            assert one.recv(1 << 16).startswith(b"HTTP/1.1 200 OK\r\n")


@with_few_and_many_threads
def test_one_who_leaves_after_an_answer_keeps_nobody_from_being_served(serving, connect):
    for _ in range(40):
        with connect() as one:
            one.sendall(b"".join(request_of(serving)))
            assert one.recv(1 << 16).startswith(b"HTTP/1.1 200 OK\r\n")


TARGET = "/webhooks/stripe?token=s3cret"
HEAD = f"POST {TARGET} HTTP/1.1\r\nHost: bridge\r\n"
CHUNKED = f"{HEAD}Transfer-Encoding: chunked\r\n\r\n"
UNREADABLE = {
    "no version": (f"GET {TARGET}\r\n\r\n", 400),
    "a version to come": (f"GET {TARGET} HTTP/3.0\r\n\r\n", 505),
    "a method in small letters": (f"gET {TARGET} HTTP/1.1\r\n\r\n", 400),
    "a bare LF": (f"GET {TARGET} HTTP/1.1\nHost: bridge\n\n", 400),
    "a header without a name": (f"{HEAD}: s3cret\r\n\r\n", 400),
    "a header with a space in its name": (f"{HEAD}X y: s3cret\r\n\r\n", 400),
    "a header with a NUL": (f"{HEAD}X: s3cret\0\r\n\r\n", 400),
    "two lengths": (f"{HEAD}Content-Length: 1\r\nContent-Length: 2\r\n\r\ns3", 400),
    "another expectation": (f"{HEAD}Expect: s3cret\r\n\r\n", 417),
    "another coding": (f"{HEAD}Transfer-Encoding: s3cret\r\n\r\n", 501),
    "a long line": (f"GET {TARGET}{'x' * 5000} HTTP/1.1\r\n\r\n", 414),
    "a long header": (f"{HEAD}X: {'s3cret' * 2000}\r\n\r\n", 431),
    "many headers": (HEAD + "X: s3cret\r\n" * 200 + "\r\n", 431),
    "a broken chunk": (f"{CHUNKED}s3cret\r\n", 400),
    "a chunk longer than it says": (f"{CHUNKED}2\r\ns3cret", 400),
    "a broken trailer": (f"{CHUNKED}1\r\n{{\r\n0\r\ns3cret\r\n\r\n", 400),
    "TLS": ("\x16\x03\x01\x02", 400),
}


def test_what_nobody_can_read_is_answered_as_every_error_and_neither_repeated_nor_logged(server, connect):
    process, url = server
    for name, (sent, status) in UNREADABLE.items():
        connection = connect()
        connection.sendall(sent.encode("latin-1"))
        head, _, body = everything(connection).partition(b"\r\n\r\n")
        assert head.startswith(f"HTTP/1.1 {status} ".encode()), name
        assert b"\r\nContent-Type: application/json\r\n" in head + b"\r\n", name
        assert set(json.loads(body)["error"]) == {"code", "message", "request_id"}, name
        assert b"s3cret" not in head + body, name
    assert "s3cret" not in process.said
    assert "Traceback" not in process.said
    assert 'bridge_webhooks_total{outcome="bad_request",source=""}' in requests.get(f"{url}/metrics", timeout=10).text


def everything(connection):
    """What comes until the server closes."""
    answer = b""
    while piece := connection.recv(1 << 16):
        answer += piece
    return answer


def test_a_body_in_chunks_arrives_whole(serving, connection):
    head, body = request_of(serving)
    lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"content-length")]
    lines.insert(1, b"Transfer-Encoding: chunked")
    chunks = b"".join(b"%x\r\n%c\r\n" % (1, byte) for byte in body) + b"0\r\n\r\n"
    for _ in range(2):
        connection.sendall(b"\r\n".join(lines) + chunks)
        assert connection.recv(1 << 16).startswith(b"HTTP/1.1 200 OK\r\n")


def test_a_request_that_comes_byte_by_byte_is_answered(serving, connection):
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in b"".join(request_of(serving)):
        connection.sendall(bytes([byte]))
    assert connection.recv(1 << 16).startswith(b"HTTP/1.1 200 OK\r\n")


def test_what_is_too_large_is_refused_before_it_is_sent_and_the_answer_arrives_all_the_same(serving, connect):
    asks, sends = connect(), connect()
    head = f"{HEAD}Content-Length: {40 << 20}\r\n"
    asks.sendall(f"{head}Expect: 100-continue\r\n\r\n".encode())
    assert asks.recv(1 << 16).startswith(b"HTTP/1.1 413 ")
    sends.sendall(f"{head}\r\n".encode())
    sends.sendall(b"x" * (40 << 20))
    assert everything(sends).startswith(b"HTTP/1.1 413 ")


def test_the_largest_body_that_is_accepted_is_read(serving, connection):
    body = b"x" * (1 << 20)
    connection.sendall(f"{HEAD}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    assert connection.recv(1 << 16).startswith(b"HTTP/1.1 401 ")


def test_a_body_whose_sender_leaves_is_refused_and_not_stored(sqlite_world, serving, connection):
    head, body = request_of(serving)
    connection.sendall(head + body[:-1])
    connection.shutdown(socket.SHUT_WR)
    assert b'"code":"incomplete_body"' in everything(connection)
    with sqlite_world.store() as store:
        assert store.events.find() == []


def test_whichever_process_is_asked_the_counters_are_of_all_and_survive_kill_9(sqlite_world):
    process, url = sqlite_world.serve(WEB_CONCURRENCY="2", BRIDGE_DELIVERY="off")

    def counted():
        text = requests.get(f"{url}/metrics", timeout=10).text
        return [
            float(n) for n in re.findall(r'bridge_webhooks_total{outcome="not_verified",source="stripe"} (.*)', text)
        ]

    for _ in range(40):
        assert requests.post(f"{url}/webhooks/stripe", data=b"{}", timeout=10).status_code == 401
    assert [counted() for _ in range(10)] == [[40.0]] * 10
    for pid in Path(f"/proc/{process.popen.pid}/task/{process.popen.pid}/children").read_text().split():
        os.kill(int(pid), signal.SIGKILL)

    def goes_on():
        try:
            return counted()
        except requests.RequestException:
            return None

    assert until(goes_on, process) == [40.0]
    assert requests.post(f"{url}/webhooks/stripe", data=b"{}", timeout=10).status_code == 401
    assert counted() == [41.0]
