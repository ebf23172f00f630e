"""The endpoints for operators where no webhooks are taken: `metronome-bridge worker` has no other port."""

import socket
import threading
from socketserver import TCPServer, ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from flask import Flask
from werkzeug.exceptions import HTTPException

from bridge import bootstrap
from bridge.bootstrap import Bridge
from bridge.errors import OperatorError
from bridge.web import answers, health, metrics
from bridge.web.counters import Counters
from bridge.web.throttle import Throttle

#: How long a request of a probe may take to arrive.
PATIENCE_SECONDS = 5


class Server(ThreadingMixIn, WSGIServer):
    """A thread for each request: a slow one holds up no probe."""

    daemon_threads = True

    def server_bind(self) -> None:
        """Without asking DNS for a name of this machine, as http.server does."""
        TCPServer.server_bind(self)
        host, self.server_port, *_ = self.server_address
        self.server_name = str(host)
        self.setup_environ()

    def handle_error(self, *_: Any) -> None:
        """A client that went away is nothing to report."""


class Server6(Server):
    address_family = socket.AF_INET6


class Handler(WSGIRequestHandler):
    timeout = PATIENCE_SECONDS

    def log_message(self, *_: Any) -> None:
        """Probes come every few seconds, and standard error is for log lines."""


def create_app(bridge: Bridge) -> Flask:
    app = Flask("bridge", static_folder=None)
    app.extensions["bridge"] = bridge
    app.extensions["counters"] = Counters()
    app.extensions["throttle"] = Throttle(bootstrap.steady)
    app.register_error_handler(HTTPException, answers.explained)
    app.register_error_handler(Exception, answers.unexpected)
    app.register_blueprint(health.blueprint)
    app.register_blueprint(metrics.blueprint)
    return app


def serve(bridge: Bridge, host: str, port: int, stopping: threading.Event) -> Server:
    """Returns a server that answers in a supervised thread. Raises OperatorError if it cannot listen."""
    try:
        server: Server = make_server(host, port, create_app(bridge), Server6 if ":" in host else Server, Handler)
    except OSError as error:
        raise OperatorError(f"BRIDGE_OPS_PORT: cannot listen on {host}:{port}: {error.strerror}") from None
    server.timeout = PATIENCE_SECONDS

    def answer() -> None:
        while not stopping.is_set():
            bridge.supervisor.beat()
            server.handle_request()

    bridge.supervisor.start("ops", answer, stopping, longest_pause=PATIENCE_SECONDS)
    return server
