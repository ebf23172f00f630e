"""One connection: its socket, which never blocks, what it has sent, and what it has yet to take."""

import socket
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from bridge.times import SECOND
from bridge.web.reader import Reader

#: How much is read at a time.
PIECE = 64 << 10


class State(StrEnum):
    """What a connection is waited for."""

    HEAD = "head"
    BODY = "body"
    #: A thread answers its request, or will.
    WORKING = "working"
    #: The client does not take the answer.
    SENDING = "sending"
    IDLE = "idle"
    #: It was answered for the last time: the client should close its side.
    CLOSING = "closing"


class Cut(StrEnum):
    """Why the server closed a connection on which it was waiting for the client."""

    #: Nothing was sent at all.
    SILENT = "silent"
    HEAD = "head"
    BODY = "body"
    ANSWER = "answer"
    #: There were so many connections that the oldest made room.
    CROWD = "crowd"
    #: The process has no file descriptor left.
    FILES = "files"
    MEMORY = "memory"
    #: What it sent is not HTTP, or too large.
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Times are in microseconds."""

    connections: int
    max_body: int
    #: For the bytes of all requests that are not answered yet.
    memory: int
    #: From the first byte of a head, or from the beginning of a connection, to the end of the head.
    head: int = 10 * SECOND
    #: For a body, and one second more for each `rate` bytes of it that have come.
    body: int = 20 * SECOND
    rate: int = 16 << 10
    #: For the client to take an answer.
    answer: int = 10 * SECOND
    #: Longer than the load balancers in front keep idle connections, so that they close them and not we.
    idle: int = 75 * SECOND
    #: From the last byte that a client sends after its answer, and over all.
    linger: int = 2 * SECOND
    longest_linger: int = 30 * SECOND
    #: When the process is told to stop: for requests that have begun, and for those that may be on their way.
    stop: int = SECOND // 3
    stop_idle: int = 2 * SECOND


class Connection:
    __slots__ = (
        "began",
        "broken",
        "client",
        "counted",
        "deadline",
        "ended",
        "events",
        "kept",
        "outbox",
        "reader",
        "server",
        "sock",
        "state",
    )

    def __init__(self, sock: socket.socket, client: Any, server: Any, max_body: int, now: int) -> None:
        self.sock = sock
        self.client = client
        self.server = server
        self.reader = Reader(max_body)
        self.state = State.HEAD
        #: When the state began to count.
        self.began = now
        self.deadline = now
        #: What the poller watches it for.
        self.events = 0
        #: How many of its bytes are in the sum of all.
        self.counted = 0
        #: What the client has not taken yet, and whether the connection stays open after that.
        self.outbox = b""
        self.kept = False
        #: The client sends no more; the connection is dead.
        self.ended = False
        self.broken = False
        sock.setblocking(False)

    @property
    def address(self) -> str:
        return str(self.client[0]) if isinstance(self.client, tuple) else ""

    def receive(self) -> bytes | None:
        """What has come; nothing if the client sends no more; None if it may yet."""
        try:
            data = self.sock.recv(PIECE)
        except (BlockingIOError, InterruptedError):
            return None
        except OSError:
            self.broken = True
            data = b""
        self.ended = not data
        return data

    def send(self, data: bytes) -> None:
        """Hand on as much as the client takes at this moment, and keep the rest."""
        data = self.outbox + data
        sent = 0
        try:
            sent = self.sock.send(data)
        except (BlockingIOError, InterruptedError):
            pass
        except OSError:
            self.broken = True
        self.outbox = data[sent:]
