"""Answers to what never becomes a request: the server writes them itself, in the same shape as all other errors.

gunicorn would answer with HTML, and repeat in answer and log what it could not read: that may hold a token.
"""

import uuid
from dataclasses import dataclass
from http import HTTPStatus

import orjson
from gunicorn.http import errors

from bridge.web.reader import MAX_HEAD, MAX_LINE

#: Senders read it as seconds on a 503; Zendesk does not come back if it is 60 or more. See docs/answers.md.
RETRY_AFTER_SECONDS = "30"


@dataclass(frozen=True, slots=True)
class Refusal:
    status: HTTPStatus
    code: str
    message: str

    def body(self, request_id: str) -> bytes:
        """The one shape of errors."""
        return orjson.dumps({"error": {"code": self.code, "message": self.message, "request_id": request_id}})

    def answer(self) -> bytes:
        """The whole answer, after which the connection closes."""
        request_id = uuid.uuid4().hex
        body = self.body(request_id)
        lines = [
            f"HTTP/1.1 {self.status.value} {self.status.phrase}",
            "Connection: close",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
            f"X-Request-Id: {request_id}",
            "X-Content-Type-Options: nosniff",
        ]
        if self.status is HTTPStatus.SERVICE_UNAVAILABLE:
            lines.append(f"Retry-After: {RETRY_AFTER_SECONDS}")
        return "\r\n".join([*lines, "", ""]).encode() + body


NOT_HTTP = Refusal(HTTPStatus.BAD_REQUEST, "bad_request", "this is not an HTTP request")
BAD_REQUEST = Refusal(HTTPStatus.BAD_REQUEST, "bad_request", "the head of the request is not valid HTTP")
INCOMPLETE = Refusal(HTTPStatus.BAD_REQUEST, "incomplete_body", "the body ends before its announced end")
HEAD_TOO_LARGE = Refusal(
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    "request_header_fields_too_large",
    f"the headers are too large: at most 100 of 8190 bytes each, and {MAX_HEAD} bytes together, are accepted",
)
HEAD_LATE = Refusal(HTTPStatus.REQUEST_TIMEOUT, "request_timeout", "the headers did not arrive in time")
BODY_LATE = Refusal(HTTPStatus.REQUEST_TIMEOUT, "request_timeout", "the body did not arrive in time")
NO_ROOM = Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "busy", "too many large requests at a time: send it again later")
STOPPING = Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "stopping", "this process is being stopped: send it again later")
INTERNAL = Refusal(
    HTTPStatus.SERVICE_UNAVAILABLE, "internal", "something went wrong here, and nothing was stored: send it again later"
)

#: What gunicorn's parser raises. Messages are ours: its own quote the request.
PARSE_ERRORS = {
    errors.LimitRequestLine: Refusal(
        HTTPStatus.REQUEST_URI_TOO_LONG, "request_uri_too_long", f"the request line is longer than {MAX_LINE} bytes"
    ),
    errors.LimitRequestHeaders: HEAD_TOO_LARGE,
    errors.InvalidHTTPVersion: Refusal(
        HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, "http_version_not_supported", "HTTP/1.1 and HTTP/1.0 are accepted"
    ),
    errors.UnsupportedTransferCoding: Refusal(
        HTTPStatus.NOT_IMPLEMENTED, "not_implemented", "the only Transfer-Encoding that is accepted is chunked"
    ),
    errors.ExpectationFailed: Refusal(
        HTTPStatus.EXPECTATION_FAILED, "expectation_failed", "the only Expect that is accepted is 100-continue"
    ),
    errors.ParseException: BAD_REQUEST,
    errors.NoMoreData: BAD_REQUEST,
}


def refusal_of(error: Exception) -> Refusal | None:
    """The answer to what gunicorn's parser raised; None if the request is not to blame."""
    found = [answer for kind, answer in PARSE_ERRORS.items() if isinstance(error, kind)]
    return found[0] if found else None
