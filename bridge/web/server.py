"""gunicorn, set up for what we serve: one thread that reads, others that work, and nothing in the home folder."""

import resource
import select
import selectors
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import structlog
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.errors import ConfigError
from gunicorn.http.message import Request
from gunicorn.http.unreader import Unreader
from gunicorn.workers.gthread import ThreadWorker

from bridge.bootstrap import steady
from bridge.times import SECOND
from bridge.web.connection import PIECE, Connection, Limits
from bridge.web.connections import Connections
from bridge.web.counters import Counters, Outcome, use_slot
from bridge.web.reader import Stage, Taken
from bridge.web.refusals import INTERNAL, Refusal, refusal_of
from bridge.web.slots import assign_slot, shared_folder
from bridge.web.throttle import Throttle

log = structlog.get_logger()

#: Where gunicorn's heartbeat does not wait for a disk: https://docs.gunicorn.org/en/stable/faq.html
MEMORY = "/dev/shm"  # noqa: S108
#: For how many seconds a thread stays with a connection that it has answered.
MOMENT = 0.005
#: How long nothing may happen before what is late is looked for, in seconds.
ROUND, STOPPING_ROUND = 1.0, 0.1
#: The most connections of one process.
CONNECTIONS = 4000
#: Files that a process needs beside its connections: databases, Metronome, mapping files.
OTHER_FILES = 200
#: For the bytes of requests that are not answered yet, unless bodies may be so large that few of them are more.
MEMORY_BYTES = 64 << 20
BODIES_AT_A_TIME = 4
#: The largest body, if the application does not say.
MAX_BODY = 1 << 20
PROBES = {b"/healthz", b"/readyz", b"/metrics"}
PROBE_THREADS = 2
#: Answers to requests that could not be parsed.
BAD = {
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    HTTPStatus.REQUEST_URI_TOO_LONG,
    HTTPStatus.HTTP_VERSION_NOT_SUPPORTED,
    HTTPStatus.NOT_IMPLEMENTED,
    HTTPStatus.EXPECTATION_FAILED,
}


class Server(BaseApplication):
    """Serves what `make_app` makes, once in each worker process, until it is told to stop."""

    def __init__(
        self, make_app: Callable[[], Any], on_hangup: Callable[[Any], object], options: dict[str, Any]
    ) -> None:
        self.make_app = make_app
        self.on_hangup = on_hangup
        self.options = options
        super().__init__()

    def load_config(self) -> None:
        for name, value in self.options.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        early: list[int] = []
        signal.signal(signal.SIGHUP, lambda number, _frame: early.append(number))
        app = self.make_app()
        signal.signal(signal.SIGHUP, lambda _number, _frame: self.on_hangup(app))
        if early:
            self.on_hangup(app)
        return app

    def run(self) -> None:
        Master(self).run()


class Master(Arbiter):
    """Passes SIGHUP on. gunicorn would start its workers anew, and stop for good if they did not come up."""

    def handle_hup(self) -> None:
        self.kill_workers(signal.SIGHUP)


