"""gunicorn, set up for what we serve: threads, and nothing in the home folder."""

import select
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.workers.gthread import ThreadWorker

#: Where gunicorn's heartbeat does not wait for a disk: https://docs.gunicorn.org/en/stable/faq.html
MEMORY = "/dev/shm"  # noqa: S108
#: For how many seconds a thread stays with a connection that it has answered.
MOMENT = 0.005


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
    """Sends the head of an answer together with its body, and waits a moment for what follows on the connection.

    gunicorn sends them apart: a process that is killed in between has stored an event, and its sender sees half an
    answer, which no load balancer can ask of another. It also wakes whoever reads it twice. And it hands each
    connection from the thread that has answered to the one that watches them all, and back for the next request.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        #: How many connections have a thread, or wait for one.
        self.taken = 0

    def enqueue_req(self, conn: Any) -> None:
        self.taken += 1
        super().enqueue_req(conn)

    def finish_request(self, conn: Any, fs: Any) -> None:
        self.taken -= 1
        super().finish_request(conn, fs)

    def handle(self, conn: Any) -> Any:
        kept = super().handle(conn)
        # Only while a thread is left for whoever comes.
        while kept is True and self.alive and self.taken < self.cfg.threads and has_more(conn, MOMENT):
            kept = super().handle(conn)
        return kept

    def handle_request(self, req: Any, conn: Any) -> bool:
        joining = Joining(conn.sock)
        with_it: Any = SimpleNamespace(sock=joining, client=conn.client, server=conn.server)
        keep = super().handle_request(req, with_it)
        joining.finish()
        return keep


def has_more(conn: Any, seconds: float) -> bool:
    """Whether another request follows on the connection, or its end."""
    if conn.parser.unreader.buf.getvalue():
        return True
    readable = select.poll()
    readable.register(conn.sock, select.POLLIN)
    return bool(readable.poll(seconds * 1000))


class Joining:
    """A connection that holds back the first piece sent until there is a second."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.held: bytes | None = b""

    def sendall(self, data: bytes) -> None:
        if self.held == b"":
            self.held = data
            return
        self.connection.sendall((self.held or b"") + data)
        self.held = None

    def finish(self) -> None:
        if self.held:
            self.connection.sendall(self.held)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.connection, name)


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

    Server(
        make_app,
        on_hangup,
        {
            "bind": f"[{host}]:{port}" if ":" in host else f"{host}:{port}",
            "workers": processes,
            "worker_class": Worker,
            "threads": threads,
            "proc_name": "metronome-bridge",
            "graceful_timeout": round(stop_seconds) + 5,
            # Longer than the load balancers in front keep idle connections, so that they close them and not we.
            "keepalive": 75,
            "worker_tmp_dir": MEMORY if Path(MEMORY).is_dir() else None,
            # gunicorn would open one in the home folder.
            "control_socket_disable": True,
            "loglevel": "warning",
        },
    ).run()
