"""POST /webhooks/<source>: prove it, store it, say so."""

import structlog
from flask import Blueprint, Response, current_app, g, request
from werkzeug.exceptions import NotFound, RequestEntityTooLarge

from bridge.bootstrap import Bridge, now
from bridge.errors import NotVerifiedError
from bridge.mapping.rules import Source
from bridge.model import Request
from bridge.web import answers

blueprint = Blueprint("webhooks", __name__)
log = structlog.get_logger()


@blueprint.post("/webhooks/<name>")
def receive(name: str) -> Response:
    bridge: Bridge = current_app.extensions["bridge"]
    mappings = bridge.mappings
    source = mappings.sources.get(name)
    if source is None and name in mappings.refused:
        log.error("source closed", source=name, problems=len(mappings.refused[name]))
        return answers.later("source_closed", "the mapping file of this source cannot be used: send it again later")
    if source is None:
        raise NotFound("no source has this name")
    if source.unset:
        log.error("source closed", source=name, unset=source.unset)
        return answers.later("source_closed", "this source is not configured yet: send it again later")
    given = current_request(bridge)
    if answer := source.sender.handshake(given):
        return Response(answer.body, content_type=answer.content_type)
    try:
        received = bridge.receiver.receive(source, given, now())
    except NotVerifiedError as error:
        captured = bridge.capturer.capture(source, given, str(error), now())
        response = answers.refused(error)
        if captured and source.capture and source.capture.acknowledge:
            return acknowledged(source)
        if source.sender.challenge:
            response.headers["WWW-Authenticate"] = source.sender.challenge
        return response
    log.debug("received", source=name, new=received.new, seen=received.seen, request_id=g.request_id)
    return acknowledged(source)


def acknowledged(source: Source) -> Response:
    answer = source.sender.answer
    return Response(answer.body, content_type=answer.content_type)


def current_request(bridge: Bridge) -> Request:
    """The bytes as they came. Raises RequestEntityTooLarge."""
    body = request.get_data(cache=False)
    if len(body) > bridge.settings.max_body_bytes:
        raise RequestEntityTooLarge
    return Request(
        method=request.method,
        target=raw_target(),
        headers={name.lower(): value for name, value in request.headers.items()},
        body=body,
        public_urls=bridge.settings.public_urls,
    )


def raw_target() -> str:
    """Path and query as they were sent: some senders sign them, so no decoding may have touched them."""
    for name in ("RAW_URI", "REQUEST_URI"):
        if value := request.environ.get(name):
            return str(value)
    query = request.query_string.decode("latin-1")
    return request.path + (f"?{query}" if query else "")
