"""What senders and operators get to read when something is not as it should be: one shape for every error."""

from http import HTTPStatus

import structlog
from flask import Response, g, request
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from bridge.errors import SenderError, StoreError
from bridge.web import parts
from bridge.web.addresses import client_of
from bridge.web.counters import Outcome
from bridge.web.refusals import INTERNAL, RETRY_AFTER_SECONDS, Refusal

log = structlog.get_logger()


def error(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> Response:
    body = Refusal(HTTPStatus(status), code, message).body(g.get("request_id", "-"))
    return Response(body, status, headers, content_type="application/json")


def refused(problem: SenderError) -> Response:
    tell(problem.status, problem.code, str(problem))
    return error(problem.status, problem.code, str(problem))


def unavailable(problem: StoreError) -> Response:
    g.outcome = Outcome.UNAVAILABLE
    log.error("store unavailable", path=request.path, error=str(problem), request_id=g.get("request_id"))
    return later("store_unavailable", "nothing was stored: send it again later")


def unexpected(problem: Exception) -> Response:
    g.outcome = Outcome.ERROR
    log.error("unexpected", path=request.path, request_id=g.get("request_id"), exc_info=problem)
    return later(INTERNAL.code, INTERNAL.message)


def later(code: str, message: str) -> Response:
    return error(HTTPStatus.SERVICE_UNAVAILABLE, code, message, {"Retry-After": RETRY_AFTER_SECONDS})


def explained(problem: HTTPException) -> Response:
    """What Flask itself refuses: unknown paths and methods, bodies that are too large."""
    status = HTTPStatus(problem.code or HTTPStatus.INTERNAL_SERVER_ERROR)
    headers = {name: value for name, value in problem.get_headers() if name != "Content-Type"}
    message = problem.description or status.phrase
    if isinstance(problem, RequestEntityTooLarge):
        limit = parts.bridge().settings.max_body_bytes
        message = f"the body is larger than {limit} bytes, which is what BRIDGE_MAX_BODY_BYTES allows here"
    tell(status, status.name.lower(), message)
    return error(status, status.name.lower(), message, headers)


def tell(status: int, code: str, reason: str) -> None:
    """Any client can cause such a line, so their number per second is limited."""
    parts.throttle().warning(
        "refused",
        path=request.path,
        address=client_address(),
        status=int(status),
        code=code,
        reason=reason,
        request_id=g.get("request_id"),
    )


def client_address() -> str:
    forwarded = request.headers.get("X-Forwarded-For", "")
    return client_of(request.remote_addr or "", forwarded, parts.bridge().settings.trusted_proxies)
