"""The Flask application: a request id on every answer, a limit on every body, one shape for every error."""

import atexit
import re
import uuid
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

import structlog
from flask import Flask, Response, g, request
from gunicorn.http.errors import ParseException
from werkzeug.exceptions import HTTPException

from bridge import bootstrap, logs, settings
from bridge.bootstrap import Bridge
from bridge.errors import SenderError, StoreError
from bridge.web import answers, health, metrics, webhooks
from bridge.web.counters import Counters
from bridge.web.refusals import INTERNAL, RETRY_AFTER_SECONDS
from bridge.web.throttle import Throttle

log = structlog.get_logger()

Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]
#: How much of a body that nobody reads is taken before it is answered, and in what pieces.
LONGEST_REST = 64 << 20
PIECE = 1 << 16
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")


def create_app(bridge: Bridge) -> Flask:
    app = Flask("bridge", static_folder=None)
    # One more than is accepted: a body that comes in chunks is cut here, and must still be seen to be too large.
    app.config["MAX_CONTENT_LENGTH"] = bridge.settings.max_body_bytes + 1
    app.extensions["bridge"] = bridge
    app.extensions["counters"] = Counters()
    app.extensions["throttle"] = Throttle(bootstrap.steady)
    # No redirect, ever: senders take it for a failure, or follow it without their body.
    app.url_map.merge_slashes = False
    app.url_map.strict_slashes = False
    app.before_request(identify)
    app.after_request(finish)
    app.register_error_handler(SenderError, answers.refused)
    app.register_error_handler(StoreError, answers.unavailable)
    app.register_error_handler(HTTPException, answers.explained)
    app.register_error_handler(Exception, answers.unexpected)
    app.register_blueprint(webhooks.blueprint)
    app.register_blueprint(health.blueprint)
    app.register_blueprint(metrics.blueprint)
    app.wsgi_app = whatever_happens(app.wsgi_app)  # type: ignore[assignment,method-assign]
    return app


def whatever_happens(app: Wsgi) -> Wsgi:
    """The application, but what escapes its own handlers, such as a log that cannot be written, is answered too."""

    def answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        try:
            return app(environ, start_response)
        except Exception:
            with suppress(Exception):
                log.exception("unexpected")
            headers = [("Content-Type", "application/json"), ("Retry-After", RETRY_AFTER_SECONDS)]
            start_response(f"{INTERNAL.status.value} {INTERNAL.status.phrase}", headers)
            return [INTERNAL.body("-")]

    return answer


def running_app(*, strict: bool = True) -> Flask:
    """The application as the environment says, delivering if it says so. Raises OperatorError, StoreError.

    Call it in the process that serves: threads do not survive a fork. Without `strict` a mapping file that is wrong
    closes its source, and the others work.
    """
    values = settings.load()
    logs.configure(values.log_format, values.log_level)
    bridge = bootstrap.build(values, strict=strict)
    bridge.store.check()
    app = create_app(bridge)
    reloader = app.extensions["reloader"] = bootstrap.build_reloader(bridge, delivers=values.delivery)
    reloader.start()
    if values.delivery:
        worker = bootstrap.build_worker(bridge)
        worker.start()
        atexit.register(worker.stop, values.stop_seconds)
    return app


def identify() -> None:
    given = request.headers.get("X-Request-Id", "")
    g.request_id = given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex


def finish(response: Response) -> Response:
    take_the_rest()
    if request.blueprint not in (health.blueprint.name, metrics.blueprint.name):
        webhooks.count(response)
    response.headers["X-Request-Id"] = g.get("request_id", "-")
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def take_the_rest() -> None:
    """A client that is still sending when the connection closes may not see the answer: nginx then answers 502.

    Our own server has read what is there, and sees to the rest after the answer.
    """
    stream, left = request.environ["wsgi.input"], LONGEST_REST
    with suppress(OSError, ParseException):
        while left > 0 and (piece := stream.read(PIECE)):
            left -= len(piece)
