"""Metronome's API: one call in, one Outcome out. It never raises for what Metronome or the network does.

https://docs.metronome.com/api-reference
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from email.utils import parsedate_to_datetime
from typing import Any

import orjson
import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3.exceptions import HTTPError

from bridge import __version__
from bridge.model import Outcome, Verdict
from bridge.times import HOUR, MILLISECOND, SECOND, from_datetime

SET_VALUES = "/v1/customFields/setValues"
DELETE_VALUES = "/v1/customFields/deleteValues"
CUSTOMERS = "/v1/customers"
CONTRACTS = "/v2/contracts/list"

#: What stands behind the question mark; of several values of one name, each.
Query = Mapping[str, str | Sequence[str]]

VERDICTS = {
    401: Verdict.UNAUTHORIZED,
    403: Verdict.UNAUTHORIZED,
    404: Verdict.UNKNOWN,
    # A proxy between us and Metronome wants other credentials.
    407: Verdict.UNAVAILABLE,
    408: Verdict.UNAVAILABLE,
    429: Verdict.LIMITED,
}

MAX_ANSWER_BYTES = 16 << 20
MAX_MESSAGE_LENGTH = 500
#: No answer makes us wait for longer than this.
LONGEST_WAIT = HOUR


class Bearer(AuthBase):
    """Puts the token on every request itself: otherwise requests would prefer what it finds in ~/.netrc."""

    def __init__(self, token: Callable[[], str]) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token()}"
        return request


class Session(requests.Session):
    """Sees no redirects: even when told not to follow one, requests reads all of it to know where it leads."""

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        return None


class Client:
    """Calls with one pooled session a thread. `clock` gives microseconds, for Retry-After dates.

    A `token` that is a function is asked for the token of each call.
    """

    def __init__(
        self,
        base_url: str,
        token: str | Callable[[], str],
        *,
        connect_timeout_seconds: float,
        timeout_seconds: float,
        clock: Callable[[], int],
    ) -> None:
        self.base_url = base_url
        self.timeout = (connect_timeout_seconds, timeout_seconds)
        self.clock = clock
        self._bearer = Bearer(token if callable(token) else lambda: token)
        self._local = threading.local()
        # Proxies and certificates, asked for once: requests would go through the environment for every call.
        self._surroundings = requests.Session().merge_environment_settings(base_url, {}, None, None, None)

    def set_values(self, entity: str, entity_id: str, values: Mapping[str, str]) -> Outcome:
        """Sets these keys and keeps the others: all of them or none."""
        return self.call("POST", SET_VALUES, set_body(entity, entity_id, values))[0]

    def delete_values(self, entity: str, entity_id: str, keys: Sequence[str]) -> Outcome:
        return self.call("POST", DELETE_VALUES, delete_body(entity, entity_id, keys))[0]

    def customers(self, query: Query) -> tuple[Outcome, Mapping[str, Any]]:
        """One page of customers: {data: [...], next_page}. Empty unless accepted."""
        return self.listing("GET", CUSTOMERS, query=query)

    def contracts(self, customer_id: str) -> tuple[Outcome, Mapping[str, Any]]:
        """All contracts of a customer that are not archived: {data: [...]}. Empty unless accepted."""
        return self.listing("POST", CONTRACTS, {"customer_id": customer_id})

    def listing(
        self, method: str, path: str, body: Any = None, *, query: Query | None = None
    ) -> tuple[Outcome, Mapping[str, Any]]:
        """As `call`, where `data` is a list; what is none is as good as no answer."""
        outcome, answer = self.call(method, path, body, query=query)
        if outcome.verdict is Verdict.ACCEPTED and not isinstance(answer.get("data"), list):
            return Outcome(Verdict.UNAVAILABLE, outcome.status, "the answer is not what the API describes"), {}
        return outcome, answer

    def call(
        self, method: str, path: str, body: Any = None, *, query: Query | None = None
    ) -> tuple[Outcome, Mapping[str, Any]]:
        """The outcome and the answer, which is an object."""
        deadline = self.clock() + round(sum(self.timeout) * SECOND)
        try:
            with self.session().request(
                method,
                self.base_url + path,
                params=query,
                data=None if body is None else orjson.dumps(body),
                timeout=self.timeout,
                # A redirect would carry a POST, and the token, to where nobody asked for it.
                allow_redirects=False,
                stream=True,
            ) as response:
                content = self.read_bounded(response, deadline)
        except (requests.RequestException, HTTPError, OSError, ValueError) as error:
            return Outcome(Verdict.UNAVAILABLE, message=f"no answer: {type(error).__name__}"), {}
        answer = read(content)
        return self.outcome_of(response, answer), answer

    def outcome_of(self, response: requests.Response, answer: Mapping[str, Any]) -> Outcome:
        status = response.status_code
        verdict = VERDICTS.get(status) or by_class(status)
        if verdict is Verdict.ACCEPTED and "html" in response.headers.get("Content-Type", ""):
            return Outcome(Verdict.UNAVAILABLE, status, "a web page answered, not the API: check METRONOME_BASE_URL")
        if verdict is Verdict.ACCEPTED:
            return Outcome(verdict, status)
        message = str(answer.get("message") or response.reason or "")[:MAX_MESSAGE_LENGTH]
        # PostgreSQL has no NUL in a text: https://www.postgresql.org/docs/current/datatype-character.html
        message = message.replace("\x00", "\ufffd")
        return Outcome(verdict, status, message, retry_after(response.headers, self.clock()))

    def read_bounded(self, response: requests.Response, deadline: int) -> bytes:
        """The body, read to its end so that the connection can be used again. Raises ValueError if there is no end."""
        content = bytearray()
        while piece := response.raw.read1(1 << 16, decode_content=True):
            content += piece
            if len(content) > MAX_ANSWER_BYTES:
                raise ValueError("the answer is too long")
            if self.clock() > deadline:
                raise TimeoutError("the answer takes too long")
        return bytes(content)

    def session(self) -> requests.Session:
        """This thread's session: its connection stays open between calls."""
        if not hasattr(self._local, "session"):
            session = Session()
            session.trust_env = False
            session.proxies = dict(self._surroundings["proxies"])
            session.verify = self._surroundings["verify"]
            session.auth = self._bearer
            session.headers.update(
                {
                    "User-Agent": f"metronome-bridge/{__version__}",
                    "Content-Type": "application/json",
                    "Accept": "application/json",
                }
            )
            # Retries belong to the store: here they would sleep in the thread, with nobody to see them.
            adapter = HTTPAdapter(pool_connections=1, pool_maxsize=1, max_retries=0)
            session.mount("https://", adapter)
            session.mount("http://", adapter)
            self._local.session = session
        return self._local.session  # type: ignore[no-any-return]


