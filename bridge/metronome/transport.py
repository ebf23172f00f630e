"""HTTP connections with an absolute deadline: connect, send, head and body together, whatever the server does.

The timeouts of requests are for each single `recv`: https://requests.readthedocs.io/en/latest/user/advanced/#timeouts.
A server that sends a byte a second is never late by them. Here each operation on a socket gets what is left until the
deadline.
"""

import http.client
import io
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError, ProtocolError
from urllib3.util.connection import allowed_gai_family

#: What one answer may have on the wire, with its head: no answer that is wanted is longer.
MAX_WIRE_BYTES = 32 << 20
#: Interim answers (1xx) before the final one. https://www.rfc-editor.org/rfc/rfc9110#section-15.2
MAX_INTERIM = 20

#: The shortest timeout in seconds: 0 would mean not to wait at all.
MOMENT = 0.001

Address = tuple[Any, ...]


class StaleConnectionError(ProtocolError):
    """A connection that had served a call broke before any byte of the next answer."""


class Deadline:
    """When the call under way must be over; one for each calling thread. `clock`: seconds that never go back."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self._call_ends = self._phase_ends = float("inf")

    def begin(self, seconds: float) -> None:
        self._call_ends = self._phase_ends = self.clock() + seconds

    def enter_phase(self, seconds: float | None) -> None:
        """Connecting and waiting for the answer have limits of their own, within the call's."""
        phase = float("inf") if seconds is None else self.clock() + seconds
        self._phase_ends = min(phase, self._call_ends)

    def left(self) -> float:
        """Returns a positive number of seconds. Raises TimeoutError if there is none."""
        left = self._phase_ends - self.clock()
        if left <= 0:
            raise TimeoutError("the deadline of the call has passed")
        return left

    def left_or_moment(self) -> float:
        """The same for callers that an exception would harm: too late, they get a moment and time out by themselves."""
        return max(self._phase_ends - self.clock(), MOMENT)


class Guarded:
    """A socket, plain or TLS, that waits no longer than the deadline allows, however often it is asked."""

    def __init__(self, sock: Any, deadline: Deadline) -> None:
        self._socket = sock
        self.deadline = deadline
        #: Bytes of the answer under way.
        self.received = 0

    def hurry(self) -> None:
        self._socket.settimeout(self.deadline.left())

    def took(self, count: int) -> None:
        self.received += count
        if self.received > MAX_WIRE_BYTES:
            raise OSError("the answer is too long")

    def recv(self, size: int, flags: int = 0) -> bytes:
        self.hurry()
        data: bytes = self._socket.recv(size, flags)
        self.took(len(data))
        return data

    def sendall(self, data: Any, flags: int = 0) -> None:
        """TLS sockets send piece by piece, with the whole timeout for each."""
        with memoryview(data) as view, view.cast("B") as rest:
            sent = 0
            while sent < len(rest):
                self.hurry()
                sent += self._socket.send(rest[sent:], flags)

    def gettimeout(self) -> float:
        """The ssl module asks for it before a handshake, all of which must be over by then.

        It asks while two objects own the socket. An exception would leave both of them to close it.
        """
        return self.deadline.left_or_moment()

    def makefile(self, *_: Any, **__: Any) -> "Reader":
        return Reader(Incoming(self, self._socket.makefile("rb", buffering=0)))

    # urllib3 counts readers itself where it puts TLS into TLS, for an https:// proxy.
    @property
    def _io_refs(self) -> int:
        return int(self._socket._io_refs)  # noqa: SLF001

    @_io_refs.setter
    def _io_refs(self, count: int) -> None:
        self._socket._io_refs = count  # noqa: SLF001

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)


class Incoming(io.RawIOBase):
    """What comes in on a guarded socket."""

    def __init__(self, guarded: Guarded, raw: io.RawIOBase) -> None:
        self.guarded = guarded
        self.raw = raw

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self.guarded.hurry()
        count = self.raw.readinto(buffer)
        self.guarded.took(count or 0)
        return count

    def close(self) -> None:
        self.raw.close()
        super().close()


class Reader(io.BufferedReader):
    """Takes no end of the stream for an end of a line: http.client would take half a head for a whole one."""

    def readline(self, size: int | None = -1) -> bytes:
        line = super().readline(size)
        if not line.endswith(b"\n") and (size is None or size < 0 or len(line) < size):
            raise http.client.RemoteDisconnected("the connection was closed in the middle of an answer")
        return line


class Answer(http.client.HTTPResponse):
    """Passes over all interim answers: http.client knows only 100, and takes 103 for the final one."""

    def _read_status(self) -> tuple[str, int, str]:
        for _ in range(MAX_INTERIM):
            version, status, reason = super()._read_status()  # type: ignore[misc]
            # After 101 the connection speaks another protocol.
            if status >= http.HTTPStatus.OK or status == http.HTTPStatus.SWITCHING_PROTOCOLS:
                return version, status, reason
            http.client.parse_headers(self.fp)
        raise http.client.HTTPException("interim answers without end")


