"""The sandbox's faults of connections: what no HTTP answer can be."""

import errno
import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

#: No fault is played for longer than this, in seconds.
LONGEST = 600
#: RST instead of FIN: https://man7.org/linux/man-pages/man7/socket.7.html
ABORT = struct.pack("ii", 1, 0)

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


class Connection:
    """The TCP connection that a request came on, whichever server has taken it."""

    def __init__(self, environ: Mapping[str, Any]) -> None:
        self._socket = environ.get("gunicorn.socket") or environ.get("werkzeug.socket")

    @property
    def identity(self) -> int | None:
        """Tells connections apart; None without a connection."""
        return None if self._socket is None else os.fstat(self._socket.fileno()).st_ino

    def duplicate(self) -> socket.socket:
        """Another handle: the server may hold back what it is given, and close its own at any time."""
        if self._socket is None:
            raise ConnectionResetError(errno.ECONNRESET, "no connection to play a fault on")
        return socket.socket(fileno=os.dup(self._socket.fileno()))

    def play(self, fault: str, pace: float) -> Iterator[bytes]:
        """Gives nothing: plays the fault on the connection, then ends it as if the caller had gone."""
        with self.duplicate() as connection, suppress(OSError):
            FAULTS[fault](connection, pace)
        yield from ()
        raise ConnectionResetError(errno.ECONNRESET, "a fault of the sandbox")

    def close_after(self, seconds: float) -> None:
        """Closes the connection this long after the answer, which has not announced it."""
        with suppress(OSError):
            connection = self.duplicate()
            timer = threading.Timer(seconds, shut, [connection])
            timer.daemon = True
            timer.start()


def shut(connection: socket.socket) -> None:
    with connection, suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def hang(connection: socket.socket, _pace: float) -> None:
    """Until the caller hangs up."""
    connection.settimeout(LONGEST)
    while connection.recv(1 << 16):
        pass


def send(connection: socket.socket, head: bytes, piece: bytes, pace: float) -> None:
    """`head`, then `piece` again and again, until the caller hangs up."""
    connection.settimeout(LONGEST)
    connection.sendall(head)
    for _ in range(round(LONGEST / pace) if pace else 1 << 20):
        connection.sendall(piece)
        time.sleep(pace)


def drip_head(connection: socket.socket, pace: float) -> None:
    send(connection, HEAD + b"X-Drip: ", b"x", pace)


def drip_body(connection: socket.socket, pace: float) -> None:
    send(connection, HEAD + b"Content-Length: 1000000\r\n\r\n", b" ", pace)


def endless_head(connection: socket.socket, _pace: float) -> None:
    send(connection, HEAD, b"X-Endless: " + b"x" * 1000 + b"\r\n", 0)


def endless_body(connection: socket.socket, _pace: float) -> None:
    send(connection, HEAD + b"\r\n", b" " * (1 << 16), 0)


def interim(connection: socket.socket, _pace: float) -> None:
    send(connection, b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0)


def close(connection: socket.socket, _pace: float) -> None:
    connection.shutdown(socket.SHUT_RDWR)


def reset(connection: socket.socket, _pace: float) -> None:
    """The reset goes out when the server closes the connection: it does, because it reads an end."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT)
    connection.shutdown(socket.SHUT_RD)


FAULTS: Mapping[str, Callable[[socket.socket, float], None]] = {
    "hang": hang,
    "drip_head": drip_head,
    "drip_body": drip_body,
    "endless_head": endless_head,
    "endless_body": endless_body,
    "interim": interim,
    "close": close,
    "reset": reset,
}
