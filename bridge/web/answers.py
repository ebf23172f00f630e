"""What senders and operators get to read when something is not as it should be: one shape for every error."""

from http import HTTPStatus
from typing import Any

import orjson
import structlog
from flask import Response, g, request
from werkzeug.exceptions import HTTPException

from bridge.errors import SenderError, StoreError

log = structlog.get_logger()

#: Senders read it as seconds on a 503; Zendesk does not come back if it is 60 or more. See docs/answers.md.
RETRY_AFTER_SECONDS = "30"


def error(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> Response:
    body: dict[str, Any] = {"code": code, "message": message, "request_id": g.get("request_id", "-")}
    return Response(orjson.dumps({"error": body}), status, headers, content_type="application/json")


def refused(problem: SenderError) -> Response:
    log.warning(
        "refused",
        path=request.path,
        status=problem.status,
        code=problem.code,
        reason=str(problem),
        request_id=g.get("request_id"),
    )
    return error(problem.status, problem.code, str(problem))


def unavailable(problem: StoreError) -> Response:
    log.error("store unavailable", path=request.path, error=str(problem), request_id=g.get("request_id"))
    return later("store_unavailable", "nothing was stored: send it again later")


def unexpected(problem: Exception) -> Response:
    log.error("unexpected", path=request.path, request_id=g.get("request_id"), exc_info=problem)
    return later("internal", "something went wrong here, and nothing was stored: send it again later")


def later(code: str, message: str) -> Response:
    return error(HTTPStatus.SERVICE_UNAVAILABLE, code, message, {"Retry-After": RETRY_AFTER_SECONDS})


def explained(problem: HTTPException) -> Response:
    """What Flask itself refuses: unknown paths and methods, bodies that are too large."""
    status = HTTPStatus(problem.code or HTTPStatus.INTERNAL_SERVER_ERROR)
    headers = {name: value for name, value in problem.get_headers() if name != "Content-Type"}
    return error(status, status.name.lower(), problem.description or status.phrase, headers)