class Resolver:
    """Looks up addresses in threads: getaddrinfo cannot be interrupted. One look-up of a name at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pending: dict[tuple[str, int], Future[Sequence[Address]]] = {}

    def addresses(self, host: str, port: int, seconds: float) -> Sequence[Address]:
        """Raises TimeoutError, and what getaddrinfo raises."""
        with self._lock:
            future = self._pending.get((host, port)) or self.begin(host, port)
        return future.result(seconds)

    def begin(self, host: str, port: int) -> Future[Sequence[Address]]:
        future: Future[Sequence[Address]] = Future()
        try:
            threading.Thread(target=self.look_up, args=(host, port, future), daemon=True).start()
        except RuntimeError as error:
            raise OSError("no thread to look up an address with") from error
        self._pending[host, port] = future
        return future

    def look_up(self, host: str, port: int, future: Future[Sequence[Address]]) -> None:
        found: Sequence[Address] = ()
        failure: Exception | None = None
        try:
            found = socket.getaddrinfo(host, port, allowed_gai_family(), socket.SOCK_STREAM)
        except Exception as error:  # noqa: BLE001
            failure = error
        with self._lock:
            del self._pending[host, port]
        if failure is None:
            future.set_result(found)
        else:
            future.set_exception(failure)


class Bounded(HTTPConnection):
    """A connection of urllib3 on guarded sockets. `timeout`, which urllib3 sets for each phase, becomes a deadline."""

    response_class = Answer

    def __init__(self, *args: Any, deadline: Deadline, resolver: Resolver, **kwargs: Any) -> None:
        self.deadline = deadline
        self.resolver = resolver
        #: True once an answer came on it.
        self.has_served = False
        super().__init__(*args, **kwargs)

    @property
    def timeout(self) -> float | None:
        return self.deadline.left_or_moment()

    @timeout.setter
    def timeout(self, seconds: float | None) -> None:
        self.deadline.enter_phase(seconds)

    def connect(self) -> None:
        self.has_served = False
        super().connect()
        if not isinstance(self.sock, Guarded):
            self.sock = Guarded(self.sock, self.deadline)

    def _new_conn(self) -> socket.socket:
        """As urllib3 does it, but all addresses share one deadline, and so does looking them up."""
        try:
            addresses = self.resolver.addresses(self._dns_host.strip("[]"), self.port, self.deadline.left())
            return Guarded(self.connected(addresses), self.deadline)  # type: ignore[return-value]
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        except TimeoutError as error:
            raise ConnectTimeoutError(self, f"no connection to {self.host} in time") from error
        except OSError as error:
            raise NewConnectionError(self, f"no connection: {error}") from error

    def connected(self, addresses: Sequence[Address]) -> socket.socket:
        """Returns a socket that is connected to the first address that answers. Raises OSError."""
        failure: OSError = OSError("the name has no address")
        for number, (family, kind, protocol, _, address) in enumerate(addresses, 1):
            left = self.deadline.left()
            sock = None
            try:
                sock = socket.socket(family, kind, protocol)
                for option in self.socket_options or ():
                    sock.setsockopt(*option)
                # The last address may take all that is left; one that is dead must leave something to the next.
                sock.settimeout(left if number == len(addresses) else left / 2)
                sock.connect(address)
            except OSError as error:
                if sock is not None:
                    sock.close()
                failure = error
            else:
                return sock
        raise failure

    def request(self, *args: Any, **kwargs: Any) -> None:
        with self.stale_if_broken():
            if isinstance(self.sock, Guarded):
                self.sock.received = 0
            super().request(*args, **kwargs)

    def getresponse(self) -> Any:
        with self.stale_if_broken():
            response = super().getresponse()
        self.has_served = True
        return response

    @contextmanager
    def stale_if_broken(self) -> Iterator[None]:
        """Raises StaleConnectionError if a connection that has served before breaks without a byte of an answer."""
        sock = self.sock
        try:
            yield
        except (ConnectionError, ssl.SSLError) as error:
            if self.has_served and isinstance(sock, Guarded) and not sock.received:
                raise StaleConnectionError("a connection that was kept open is gone", error) from error
            raise


class Secure(Bounded, HTTPSConnection):
    """The same with TLS."""

    def _connect_tls_proxy(self, hostname: str, sock: Any) -> Any:
        return Guarded(super()._connect_tls_proxy(hostname, sock), self.deadline)


#: By scheme: urllib3's own connection, and what stands in for it.
CONNECTIONS: Mapping[str, tuple[type[HTTPConnection], type[Bounded]]] = {
    "http": (HTTPConnection, Bounded),
    "https": (HTTPSConnection, Secure),
}


class Transport(HTTPAdapter):
    """Makes calls of one thread: each is over within the sum of its timeouts.

    A connection that had served a call and breaks before any byte of the next answer was closed by the other side
    while it was idle. Such a call is made once more, on a new connection and within the same deadline. Otherwise
    nothing is tried twice: retries belong to the store.
    """

    def __init__(self, resolver: Resolver, *, clock: Callable[[], float]) -> None:
        self.deadline = Deadline(clock)
        self.resolver = resolver
        super().__init__(pool_connections=1, pool_maxsize=1, max_retries=0)

    def send(  # noqa: PLR0917
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Any = None,
    ) -> requests.Response:
        """`timeout`: seconds for connecting and sending, and seconds for the answer."""
        self.deadline.begin(sum(timeout))
        try:
            return super().send(request, stream, timeout, verify, cert, proxies)
        except requests.ConnectionError as error:
            if not (error.args and isinstance(error.args[0], StaleConnectionError)):
                raise
        return super().send(request, stream, timeout, verify, cert, proxies)

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        pool: Any = super().get_connection_with_tls_context(*args, **kwargs)
        usual, ours = CONNECTIONS[pool.scheme]
        if pool.ConnectionCls not in (usual, ours):
            raise requests.exceptions.InvalidProxyURL(f"no deadline can be kept with {pool.ConnectionCls.__name__}")
        pool.ConnectionCls = ours
        pool.conn_kw.update(deadline=self.deadline, resolver=self.resolver)
        return pool
