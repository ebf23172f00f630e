"""How requests are taken and answers leave, as seen by who has the connection."""

import socket
from contextlib import ExitStack
from urllib.parse import urlsplit

import pytest
import requests

from tests.support.stripe_events import customer_updated, signed

pytestmark = pytest.mark.slow


@pytest.fixture
def serving(sqlite_world, request):
    sqlite_world.sandbox()
    _, url = sqlite_world.serve(WEB_CONCURRENCY="1", BRIDGE_WEB_THREADS=getattr(request, "param", "32"))
    return url


with_few_and_many_threads = pytest.mark.parametrize("serving", ["1", "32"], indirect=True)


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