class Worker(ThreadWorker):
    """Reads whole requests in one thread, which never blocks, and has them answered by a pool of others.

    gunicorn's own threads read for themselves, for as long as a client likes: a few slow clients then hold all of them.
    """

    #: Where it counts: see `serve`.
    slot: int | None = None

    @classmethod
    def check_config(cls, cfg: Any, _log: Any) -> None:
        if cfg.is_ssl or cfg.proxy_protocol != "off" or cfg.http2_cleartext != "off":
            raise ConfigError("this worker speaks plain HTTP/1.1: let a proxy in front of it end TLS")

    def init_process(self) -> None:
        #: Health and metrics are asked for when everything else is at its limit.
        self.probes = ThreadPoolExecutor(PROBE_THREADS)
        #: How many connections have a thread, or wait for one.
        self.taken = 0
        self.swept = 0
        self.accepting = False
        if self.slot is not None:
            use_slot(self.slot)
        super().init_process()

    def load_wsgi(self) -> None:
        super().load_wsgi()
        app: Any = self.wsgi
        known = getattr(app, "extensions", {})
        self.counters: Counters = known.get("counters") or Counters()
        self.throttle: Throttle = known.get("throttle") or Throttle(steady)
        max_body = getattr(app, "config", {}).get("MAX_CONTENT_LENGTH") or MAX_BODY
        self.connections = Connections(
            self.poller,
            Limits(
                connections=connection_limit(self.cfg.worker_connections),
                max_body=max_body,
                memory=max(MEMORY_BYTES, BODIES_AT_A_TIME * max_body),
                idle=self.cfg.keepalive * SECOND,
            ),
            clock=steady,
            work=self.submit,
            count=self.counters.cut,
            refused=self.tell,
        )

    def run(self) -> None:
        self.poller.register(self.method_queue, selectors.EVENT_READ, self.run_callbacks)  # type: ignore[arg-type]
        while self.alive and self.is_parent_alive():
            self.turn(ROUND)
        self.stop()

    def stop(self) -> None:
        self.listen(False)
        self.connections.stop()
        end = steady() + self.cfg.graceful_timeout * SECOND
        while len(self.connections) and steady() < end:
            self.turn(STOPPING_ROUND)
        for pool in (self.tpool, self.probes):
            pool.shutdown(wait=False)
        self.poller.close()
        self.method_queue.close()
        for listener in self.sockets:
            listener.close()

    def turn(self, seconds: float) -> None:
        """Wait for something to happen, for `seconds` at most, and do what follows from it."""
        self.notify()
        self.listen(self.alive and self.connections.has_room)
        for key, _ in self.poller.select(seconds if self.accepting else STOPPING_ROUND):
            key.data()
        if steady() >= self.swept + SECOND * seconds:
            self.swept = steady()
            self.connections.sweep()
            self.counters.connections(self.connections.states())

    def listen(self, accepting: bool) -> None:
        if accepting is self.accepting:
            return
        for listener in self.sockets:
            if accepting:
                listener.setblocking(False)
                self.poller.register(listener, selectors.EVENT_READ, partial(self.connections.accept, listener))
            else:
                self.poller.unregister(listener)
        self.accepting = accepting

    def run_callbacks(self) -> None:
        self.method_queue.run_callbacks(None)

    def submit(self, conn: Connection) -> None:
        if conn.reader.path in PROBES:
            self.probes.submit(self.work, conn, stay=False)
            return
        self.taken += 1
        self.tpool.submit(self.work, conn, stay=True)

    def work(self, conn: Connection, *, stay: bool) -> None:
        """In a thread, which has the connection for itself until it gives it back."""
        kept = False
        try:
            kept = self.answer(conn)
            # Only while a thread is free for other connections.
            while kept and stay and self.alive and self.taken < self.cfg.threads and has_more(conn, MOMENT):
                kept = self.answer(conn)
        except Exception:
            log.exception("unexpected", address=conn.address)
            kept = False
        finally:
            self.method_queue.defer(self.give_back, conn, kept, stay)

    def give_back(self, conn: Connection, kept: bool, counted: bool) -> None:
        self.taken -= counted
        self.connections.done(conn, kept)

    def answer(self, conn: Connection) -> bool:
        """Answer the whole request that is there. Returns whether the connection stays open."""
        taken = conn.reader.take()
        unreader = Pieces(taken)
        answer = Answer(conn)
        try:
            req: Any = Request(self.cfg, unreader, conn.client)
            # The answer to it has been given: see `Connections`.
            req._expected_100_continue = False  # noqa: SLF001
            if taken.partial:
                req.force_close()
            given: Any = SimpleNamespace(sock=answer, client=conn.client, server=conn.server)
            kept = self.handle_request(req, given) and is_read(req, unreader)
        except ConnectionError:
            # The application has given the connection up: what the sandbox does to play a fault.
            conn.broken = True
            return False
        except Exception as error:  # noqa: BLE001 - each has an answer
            self.refuse(conn, error)
            return False
        conn.send(b"".join(answer.pieces))
        return kept

    def refuse(self, conn: Connection, error: Exception) -> None:
        """Answer what gunicorn's parser refuses, and what the application should have answered itself."""
        refusal = refusal_of(error)
        if refusal is None:
            with suppress(Exception):
                log.error("unexpected", address=conn.address, exc_info=error)
            refusal = INTERNAL
        else:
            self.tell(conn, refusal)
        conn.send(refusal.answer())

    def tell(self, conn: Connection, refusal: Refusal) -> None:
        if refusal.status in BAD:
            self.counters.webhook("", Outcome.BAD_REQUEST)
        self.throttle.warning("refused", address=conn.address, status=refusal.status.value, code=refusal.code)


