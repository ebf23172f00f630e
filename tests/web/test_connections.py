"""What a client can do to hold a connection, and how long it can. Time is made up; sockets are real."""

import errno
import os
import resource
import selectors
import socket
from collections import Counter
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from bridge.times import SECOND
from bridge.web import connections
from bridge.web.connection import Cut, Limits, State
from bridge.web.connections import Connections
from bridge.web.reader import Stage
from tests.support.clock import Clock

LIMITS = Limits(connections=20, max_body=1 << 20, memory=1 << 20)
HALF = b"POST /webhooks/stripe HTTP/1.1\r\nContent-"
HALF_BODY = b"POST /webhooks/stripe HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n{"
WHOLE = b"GET /healthz HTTP/1.1\r\n\r\n"


class Table:
    """Connections of a listener, without threads: `answered` is what they would do."""

    def __init__(self, stack, limits=LIMITS):
        self.stack = stack
        self.clock = Clock()
        self.cuts = Counter()
        self.work = []
        self.poller = stack.enter_context(selectors.DefaultSelector())
        self.listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        self.listener.setblocking(False)
        self.table = Connections(
            self.poller,
            limits,
            clock=self.clock,
            work=self.work.append,
            count=lambda why: self.cuts.update([why]),
            refused=lambda conn, refusal: None,
        )
        stack.callback(self.close)

    def close(self):
        for state in State:
            for conn in list(self.table._states[state]):
                self.table.drop(conn)

    def connect(self, data=b""):
        client = self.stack.enter_context(socket.create_connection(self.listener.getsockname(), timeout=5))
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if data:
            client.sendall(data)
        self.table.accept(self.listener)
        self.turn()
        return client

    def turn(self):
        """Whatever is there to be read or written."""
        while events := self.poller.select(0.01):
            for key, _ in events:
                key.data()

    def after(self, seconds):
        self.clock.now += round(seconds * SECOND)
        self.table.sweep()
        self.turn()

    def answered(self, kept=True, answer=b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"):
        conn = self.work.pop(0)
        conn.reader.take()
        conn.send(answer)
        self.table.done(conn, kept)
        return conn

    def states(self):
        return {str(state): count for state, count in self.table.states().items() if count}


@pytest.fixture
def table():
    with ExitStack() as stack:
        yield Table(stack)


def received(client):
    """Everything until the server closes."""
    answer = b""
    while piece := client.recv(1 << 16):
        answer += piece
    return answer


def test_half_a_head_is_answered_408_after_ten_seconds(table):
    client = table.connect(HALF)
    table.after(9)
    assert table.states() == {"head": 1}
    table.after(1)
    assert received(client).startswith(b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n")
    assert table.cuts == {Cut.HEAD: 1}
    client.close()
    table.turn()
    assert len(table.table) == 0


def test_a_head_that_trickles_gains_no_time(table):
    client = table.connect(HALF)
    for _ in range(10):
        client.sendall(b"x")
        table.turn()
        table.after(1)
    assert table.cuts == {Cut.HEAD: 1}


def test_silence_is_closed_without_an_answer(table):
    client = table.connect()
    table.after(10)
    assert received(client) == b""
    assert table.cuts == {Cut.SILENT: 1}


def test_half_a_body_is_answered_408_after_twenty_seconds(table):
    client = table.connect(HALF_BODY)
    table.after(19)
    assert table.states() == {"body": 1}
    table.after(1.1)
    assert received(client).startswith(b"HTTP/1.1 408 ")
    assert table.cuts == {Cut.BODY: 1}


def test_a_large_body_has_the_time_that_it_needs_at_16_kib_a_second(table):
    client = table.connect(HALF_BODY)
    for _ in range(30):
        client.sendall(b"x" * (16 << 10))
        table.turn()
        table.after(1)
    assert table.states() == {"body": 1}
    table.after(20.1)
    assert table.cuts == {Cut.BODY: 1}


def test_the_second_head_of_a_connection_has_its_own_ten_seconds(table):
    client = table.connect(WHOLE)
    table.answered()
    table.after(60)
    client.sendall(HALF)
    table.turn()
    table.after(9)
    assert table.states() == {"head": 1}
    table.after(1)
    assert table.cuts == {Cut.HEAD: 1}


def test_an_idle_connection_is_closed_after_its_time_and_not_counted_as_cut(table):
    client = table.connect(WHOLE)
    table.answered()
    table.after(75)
    assert received(client).startswith(b"HTTP/1.1 200 OK")
    assert table.cuts == {}


def test_a_client_that_does_not_close_after_its_last_answer_is_closed_after_two_seconds(table):
    client = table.connect(WHOLE)
    table.answered(kept=False)
    assert received(client).endswith(b"\r\n\r\n")
    assert table.states() == {"closing": 1}
    table.after(2)
    assert len(table.table) == 0


def test_what_a_client_sends_after_its_last_answer_is_read_but_not_for_ever(table):
    client = table.connect(WHOLE)
    table.answered(kept=False)
    for _ in range(29):
        client.sendall(b"x" * 1000)
        table.turn()
        table.after(1)
    assert table.states() == {"closing": 1}
    client.sendall(b"x")
    table.turn()
    table.after(1)
    assert len(table.table) == 0


def test_an_answer_that_the_client_does_not_take_waits_without_a_thread_and_not_for_ever(table):
    client = table.connect(WHOLE)
    table.answered(answer=b"x" * (16 << 20))
    assert table.states() == {"sending": 1}
    taken = len(client.recv(1 << 20))
    table.turn()
    table.after(10)
    assert table.cuts == {Cut.ANSWER: 1}
    assert taken


def test_an_answer_that_is_taken_slowly_arrives_whole(table):
    client = table.connect(WHOLE)
    size = 8 << 20
    conn = table.answered(answer=b"x" * size)
    taken = 0
    while taken < size:
        taken += len(client.recv(1 << 20))
        table.turn()
    assert conn.state is State.IDLE


def test_who_waits_to_be_told_to_go_on_is_told_once(table):
    client = table.connect(b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
    assert client.recv(1 << 16) == b"HTTP/1.1 100 Continue\r\n\r\n"
    client.sendall(b"{}")
    table.turn()
    table.answered()
    assert client.recv(1 << 16).startswith(b"HTTP/1.1 200 OK")


def test_who_does_not_wait_to_be_told_is_not_told(table):
    client = table.connect(b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n{}")
    table.answered()
    assert client.recv(1 << 16).startswith(b"HTTP/1.1 200 OK")


def test_a_client_that_only_closed_its_side_gets_its_answer(table):
    client = table.connect(WHOLE)
    client.shutdown(socket.SHUT_WR)
    table.answered()
    assert client.recv(1 << 16).startswith(b"HTTP/1.1 200 OK")
    table.turn()
    assert len(table.table) == 0


def test_a_body_whose_client_leaves_is_handed_over_to_be_refused(table):
    client = table.connect(HALF_BODY)
    client.shutdown(socket.SHUT_WR)
    table.turn()
    (conn,) = table.work
    assert conn.reader.take().partial


@pytest.mark.parametrize(("sent", "status"), [(b"\x16\x03\x01", b"400"), (HALF + b"x" * (70 << 10), b"431")])
def test_what_nobody_can_read_is_refused_at_once(table, sent, status):
    client = table.connect(sent)
    assert received(client).startswith(b"HTTP/1.1 " + status)
    assert table.cuts == {Cut.REFUSED: 1}
    assert table.work == []


def test_in_a_crowd_the_oldest_half_head_makes_room_and_who_was_answered_stays(table):
    idle = table.connect(WHOLE)
    table.answered()
    oldest, *_ = [table.connect(HALF) for _ in range(17)]
    assert table.cuts == {}
    for _ in range(10):
        table.connect(HALF)
    assert table.cuts == {Cut.CROWD: 10}
    assert received(oldest) == b""
    idle.sendall(WHOLE)
    table.turn()
    assert len(table.work) == 1


def test_a_crowd_of_whole_requests_is_not_cut(table):
    clients = [table.connect(WHOLE) for _ in range(20)]
    assert not table.table.has_room
    assert table.cuts == {}
    while table.work:
        table.answered()
    assert all(client.recv(1 << 16) for client in clients)


def test_beyond_the_memory_for_requests_the_largest_unfinished_one_is_asked_to_come_back(table):
    large = table.connect(HALF_BODY + b"x" * 700_000)
    small = table.connect(HALF_BODY + b"x" * 10_000)
    medium = table.connect(HALF_BODY + b"x" * 400_000)
    answer = received(large)
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"Retry-After: 30\r\n" in answer
    assert table.cuts == {Cut.MEMORY: 1}
    assert table.states() == {"body": 2, "closing": 1}
    assert table.table.buffered < LIMITS.memory
    for client in (small, medium, large):
        client.close()
    table.turn()
    table.answered(kept=False)
    table.answered(kept=False)
    table.turn()
    assert (len(table.table), table.table.buffered) == (0, 0)


@contextmanager
def no_file_left():
    files, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with ExitStack() as opened:
        last = opened.enter_context(Path(os.devnull).open()).fileno()
        resource.setrlimit(resource.RLIMIT_NOFILE, (last + 1, most))
        try:
            with suppress(OSError):
                while True:
                    opened.enter_context(Path(os.devnull).open())
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (files, most))


def test_when_files_run_out_the_oldest_half_head_makes_room(table):
    victim = table.connect(HALF)
    client = table.stack.enter_context(socket.create_connection(table.listener.getsockname(), timeout=5))
    client.sendall(WHOLE)
    with no_file_left():
        table.table.accept(table.listener)
    assert table.cuts == {Cut.FILES: 1}
    assert received(victim) == b""
    table.table.accept(table.listener)
    assert len(table.work) == 1


def test_when_files_run_out_and_all_are_at_work_nothing_is_accepted_for_a_moment(table):
    class Exhausted:
        def accept(self):
            raise OSError(errno.EMFILE, "too many open files")

    table.connect(WHOLE)
    table.table.accept(Exhausted())
    assert not table.table.has_room
    table.after(0.2)
    assert table.table.has_room


def test_who_is_told_to_stop_answers_what_is_whole_and_waits_little_for_the_rest(table):
    half, body = table.connect(HALF), table.connect(HALF_BODY)
    idle = table.connect(WHOLE)
    table.answered()
    working = table.connect(WHOLE)
    table.table.stop()
    table.after(0.5)
    for client in (half, body):
        answer = received(client)
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"Retry-After: 30\r\n" in answer
    assert table.states() == {"idle": 1, "working": 1, "closing": 2}
    table.answered(kept=False)
    assert received(working).startswith(b"HTTP/1.1 200 OK")
    table.after(2)
    assert len(table.table) == 0
    assert received(idle)


def test_a_connection_that_is_reset_is_forgotten(table):
    client = table.connect(HALF)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    client.close()
    table.turn()
    assert len(table.table) == 0


class Broken:
    """A log whose reader is gone."""

    def exception(self, *_args, **_given):
        raise BrokenPipeError


@pytest.mark.parametrize("log", [connections.log, Broken()], ids=["a log", "no log"])
def test_what_goes_wrong_with_one_connection_does_not_touch_the_others(table, monkeypatch, log):
    monkeypatch.setattr(connections, "log", log)
    other = table.connect(WHOLE)
    table.table.work = lambda conn: 1 / 0
    client = table.connect(WHOLE)
    assert received(client) == b""
    assert len(table.table) == 1
    table.answered()
    assert other.recv(1 << 16)


def test_two_requests_in_one_piece_are_answered_one_after_the_other(table):
    client = table.connect(WHOLE * 2)
    table.answered()
    assert len(table.work) == 1
    conn = table.answered()
    assert conn.reader.stage is Stage.NOTHING
    assert client.recv(1 << 16).count(b"200 OK") == 2
