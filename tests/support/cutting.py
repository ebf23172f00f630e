"""A proxy in front of PostgreSQL that loses a connection at the worst moment: while COMMIT is under way."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from enum import Enum

#: A simple query: https://www.postgresql.org/docs/current/protocol-message-formats.html
COMMIT = b"Q\x00\x00\x00\x0bCOMMIT\x00"


class Cut(Enum):
    BEFORE_COMMIT = "the server never hears of the COMMIT"
    AFTER_COMMIT = "the server commits, and its answer is lost"


class CuttingProxy:
    """Hands everything on until it is armed; then it cuts the next connection that commits, and is disarmed."""

    def __init__(self, port: int) -> None:
        self.upstream = ("127.0.0.1", port)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.armed: Cut | None = None
        #: What the message holds at which it cuts.
        self.trigger = COMMIT
        self.cuts = 0
        self.ends: list[socket.socket] = [self.listener]
        self.threads: list[threading.Thread] = []

    @property
    def port(self) -> int:
        return int(self.listener.getsockname()[1])

    def start(self, target: Callable[..., None], *arguments: socket.socket) -> None:
        self.threads.append(threading.Thread(target=target, args=arguments, daemon=True))
        self.threads[-1].start()

    def serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                server = socket.create_connection(self.upstream)
                self.ends += [client, server]
                self.start(self.pump, client, server, client)
                self.start(self.pump, server, client, client)

    def close(self) -> None:
        for end in self.ends:
            # On Linux close() alone does not wake a thread that waits.
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for thread in self.threads:
            thread.join()
        for end in self.ends:
            end.close()

    def pump(self, source: socket.socket, sink: socket.socket, client: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                if source is client and self.armed and self.trigger in data:
                    self.cut(data, client, sink)
                    break
                sink.sendall(data)
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def cut(self, data: bytes, client: socket.socket, server: socket.socket) -> None:
        how, self.armed = self.armed, None
        self.cuts += 1
        # Nothing more reaches the client.
        client.shutdown(socket.SHUT_RDWR)
        if how is Cut.AFTER_COMMIT:
            server.sendall(data)


@contextmanager
def cutting_proxy(port: int) -> Iterator[CuttingProxy]:
    proxy = CuttingProxy(port)
    proxy.start(proxy.serve)
    yield proxy
    proxy.close()
