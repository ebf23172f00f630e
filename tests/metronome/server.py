"""A server that answers by script, on a real port, and keeps what it saw. Answers are functions of the handler."""

import gzip
import os
import socket
import ssl
import struct
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import orjson

#: What an endless answer stops at, so that a test ends even if nobody hangs up.
ENDLESS_BYTES = 128 << 20
DRIP_SECONDS = 0.05


@dataclass(frozen=True)
class Seen:
    """One request as it came in."""

    method: str
    target: str
    #: Names in lower case.
    headers: Mapping[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, list[str]]:
        return parse_qs(urlsplit(self.target).query, keep_blank_values=True, strict_parsing="?" in self.target)

    @property
    def json(self):
        return orjson.loads(self.body)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: "Server"

    def handle_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.seen.append(Seen(self.command, self.path, headers, body))
        self.server.next_answer()(self)

    do_GET = do_POST = do_PUT = do_DELETE = do_CONNECT = handle_any  # noqa: N815

    def log_message(self, *args) -> None:
        pass


Answer = Callable[[Handler], None]


class Server(ThreadingHTTPServer):
    daemon_threads = False
    request_queue_size = 64

    def __init__(self, script: tuple[Answer, ...], context: ssl.SSLContext | None) -> None:
        self.script = deque(script or (answer(),))
        self.seen: list[Seen] = []
        self.connections: list[socket.socket] = []
        #: Set when a connection was closed from here.
        self.hung_up = threading.Event()
        self.stopping = threading.Event()
        self.bytes_sent = 0
        super().__init__(("127.0.0.1", 0), Handler)
        self.scheme = "http" if context is None else "https"
        if context is not None:
            self.socket = context.wrap_socket(self.socket, server_side=True)

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.server_port}"

    def next_answer(self) -> Answer:
        """The last one is repeated."""
        return self.script.popleft() if len(self.script) > 1 else self.script[0]

    def process_request(self, request, client_address) -> None:
        self.connections.append(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request) -> None:
        super().shutdown_request(request)
        self.hung_up.set()

    def handle_error(self, request, client_address) -> None:
        """Callers may hang up as they like."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)

    def stop(self) -> None:
        self.stopping.set()
        self.shutdown()
        for connection in self.connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self.server_close()


@contextmanager
def serving(*script: Answer, context: ssl.SSLContext | None = None) -> Iterator[Server]:
    server = Server(script, context)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.001})
    thread.start()
    try:
        yield server
    finally:
        server.stop()
        thread.join()


def answer(status: int = 200, body: bytes = b"{}", headers: Mapping[str, str] | None = None) -> Answer:
    def send(handler: Handler) -> None:
        handler.send_response(status)
        for name, value in (headers or {}).items():
            handler.send_header(name, value)
        if status != 204:
            handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        if status != 204:
            handler.wfile.write(body)

    return send


def json(value, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    return answer(status, orjson.dumps(value), {"Content-Type": "application/json", **(headers or {})})


def raw(content: bytes) -> Answer:
    """These bytes, and then the connection is closed."""

    def send(handler: Handler) -> None:
        handler.wfile.write(content)
        handler.close_connection = True

    return send


def reset(content: bytes) -> Answer:
    """These bytes, and then a TCP reset."""

    def send(handler: Handler) -> None:
        handler.wfile.write(content)
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        handler.close_connection = True
        os.close(handler.connection.detach())

    return send


def silence(handler: Handler) -> None:
    handler.server.stopping.wait()
    handler.close_connection = True


def hang_up_after(send: Answer) -> Answer:
    """A proper answer that promises to keep the connection, and then does not."""

    def send_and_close(handler: Handler) -> None:
        send(handler)
        handler.close_connection = True

    return send_and_close


def endless(head: bytes, piece: bytes = b" " * (1 << 16)) -> Answer:
    """`head`, and then `piece` again and again, until the caller hangs up."""

    def send(handler: Handler) -> None:
        handler.close_connection = True
        handler.wfile.write(head)
        while handler.server.bytes_sent < ENDLESS_BYTES:
            handler.wfile.write(piece)
            handler.server.bytes_sent += len(piece)

    return send


def drip(head: bytes, body: bytes) -> Answer:
    """`head`, and then `body` byte by byte: each one soon after the other, the whole of it late."""

    def send(handler: Handler) -> None:
        handler.close_connection = True
        handler.wfile.write(head)
        for byte in body:
            handler.server.stopping.wait(DRIP_SECONDS)
            handler.wfile.write(bytes([byte]))

    return send


def tunnel(port: int) -> Answer:
    """What a proxy answers to CONNECT: everything goes to and fro until either side hangs up."""

    def send(handler: Handler) -> None:
        handler.close_connection = True
        handler.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        with socket.create_connection(("127.0.0.1", port)) as there:
            back = threading.Thread(target=pump, args=(there, handler.connection))
            back.start()
            pump(handler.connection, there)
            back.join()

    return send


def pump(one: socket.socket, other: socket.socket) -> None:
    with suppress(OSError):
        while data := one.recv(1 << 16):
            other.sendall(data)
    for each in (one, other):
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)


@contextmanager
def listening(behave: Callable[[socket.socket, threading.Event], object]) -> Iterator[int]:
    """A port that speaks no HTTP: what it does with one connection."""
    stopping = threading.Event()

    def take() -> None:
        with suppress(OSError), listener.accept()[0] as connection:
            behave(connection, stopping)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=take)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            stopping.set()
            thread.join()


def zipped(value, status: int = 200) -> Answer:
    return answer(status, gzip.compress(orjson.dumps(value)), {"Content-Encoding": "gzip"})
