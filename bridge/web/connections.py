"""Every connection of a web process, and what it is waited for. All of it runs in one thread, and none of it blocks.

A connection belongs either to this table or to the thread that answers its request; nothing is shared. So a thread only
works: it never waits for a client, however slowly that sends or reads.
"""

import errno
import selectors
import socket
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from functools import partial

import structlog

from bridge.times import SECOND
from bridge.web import refusals
from bridge.web.connection import Connection, Cut, Limits, State
from bridge.web.reader import Stage
from bridge.web.refusals import Refusal

log = structlog.get_logger()

#: A request with less than that is never given up for lack of memory.
SMALL = 16 << 10
#: From which share of all connections on the oldest make room for new ones.
CROWDED = 0.9
#: For how long nothing is accepted when there is nothing to make room with, in microseconds.
PAUSE = SECOND // 10
#: What accept says when this process or the machine has no room for another connection.
EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


#: Which connections are closed first to make room: answered ones, then those without a whole request, idle ones last.
FIRST_TO_GO = (State.CLOSING, State.HEAD, State.BODY, State.SENDING, State.IDLE)
LATE = {
    State.HEAD: (Cut.HEAD, refusals.HEAD_LATE),
    State.BODY: (Cut.BODY, refusals.BODY_LATE),
}
REFUSED = {Stage.NOT_HTTP: refusals.NOT_HTTP, Stage.HEAD_TOO_LARGE: refusals.HEAD_TOO_LARGE}


