"""A call is over in time and reads no more than it must, whatever the other side does with the connection."""

import socket
import ssl
import threading
import time
from itertools import product

import pytest

from bridge.metronome import transport
from bridge.metronome.client import MAX_ANSWER_BYTES, Client
from bridge.metronome.transport import MAX_INTERIM, Deadline, Guarded, Resolver
from bridge.model import Outcome, Verdict
from tests.metronome.conftest import NOW, TOKEN
from tests.metronome.server import answer, drip, endless, hang_up_after, json, listening, raw, reset, silence, tunnel

ENTITY_ID = "99594816-e8a5-4bca-be21-8d1de0f45120"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
#: Each drips for at least this long, and the call must be over long before.
DRIP_BYTES = 600
LIMIT = 0.3
#: Twice the limit is allowed; a loaded machine gets more.
GENEROUS = 8


def set_values(client, values=None):
    return client.set_values("customer", ENTITY_ID, values or {"tier": "gold"})


def timed(client, values=None):
    began = time.monotonic()
    outcome = set_values(client, values)
    return outcome, time.monotonic() - began


@pytest.fixture
def ours(certificate, monkeypatch):
    files = certificate("IP:127.0.0.1")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(files[0]))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files)
    return context


FOREVER = {
    "silence": silence,
    "a status line, byte by byte": drip(b"", b"HTTP/1.1 200 " + b"O" * DRIP_BYTES),
    "a head, byte by byte": drip(HEAD, b"X-Drip: " + b"x" * DRIP_BYTES),
    "headers, byte by byte": drip(HEAD, b"X: y\r\n" * (DRIP_BYTES // 6)),
    "a body, byte by byte": drip(HEAD + b"Content-Length: 1000\r\n\r\n", b" " * DRIP_BYTES),
    "chunks, byte by byte": drip(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n" * (DRIP_BYTES // 6)),
    "trailers, byte by byte": drip(HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X: y\r\n" * (DRIP_BYTES // 6)),
    "an error, byte by byte": drip(b"HTTP/1.1 400 No\r\nContent-Length: 1000\r\n\r\n", b" " * DRIP_BYTES),
    "interim answers, one after the other": drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * (DRIP_BYTES // 25)),
    "nothing in a compressed body": endless(
        HEAD + b"Content-Encoding: gzip\r\n\r\n", bytes.fromhex("1f8b08000000000000030300000000000000000000") * 1000
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("script", FOREVER.values(), ids=FOREVER)
def test_no_answer_takes_longer_than_the_timeouts_together(serve, connect, script):
    outcome, seconds = timed(connect(serve(script).url, timeout_seconds=LIMIT))
    assert outcome.verdict is Verdict.UNAVAILABLE
    assert seconds < GENEROUS


@pytest.mark.slow
@pytest.mark.parametrize("name", ["silence", "a head, byte by byte", "a body, byte by byte"])
def test_no_answer_over_tls_takes_longer_either(serve, connect, ours, name):
    outcome, seconds = timed(connect(serve(FOREVER[name], context=ours).url, timeout_seconds=LIMIT))
    assert outcome.verdict is Verdict.UNAVAILABLE
    assert seconds < GENEROUS


@pytest.mark.slow
def test_a_handshake_that_does_not_go_on_ends_in_time(serve, connect):
    def tls_record_byte_by_byte(connection, stopping):
        for byte in b"\x16\x03\x03\x40\x00" + b"\x02" * DRIP_BYTES:
            connection.sendall(bytes([byte]))
            if stopping.wait(0.05):
                return

    with listening(tls_record_byte_by_byte) as port:
        outcome, seconds = timed(connect(f"https://127.0.0.1:{port}", timeout_seconds=LIMIT))
    assert outcome.verdict is Verdict.UNAVAILABLE
    assert seconds < GENEROUS


def test_a_handshake_that_begins_too_late_leaves_its_socket_to_one_owner():
    ours, theirs = socket.socketpair()
    now = [0.0]
    deadline = Deadline(lambda: now[0])
    deadline.begin(1)
    now[0] = 2.0
    with ours, theirs, pytest.raises(TimeoutError):
        ssl.create_default_context().wrap_socket(Guarded(ours, deadline), server_hostname="metronome.invalid")
    # Otherwise both would close the same number, which by then may be another's.
    assert ours.fileno() == -1


@pytest.mark.slow
def test_a_request_that_is_not_read_ends_in_time(connect):
    with listening(lambda _, stopping: stopping.wait()) as port:
        values = {f"key {number}": "x" * 200 for number in range(100_000)}
        outcome, seconds = timed(connect(f"http://127.0.0.1:{port}", timeout_seconds=LIMIT), values)
    assert outcome.verdict is Verdict.UNAVAILABLE
    assert seconds < GENEROUS


@pytest.mark.slow
@pytest.mark.parametrize(
    "script",
    [drip(b"", b"HTTP/1.1 200 " + b"O" * DRIP_BYTES), drip(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n" * 100), silence],
)
def test_a_proxy_that_does_not_open_its_tunnel_ends_in_time(serve, connect, monkeypatch, script):
    monkeypatch.setenv("HTTPS_PROXY", serve(script).url)
    outcome, seconds = timed(connect("https://metronome.invalid", timeout_seconds=LIMIT))
    assert outcome.verdict is Verdict.UNAVAILABLE
    assert seconds < GENEROUS


@pytest.mark.slow
@pytest.mark.parametrize("case", [*product(["nothing", "a head, byte by byte", "a body, byte by byte"], [False, True])])
def test_an_answer_through_a_tunnel_ends_in_time(serve, connect, ours, monkeypatch, case):
    name, is_tls = case
    server = serve(FOREVER.get(name, answer()), context=ours)
    proxy = serve(tunnel(server.server_port), context=ours if is_tls else None)
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    client = connect(server.url, timeout_seconds=10 if name == "nothing" else 2 * LIMIT)
    outcome, seconds = timed(client)
    assert outcome.verdict is (Verdict.ACCEPTED if name == "nothing" else Verdict.UNAVAILABLE)
    assert len(server.seen) == 1, outcome
    assert seconds < GENEROUS
    assert TOKEN not in str(proxy.seen)


def test_an_endless_head_is_not_read_to_its_end(serve, connect):
    for head in (HEAD + b"X: ", HEAD, b"HTTP/1.1 200 "):
        server = serve(endless(head, b"x" * 1000 + (b"\r\nX: " if head is HEAD else b"")))
        assert set_values(connect(server.url)).verdict is Verdict.UNAVAILABLE
        assert server.bytes_sent < MAX_ANSWER_BYTES


def test_interim_answers_without_end_are_given_up(serve, connect):
    server = serve(endless(b"", b"HTTP/1.1 102 Processing\r\n\r\n" * 100))
    assert set_values(connect(server.url)).verdict is Verdict.UNAVAILABLE
    assert server.bytes_sent < MAX_ANSWER_BYTES


@pytest.mark.parametrize("interim", [b"100 Continue", b"102 Processing", b"103 Early Hints\r\nLink: </style.css>"])
def test_an_interim_answer_is_passed_over(serve, connect, interim):
    before = (b"HTTP/1.1 " + interim + b"\r\n\r\n") * (MAX_INTERIM - 1)
    final = b'HTTP/1.1 400 No\r\nContent-Length: 25\r\n\r\n{"message":"no such key"}'
    server = serve(raw(before + final))
    assert set_values(connect(server.url)) == Outcome(Verdict.REFUSED, 400, "no such key")


HALF_HEADS = [b"HTTP/1.1 200", b"HTTP/1.1 200 OK", b"HTTP/1.1 200 OK\r\n", HEAD, HEAD + b"Content-Le", HEAD + b"X: y\r"]


@pytest.mark.parametrize("head", HALF_HEADS)
def test_half_a_head_is_not_an_answer(serve, connect, head):
    server = serve(raw(head))
    outcome = set_values(connect(server.url))
    assert (outcome.verdict, outcome.status) == (Verdict.UNAVAILABLE, None)
    assert len(server.seen) == 1


@pytest.mark.parametrize("status", [400, 429, 503])
def test_a_long_error_is_read_for_its_status_and_its_connection_dropped(serve, connect, status):
    server = serve(endless(b"HTTP/1.1 %d No\r\nRetry-After: 7\r\n\r\n" % status), answer())
    client = connect(server.url)
    outcome = set_values(client)
    assert (outcome.verdict, outcome.status) == (Verdict.LIMITED if status == 429 else Verdict.UNAVAILABLE, status)
    assert outcome.retry_after == 7_000_000
    # What sockets hold back comes on top of what was read.
    assert server.bytes_sent < MAX_ANSWER_BYTES
    assert set_values(client).verdict is Verdict.ACCEPTED


@pytest.mark.slow
def test_a_limit_whose_body_breaks_off_is_still_a_limit(serve, connect):
    server = serve(raw(b"HTTP/1.1 429 Slow\r\nRetry-After: 7\r\nContent-Length: 100\r\n\r\n{"))
    assert set_values(connect(server.url)) == Outcome(Verdict.LIMITED, 429, "Slow", 7_000_000)


def test_nothing_that_an_answer_wants_remembered_comes_back(serve, connect):
    server = serve(json({}, 200, {"Set-Cookie": "session=1; Path=/"}))
    client = connect(server.url)
    set_values(client)
    set_values(client)
    assert [seen.headers.get("cookie") for seen in server.seen] == [None, None]


# Connections that were kept open.


BREAKS = {"closed": raw(b""), "reset": reset(b"")}


@pytest.mark.parametrize("broken", BREAKS.values(), ids=BREAKS)
def test_a_kept_connection_that_breaks_before_any_byte_is_replaced_at_once(serve, connect, broken):
    server = serve(answer(), broken, answer())
    client = connect(server.url)
    assert [set_values(client), set_values(client)] == [Outcome(Verdict.ACCEPTED, 200)] * 2
    assert (len(server.seen), len(server.connections)) == (3, 2)
    assert server.seen[1].body == server.seen[2].body


def test_it_is_replaced_over_tls_too(serve, connect, ours):
    server = serve(answer(), raw(b""), answer(), context=ours)
    client = connect(server.url)
    assert [set_values(client), set_values(client)] == [Outcome(Verdict.ACCEPTED, 200)] * 2
    assert (len(server.seen), len(server.connections)) == (3, 2)


@pytest.mark.parametrize("broken", BREAKS.values(), ids=BREAKS)
def test_a_new_connection_that_breaks_is_not_replaced(serve, connect, broken):
    server = serve(broken)
    client = connect(server.url)
    assert set_values(client).verdict is Verdict.UNAVAILABLE
    assert len(server.seen) == 1


@pytest.mark.parametrize("broken", BREAKS.values(), ids=BREAKS)
def test_it_is_replaced_once(serve, connect, broken):
    server = serve(answer(), broken)
    client = connect(server.url)
    set_values(client)
    assert set_values(client).verdict is Verdict.UNAVAILABLE
    assert len(server.seen) == 3
    # The next call begins on a new connection, and that breaks too.
    assert set_values(client).verdict is Verdict.UNAVAILABLE
    assert len(server.seen) == 4


@pytest.mark.parametrize("seen", [b"H", b"HTTP/1.1 200 OK", HEAD, HEAD + b"Content-Length: 10\r\n\r\n{"])
@pytest.mark.parametrize("broken", [raw, reset])
def test_a_call_is_not_repeated_once_any_byte_of_an_answer_came(serve, connect, broken, seen):
    def breaks_off(handler):
        handler.wfile.write(seen)
        # So that it is there before the end is.
        assert handler.connection.recv(1) == b""

    server = serve(answer(), broken(seen) if broken is raw else breaks_off)
    client = connect(server.url, timeout_seconds=10 if broken is raw else LIMIT)
    set_values(client)
    assert set_values(client).verdict is Verdict.UNAVAILABLE
    assert len(server.seen) == 2


def test_a_kept_connection_that_was_closed_in_between_is_not_a_failure(serve, connect):
    server = serve(hang_up_after(answer()))
    client = connect(server.url)
    for _ in range(5):
        server.hung_up.clear()
        assert set_values(client).verdict is Verdict.ACCEPTED
        assert server.hung_up.wait(5)
    assert len(server.seen) == 5


@pytest.mark.slow
def test_the_second_try_is_within_the_deadline_of_the_first(serve, connect):
    def breaks_late(handler):
        handler.server.stopping.wait(0.8)
        handler.close_connection = True

    server = serve(answer(), breaks_late, silence)
    client = connect(server.url, timeout_seconds=1.0)
    set_values(client)
    outcome, seconds = timed(client)
    assert outcome.verdict is Verdict.UNAVAILABLE
    assert len(server.seen) == 3
    # 0.8 s, and the 1.2 s that are left of two timeouts of 1 s; with a limit of its own it would be 0.8 + 1 at least.
    assert seconds < 2.5


# Names and addresses.


def test_an_address_that_is_dead_leaves_time_for_the_next(serve, connect, monkeypatch):
    server = serve()
    # The first family does not exist, as IPv6 where the system has none.
    addresses = [
        (9999, ("::1", 9)),
        (socket.AF_INET, ("192.0.2.1", 9)),
        (socket.AF_INET, ("127.0.0.1", server.server_port)),
    ]
    found = [(family, socket.SOCK_STREAM, 0, "", address) for family, address in addresses]
    monkeypatch.setattr(transport.socket, "getaddrinfo", lambda *_: found)
    assert set_values(connect("http://metronome.invalid", timeout_seconds=4)).verdict is Verdict.ACCEPTED


@pytest.fixture
def stuck(monkeypatch):
    """A resolver of the system that does not answer until it is let go; counts what it is asked."""
    let_go, asked = threading.Event(), []

    def getaddrinfo(host, *_):
        asked.append(host)
        let_go.wait(30)
        raise socket.gaierror("no such name")

    monkeypatch.setattr(transport.socket, "getaddrinfo", getaddrinfo)
    yield asked
    let_go.set()


@pytest.mark.slow
def test_a_name_that_is_not_found_in_time_ends_the_call_and_holds_one_thread(stuck):
    client = Client(
        "http://metronome.invalid", TOKEN, connect_timeout_seconds=LIMIT, timeout_seconds=LIMIT, clock=lambda: NOW
    )
    for _ in range(3):
        outcome, seconds = timed(client)
        assert outcome.verdict is Verdict.UNAVAILABLE
        assert seconds < GENEROUS
    assert stuck == ["metronome.invalid"]


def test_a_look_up_is_made_again_once_it_is_over(monkeypatch):
    answers = [socket.gaierror("not yet"), ["found"], UnicodeError("never")]

    def getaddrinfo(*_):
        match answers.pop(0):
            case Exception() as error:
                raise error
            case found:
                return found

    monkeypatch.setattr(transport.socket, "getaddrinfo", getaddrinfo)
    resolver = Resolver()
    with pytest.raises(socket.gaierror):
        resolver.addresses("metronome.invalid", 443, 5)
    assert resolver.addresses("metronome.invalid", 443, 5) == ["found"]
    with pytest.raises(UnicodeError):
        resolver.addresses("metronome.invalid", 443, 5)
