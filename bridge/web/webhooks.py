"""/webhooks/<source>: prove it, store it, say so."""

from collections.abc import Mapping

import structlog
from flask import Blueprint, Response, g, request
from gunicorn.http.errors import ParseException
from werkzeug.exceptions import HTTPException, NotFound, RequestEntityTooLarge

from bridge.bootstrap import Bridge, now
from bridge.errors import CompressedError, IncompleteError, NotVerifiedError
from bridge.mapping.rules import Source
from bridge.model import Request
from bridge.pipeline.receive import Received
from bridge.web import answers, parts
from bridge.web.counters import Outcome

blueprint = Blueprint("webhooks", __name__)
log = structlog.get_logger()

#: What an answer says by itself about a request. Where the same status can mean several things, `g.outcome` says which.
OUTCOMES: Mapping[int, Outcome] = {
    400: Outcome.NOT_THIS_SHAPE,
    401: Outcome.NOT_VERIFIED,
    404: Outcome.NOT_FOUND,
    405: Outcome.NOT_ALLOWED,
    413: Outcome.TOO_LARGE,
    415: Outcome.COMPRESSED,
}


@blueprint.route("/webhooks/<name>", methods=["POST", "GET"], strict_slashes=False, provide_automatic_options=False)
def receive(name: str) -> Response:
    bridge = parts.bridge()
    mappings = bridge.mappings
    source = mappings.sources.get(name)
    if source is None and name in mappings.refused:
        g.source = name
        return closed(name, "the mapping file of this source cannot be used", problems=len(mappings.refused[name]))
    if source is None:
        raise NotFound("no source has this name")
    g.source = name
    if request.method != "POST":
        g.outcome = Outcome.SEEN
        return Response(b"", content_type="text/plain")
    if source.unset:
        return closed(name, "this source is not configured yet", unset=source.unset)
    given = current_request(bridge)
    if answer := source.sender.handshake(given):
        g.outcome = Outcome.HANDSHAKE
        return Response(answer.body, content_type=answer.content_type)
    try:
        received = bridge.receiver.receive(source, given, now())
    except NotVerifiedError as error:
        return not_verified(bridge, source, given, error)
    g.outcome = outcome_of(received)
    log.debug("received", source=name, new=received.new, seen=received.seen, request_id=g.request_id)
    return acknowledged(source)


def closed(name: str, reason: str, **facts: object) -> Response:
    """Senders are asked to come back."""
    g.outcome = Outcome.CLOSED
    parts.throttle().error("source closed", source=name, **facts)
    return answers.later("source_closed", f"{reason}: send it again later")


def not_verified(bridge: Bridge, source: Source, given: Request, error: NotVerifiedError) -> Response:
    captured = bridge.capturer.capture(source, given, str(error), now())
    response = answers.refused(error)
    if captured and source.capture and source.capture.acknowledge:
        g.outcome = Outcome.CAPTURED
        return acknowledged(source)
    if source.sender.challenge:
        response.headers["WWW-Authenticate"] = source.sender.challenge
    return response


def outcome_of(received: Received) -> Outcome:
    if received.new:
        return Outcome.STORED
    return Outcome.REPEAT if received.seen else Outcome.IGNORED


def acknowledged(source: Source) -> Response:
    answer = source.sender.answer
    return Response(answer.body, content_type=answer.content_type)


def count(response: Response) -> None:
    """Each answer to a sender, by source and outcome. What a client sends never becomes a label."""
    outcome = g.get("outcome") or OUTCOMES.get(response.status_code, Outcome.ERROR)
    parts.counters().webhook(g.get("source", ""), outcome)


def current_request(bridge: Bridge) -> Request:
    """The bytes as they came. Raises IncompleteError, CompressedError, RequestEntityTooLarge."""
    if request.headers.get("Content-Encoding", "identity").strip().lower() not in ("", "identity"):
        raise CompressedError("the body is compressed: send it as it is, without Content-Encoding")
    return Request(
        method=request.method,
        target=raw_target(),
        headers={name.lower(): value for name, value in request.headers.items()},
        body=whole_body(bridge.settings.max_body_bytes),
        public_urls=bridge.settings.public_urls,
    )


def whole_body(most: int) -> bytes:
    try:
        body = request.get_data(cache=False)
    except HTTPException as error:
        if isinstance(error, RequestEntityTooLarge):
            raise
        raise incomplete() from None
    except (OSError, ParseException):
        raise incomplete() from None
    if len(body) > most:
        raise RequestEntityTooLarge
    if request.content_length is not None and len(body) != request.content_length:
        raise incomplete()
    return body


def incomplete() -> IncompleteError:
    """Half a form or half a text can still be read, and its repeat would be taken for the same event."""
    g.outcome = Outcome.INCOMPLETE
    return IncompleteError("the body ends before its announced end: nothing was stored")


def raw_target() -> str:
    """Path and query as they were sent: some senders sign them, so no decoding may have touched them."""
    for name in ("RAW_URI", "REQUEST_URI"):
        if value := request.environ.get(name):
            return str(value)
    query = request.query_string.decode("latin-1")
    return request.path + (f"?{query}" if query else "")