class Connections:
    def __init__(
        self,
        poller: selectors.BaseSelector,
        limits: Limits,
        *,
        clock: Callable[[], int],
        work: Callable[[Connection], None],
        count: Callable[[Cut], None],
        refused: Callable[[Connection, Refusal], None],
    ) -> None:
        """`work` has the whole request of a connection answered, and `done` called in this thread after that."""
        self.poller = poller
        self.limits = limits
        self.clock = clock
        self.work = work
        self.count = count
        self.refused = refused
        self.stopping = False
        #: Accept nothing before that.
        self.paused_until = 0
        self.buffered = 0
        self._total = 0
        #: In each state, the connection that entered it first is first.
        self._states: dict[State, dict[Connection, None]] = {state: {} for state in State}

    def __len__(self) -> int:
        return self._total

    def states(self) -> Counter[State]:
        return Counter({state: len(found) for state, found in self._states.items()})

    @property
    def has_room(self) -> bool:
        return self._total < self.limits.connections and self.clock() >= self.paused_until

    def accept(self, listener: socket.socket) -> None:
        try:
            sock, client = listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return
        except OSError as error:
            if error.errno not in EXHAUSTED or not self.make_way(Cut.FILES):
                self.paused_until = self.clock() + PAUSE
            return
        if self._total >= CROWDED * self.limits.connections:
            self.make_way(Cut.CROWD)
        now = self.clock()
        conn = Connection(sock, client, listener.getsockname(), self.limits.max_body, now)
        conn.deadline = now + (self.limits.stop if self.stopping else self.limits.head)
        self._total += 1
        self._states[State.HEAD][conn] = None
        self.guarded(self.readable, conn)

    def make_way(self, why: Cut) -> bool:
        """Close the connection that can best be done without. False: every one is at work."""
        for state in FIRST_TO_GO:
            for conn in self._states[state]:
                self.count(why)
                self.drop(conn)
                return True
        return False

    def guarded(self, step: Callable[[Connection], None], conn: Connection) -> None:
        """Nothing that goes wrong with one connection may stop the others."""
        try:
            step(conn)
        except Exception:
            with suppress(Exception):
                log.exception("unexpected", address=conn.address)
            self.drop(conn)

    def ready(self, conn: Connection) -> None:
        """The poller says so. In the same round, another connection may have cost this one its place."""
        if conn.events:
            self.guarded(self.writable if conn.state is State.SENDING else self.readable, conn)

    def readable(self, conn: Connection) -> None:
        data = conn.receive()
        if data is None:
            self.watch(conn, selectors.EVENT_READ)
        elif conn.state is State.CLOSING:
            self.discard(conn)
        elif not data:
            self.after_end(conn)
        else:
            self.proceed(conn, conn.reader.feed(data))

    def proceed(self, conn: Connection, stage: Stage) -> None:
        """What comes next, now that so much of the next request is there."""
        self.weigh(conn)
        if stage is Stage.WHOLE:
            self.move(conn, State.WORKING, 0)
            self.work(conn)
        elif stage in REFUSED:
            self.refuse(conn, REFUSED[stage], Cut.REFUSED)
        elif conn in self.lighten():
            return
        elif stage is Stage.BODY:
            self.wait_for_body(conn)
        elif stage is Stage.HEAD:
            self.wait(conn, State.HEAD, self.limits.head, self.limits.stop)
        else:
            self.wait(conn, State.IDLE, self.limits.idle, self.limits.stop_idle)

    def wait_for_body(self, conn: Connection) -> None:
        if conn.reader.expects:
            conn.reader.expects = False
            conn.send(CONTINUE)
        self.wait(conn, State.BODY, self.limits.body, self.limits.stop)
        if not self.stopping:
            conn.deadline = conn.began + self.limits.body + conn.counted * SECOND // self.limits.rate

    def wait(self, conn: Connection, state: State, seconds: int, when_stopping: int) -> None:
        """For the client. What it sends meanwhile moves no deadline."""
        if conn.state is not state:
            conn.began = self.clock()
            conn.deadline = conn.began + (when_stopping if self.stopping else seconds)
        self.move(conn, state, selectors.EVENT_READ)

    def after_end(self, conn: Connection) -> None:
        """A client that sends no more may still wait for the answer to what it has sent."""
        if not conn.broken and conn.reader.end() is Stage.WHOLE:
            self.proceed(conn, Stage.WHOLE)
        else:
            self.drop(conn)

    def done(self, conn: Connection, kept: bool) -> None:
        """A thread has answered; `kept`: the connection stays open."""
        conn.kept = kept
        self.guarded(self.after_answer, conn)

    def after_answer(self, conn: Connection) -> None:
        self.weigh(conn)
        if conn.broken:
            self.drop(conn)
        elif conn.outbox:
            if conn.state is not State.SENDING:
                conn.deadline = self.clock() + self.limits.answer
            self.move(conn, State.SENDING, selectors.EVENT_WRITE)
        elif not conn.kept:
            self.linger(conn)
        elif conn.ended:
            self.drop(conn)
        else:
            self.proceed(conn, conn.reader.look())

    def writable(self, conn: Connection) -> None:
        conn.send(b"")
        self.after_answer(conn)

    def refuse(self, conn: Connection, refusal: Refusal, why: Cut) -> None:
        self.count(why)
        self.refused(conn, refusal)
        conn.send(refusal.answer())
        self.linger(conn)

    def linger(self, conn: Connection) -> None:
        """A client that is still sending when the connection closes may never see the answer (RFC 9112, 9.6)."""
        conn.reader.buffer.clear()
        self.weigh(conn)
        if conn.ended or conn.broken or conn.outbox:
            self.drop(conn)
            return
        try:
            conn.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self.drop(conn)
            return
        conn.began = self.clock()
        conn.deadline = conn.began + (self.limits.stop // 2 if self.stopping else self.limits.linger)
        self.move(conn, State.CLOSING, selectors.EVENT_READ)

    def discard(self, conn: Connection) -> None:
        """What a client sends after its answer is not wanted."""
        if conn.ended:
            self.drop(conn)
        elif not self.stopping:
            conn.deadline = min(self.clock() + self.limits.linger, conn.began + self.limits.longest_linger)

    def sweep(self) -> None:
        """Close what is late."""
        now = self.clock()
        for state in FIRST_TO_GO:
            for conn in [one for one in self._states[state] if one.deadline <= now]:
                self.guarded(self.cut, conn)

    def cut(self, conn: Connection) -> None:
        if conn.reader.buffer and conn.state in LATE and not conn.outbox:
            why, refusal = LATE[conn.state]
            self.refuse(conn, refusals.STOPPING if self.stopping else refusal, why)
            return
        if conn.state in (State.HEAD, State.SENDING):
            self.count(Cut.ANSWER if conn.state is State.SENDING else Cut.SILENT)
        self.drop(conn)

    def stop(self) -> None:
        """Requests that are whole are answered; for the others there is not much time left."""
        self.stopping = True
        now = self.clock()
        for state in FIRST_TO_GO:
            last = now + (self.limits.stop_idle if state is State.IDLE else self.limits.stop)
            for conn in self._states[state]:
                conn.deadline = min(conn.deadline, last)

    def weigh(self, conn: Connection) -> None:
        size = len(conn.reader.buffer)
        self.buffered += size - conn.counted
        conn.counted = size

    def lighten(self) -> list[Connection]:
        """While there is too much, give up the largest request that is not whole. Small ones always find room."""
        given_up = []
        while self.buffered > self.limits.memory:
            unfinished = [*self._states[State.HEAD], *self._states[State.BODY]]
            largest = max(unfinished, key=lambda one: one.counted, default=None)
            if largest is None or largest.counted <= SMALL:
                break
            self.refuse(largest, refusals.NO_ROOM, Cut.MEMORY)
            given_up.append(largest)
        return given_up

    def move(self, conn: Connection, state: State, events: int) -> None:
        if conn.state is not state:
            del self._states[conn.state][conn]
            self._states[state][conn] = None
            conn.state = state
        self.watch(conn, events)

    def watch(self, conn: Connection, events: int) -> None:
        if events == conn.events:
            return
        if not events:
            self.poller.unregister(conn.sock)
        elif conn.events:
            self.poller.modify(conn.sock, events, partial(self.ready, conn))
        else:
            self.poller.register(conn.sock, events, partial(self.ready, conn))
        conn.events = events

    def drop(self, conn: Connection) -> None:
        if self._states[conn.state].pop(conn, self) is self:
            return
        self._total -= 1
        self.buffered -= conn.counted
        self.watch(conn, 0)
        conn.sock.close()
