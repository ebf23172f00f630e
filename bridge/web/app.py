"""The Flask application: a request id on every answer, a limit on every body, one shape for every error."""

import atexit
import re
import uuid
from contextlib import suppress

from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException

from bridge import bootstrap, logs, settings
from bridge.bootstrap import Bridge
from bridge.errors import SenderError, StoreError
from bridge.web import answers, health, metrics, webhooks

#: How much of a body that nobody reads is taken before it is answered, and in what pieces.
LONGEST_REST = 64 << 20
PIECE = 1 << 16
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")


def create_app(bridge: Bridge) -> Flask:
    app = Flask("bridge", static_folder=None)
    # One more than is accepted: a body that comes in chunks is cut here, and must still be seen to be too large.
    app.config["MAX_CONTENT_LENGTH"] = bridge.settings.max_body_bytes + 1
    app.extensions["bridge"] = bridge
    app.before_request(identify)
    app.after_request(finish)
    app.register_error_handler(SenderError, answers.refused)
    app.register_error_handler(StoreError, answers.unavailable)
    app.register_error_handler(HTTPException, answers.explained)
    app.register_error_handler(Exception, answers.unexpected)
    app.register_blueprint(webhooks.blueprint)
    app.register_blueprint(health.blueprint)
    app.register_blueprint(metrics.blueprint)
    return app


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
    response.headers["X-Request-Id"] = g.get("request_id", "-")
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def take_the_rest() -> None:
    """Whoever is still sending when the connection closes may not see the answer: nginx then makes a 502 of it."""
    stream, left = request.environ["wsgi.input"], LONGEST_REST
    with suppress(OSError):
        while left > 0 and (piece := stream.read(PIECE)):
            left -= len(piece)