class Pieces(Unreader):
    """Gives gunicorn's parser one request, and then the end: it never waits for a client."""

    def __init__(self, taken: Taken) -> None:
        super().__init__()
        self.pieces = [piece for piece in (taken.body, taken.head) if piece]

    def chunk(self, size_hint: int | None = None) -> bytes:
        return self.pieces.pop() if self.pieces else b""

    @property
    def is_empty(self) -> bool:
        return not self.pieces and not self.buf.getvalue()


def is_read(req: Any, unreader: Pieces) -> bool:
    """Whether the parser sees the end of the request where we do. Else nothing that follows can be trusted."""
    while not req.body.failed and req.body.read(PIECE):
        """What the application was not interested in."""
    return unreader.is_empty and not req.body.failed


class Answer:
    """Collects what gunicorn sends, so that it leaves in one piece, and that no thread waits for the client to read it.

    gunicorn sends head and body apart: a process that is killed in between has stored an event, and its sender sees
    half an answer, which no load balancer can ask of another. It also wakes the client twice.
    """

    def __init__(self, conn: Connection) -> None:
        self.conn = conn
        self.pieces: list[bytes] = []

    def fileno(self) -> int:
        """For applications that do something with the connection itself."""
        return self.conn.sock.fileno()

    def sendall(self, data: bytes) -> None:
        self.pieces.append(data)

    def shutdown(self, _how: int) -> None:
        """Part of closing, which is for `Connections` to do."""

    settimeout = shutdown

    def recv(self, _size: int) -> bytes:
        return b""

    def close(self) -> None:
        """An answer that broke off is given up as a whole."""
        self.pieces.clear()


def has_more(conn: Connection, seconds: float) -> bool:
    """Whether another whole request follows on the connection, within so many seconds."""
    if conn.outbox or conn.broken or conn.ended:
        return False
    if not conn.reader.buffer:
        readable = select.poll()
        readable.register(conn.sock, select.POLLIN)
        if not readable.poll(seconds * 1000) or not (data := conn.receive()):
            return False
        conn.reader.feed(data)
    return conn.reader.look() is Stage.WHOLE


def connection_limit(wanted: int) -> int:
    """How many connections the process may have: files are needed for other things too."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(1, min(wanted, files - OTHER_FILES, files)) if files > 2 * OTHER_FILES else max(1, files // 2)


def raise_file_limit() -> None:
    """As far as an unprivileged process may."""
    files, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files != most:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def serve(
    make_app: Callable[[], Any],
    *,
    host: str,
    port: int,
    processes: int,
    threads: int,
    stop_seconds: float,
    on_hangup: Callable[[Any], object] = bool,
) -> None:
    """Returns, by SystemExit, when the server was told to stop. `on_hangup` gets the app of each process on SIGHUP."""

    raise_file_limit()
    memory = MEMORY if Path(MEMORY).is_dir() else None
    options = {
        "bind": f"[{host}]:{port}" if ":" in host else f"{host}:{port}",
        "workers": processes,
        "worker_class": Worker,
        "threads": threads,
        "worker_connections": CONNECTIONS,
        "proc_name": "metronome-bridge",
        "graceful_timeout": round(stop_seconds) + 5,
        # Longer than the load balancers in front keep idle connections, so that they close them and not we.
        "keepalive": 75,
        "worker_tmp_dir": memory,
        "pre_fork": assign_slot,
        # gunicorn would open one in the home folder.
        "control_socket_disable": True,
        "loglevel": "warning",
    }
    with shared_folder(Path(memory) if memory else None) as folder:
        Server(make_app, on_hangup, options | {"raw_env": [f"PROMETHEUS_MULTIPROC_DIR={folder}"]}).run()