def set_body(entity: str, entity_id: str, values: Mapping[str, str]) -> dict[str, Any]:
    return {"entity": entity, "entity_id": entity_id, "custom_fields": dict(values)}


def delete_body(entity: str, entity_id: str, keys: Sequence[str]) -> dict[str, Any]:
    return {"entity": entity, "entity_id": entity_id, "keys": list(keys)}


def by_class(status: int) -> Verdict:
    if 200 <= status < 300:  # noqa: PLR2004
        return Verdict.ACCEPTED
    # A redirect, like a fault of the server, says nothing about this write.
    return Verdict.REFUSED if 400 <= status < 500 else Verdict.UNAVAILABLE  # noqa: PLR2004


def read(content: bytes) -> Mapping[str, Any]:
    try:
        answer = orjson.loads(content)
    except orjson.JSONDecodeError:
        return {}
    return answer if isinstance(answer, dict) else {}


def retry_after(headers: Mapping[str, str], now: int) -> int | None:
    """How long to wait, in microseconds: `retry-after-ms`, or `Retry-After` in seconds or as a date."""
    wait = number(headers.get("retry-after-ms"), MILLISECOND)
    if wait is None:
        wait = number(headers.get("retry-after"), SECOND)
    if wait is None:
        wait = until(headers.get("retry-after"), now)
    return None if wait is None or wait < 0 else min(wait, LONGEST_WAIT)


def number(text: str | None, unit: int) -> int | None:
    try:
        return None if text is None else int(float(text) * unit)
    except (ValueError, OverflowError):
        return None


def until(text: str | None, now: int) -> int | None:
    try:
        return None if text is None else from_datetime(parsedate_to_datetime(text)) - now
    except (ValueError, OverflowError):
        return None
