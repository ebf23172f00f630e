"""What an answer means. Only Metronome's own answers decide about a write; everything else is worth another try.

https://docs.metronome.com/api-reference documents `{"message": "..."}`, as JSON, for every error. An error in another
form was given by something in between, such as a proxy, a firewall or a login page, and says nothing about the write.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import orjson

from bridge.model import Verdict

#: What success looks like; the API documents 200 alone.
SUCCESS = (200, 201, 202, 204)
#: Errors that decide, if they have Metronome's form.
DECIDING = {
    400: Verdict.REFUSED,
    401: Verdict.UNAUTHORIZED,
    403: Verdict.FORBIDDEN,
    404: Verdict.UNKNOWN,
    409: Verdict.CONFLICT,
    422: Verdict.REFUSED,
}
#: In whatever form it comes, and from a proxy too: waiting is right.
LIMITED = 429
REDIRECTS = range(300, 400)
CLIENT_ERRORS = range(400, 500)
REQUEST_TIMEOUT = 408

MAX_MESSAGE_LENGTH = 500

CHECK = "check METRONOME_BASE_URL, and proxies on the way"
REDIRECTED = "a redirect is not followed: set METRONOME_BASE_URL to the address of the API itself"
WEB_PAGE = f"a web page answered, not the API: {CHECK}"
NOT_JSON = f"the answer is not a JSON object, so it is not Metronome's: {CHECK}"
NOT_AN_ERROR = f"not an error as Metronome writes them, so a proxy or another server answered: {CHECK}"
NO_SUCCESS = "a success that Metronome does not document"

REDACTED = "[redacted]"
_BEARER = re.compile(r"\bBearer\s+[^\s\"'<>,;]+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Judgement:
    verdict: Verdict
    message: str = ""
    #: The JSON object of a success; otherwise empty.
    answer: Mapping[str, Any] | None = None


def judge(status: int, reason: str, content: bytes, content_type: str) -> Judgement:
    """`content`: the whole body, or nothing if it broke off."""
    is_page = "html" in content_type.lower()
    if status in SUCCESS:
        return success(content, is_page=is_page)
    if status in REDIRECTS:
        return Judgement(Verdict.UNAVAILABLE, REDIRECTED)
    message = message_of(None if is_page else read_object(content))
    said = message or reason
    if status == LIMITED:
        return Judgement(Verdict.LIMITED, said)
    if status not in CLIENT_ERRORS or status == REQUEST_TIMEOUT:
        return Judgement(Verdict.UNAVAILABLE, said or NO_SUCCESS)
    if message is None:
        return Judgement(Verdict.UNAVAILABLE, joined(reason, WEB_PAGE if is_page else NOT_AN_ERROR))
    return Judgement(DECIDING.get(status, Verdict.UNAVAILABLE), said)


def success(content: bytes, *, is_page: bool) -> Judgement:
    if is_page:
        return Judgement(Verdict.UNAVAILABLE, WEB_PAGE)
    answer = read_object(content) if content.strip() else {}
    if answer is None:
        return Judgement(Verdict.UNAVAILABLE, NOT_JSON)
    return Judgement(Verdict.ACCEPTED, answer=answer)


def message_of(answer: Mapping[str, Any] | None) -> str | None:
    """None: this is not an error of Metronome. Its message should be text; whatever it is, it has one."""
    message = (answer or {}).get("message")
    return None if message is None else str(message)


def read_object(content: bytes) -> dict[str, Any] | None:
    """Returns None for what is not a JSON object."""
    try:
        answer = orjson.loads(content)
    except orjson.JSONDecodeError:
        answer = read_leniently(content)
    return answer if isinstance(answer, dict) else None


def read_leniently(content: bytes) -> Any:
    """JSON whose text has half characters: what was cut in UTF-16, as JavaScript does, ends with half an emoji."""
    try:
        text = json.dumps(json.loads(content), ensure_ascii=False, allow_nan=False)
        return orjson.loads(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))
    except (ValueError, RecursionError):
        return None


def harmless(text: str, token: str) -> str:
    """Returns one bounded line without the token and without anything that a terminal or a database minds."""
    for secret in {token.strip(), quote(token.strip(), safe="")} - {""}:
        text = text.replace(secret, REDACTED)
    text = " ".join(_BEARER.sub(f"Bearer {REDACTED}", text).split())
    return "".join(one if one.isprintable() else "\ufffd" for one in text[:MAX_MESSAGE_LENGTH])


def joined(*parts: str) -> str:
    return ": ".join(part for part in parts if part)
