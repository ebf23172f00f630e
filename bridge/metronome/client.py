"""Metronome's API: one call in, one Outcome out. It never raises for what Metronome or the network does.

https://docs.metronome.com/api-reference
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import orjson
import requests
from requests.auth import AuthBase
from urllib3.exceptions import HTTPError

from bridge import __version__
from bridge.metronome.answers import CLIENT_ERRORS, SUCCESS, Judgement, harmless, judge
from bridge.metronome.transport import Resolver, Transport
from bridge.metronome.waits import wait_of
from bridge.model import Outcome, Verdict

SET_VALUES = "/v1/customFields/setValues"
DELETE_VALUES = "/v1/customFields/deleteValues"
CUSTOMERS = "/v1/customers"
CONTRACTS = "/v2/contracts/list"

#: What stands behind the question mark; of several values of one name, each.
Query = Mapping[str, str | Sequence[str]]

MAX_ANSWER_BYTES = 16 << 20
#: Errors are short: of a longer one the connection is closed instead of reading on.
MAX_ERROR_BYTES = 256 << 10

RATE_LIMIT_TYPE = "X-Metronome-Rate-Limit-Type"
RATE_LIMIT_TYPES = ("client", "customer")
#: Headers that say how long to wait.
WAITS = ("Date", "Retry-After", "retry-after-ms")


class Bearer(AuthBase):
    """Puts the token on every request itself: otherwise requests would prefer what it finds in ~/.netrc."""

    def __init__(self, token: Callable[[], str]) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token()}"
        return request

    def redact(self, text: str) -> str:
        """Returns a harmless text that does not hold the token."""
        return harmless(text, self._token())


class Session(requests.Session):
    """Sees no redirects: even when told not to follow one, requests reads all of it to know where it leads."""

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        return None


class Client:
    """Calls with one pooled session a thread.

    `clock` gives microseconds, for Retry-After dates; `monotonic` gives seconds, for deadlines. A call takes at most
    the sum of both timeouts: connecting and sending the first, the answer with its body the second.

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
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.base_url = base_url
        self.timeout = (connect_timeout_seconds, timeout_seconds)
        self.clock = clock
        self.monotonic = monotonic
        self._bearer = Bearer(token if callable(token) else lambda: token)
        self._resolver = Resolver()
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
        """The outcome and the answer, which is an object; empty unless accepted."""
        try:
            with self.session().request(
                method,
                self.base_url + path,
                params=query,
                data=None if body is None else orjson.dumps(body),
                timeout=self.timeout,
                # A redirect would carry a POST, and the token, to another address.
                allow_redirects=False,
                stream=True,
            ) as response:
                content = content_of(response)
        except (requests.RequestException, HTTPError, OSError, ValueError) as error:
            return Outcome(Verdict.UNAVAILABLE, message=f"no answer: {type(error).__name__}"), {}
        judgement = judge(response.status_code, response.reason or "", content, header(response, "Content-Type"))
        if judgement.verdict is Verdict.ACCEPTED:
            return Outcome(judgement.verdict, response.status_code), judgement.answer or {}
        return self.failure(response, judgement), {}

    def failure(self, response: requests.Response, judgement: Judgement) -> Outcome:
        wait = wait_of(
            {name.lower(): response.raw.headers.getlist(name) for name in WAITS}, response.status_code, self.clock()
        )
        limited_by = header(response, RATE_LIMIT_TYPE).strip().lower()
        is_scoped = judgement.verdict is Verdict.LIMITED and limited_by in RATE_LIMIT_TYPES
        said = self._bearer.redact(judgement.message)
        return Outcome(
            judgement.verdict,
            response.status_code,
            " ".join(part for part in (said, wait.note and f"({wait.note})") if part),
            wait.micros,
            scope=limited_by if is_scoped else None,
        )

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
            # Whatever the other side would have us remember does not come back to it.
            session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
            # Retries belong to the store: here they would sleep in the thread, unseen.
            adapter = Transport(self._resolver, clock=self.monotonic)
            session.mount("https://", adapter)
            session.mount("http://", adapter)
            self._local.session = session
        return self._local.session  # type: ignore[no-any-return]


def set_body(entity: str, entity_id: str, values: Mapping[str, str]) -> dict[str, Any]:
    return {"entity": entity, "entity_id": entity_id, "custom_fields": dict(values)}


def delete_body(entity: str, entity_id: str, keys: Sequence[str]) -> dict[str, Any]:
    return {"entity": entity, "entity_id": entity_id, "keys": list(keys)}


def header(response: requests.Response, name: str) -> str:
    return str(response.headers.get(name, ""))


def content_of(response: requests.Response) -> bytes:
    """The body as far as it matters. Raises if a success breaks off: then it may be another answer than it seems."""
    if response.status_code in SUCCESS:
        return read_bounded(response, MAX_ANSWER_BYTES)
    if response.status_code < CLIENT_ERRORS.start:
        # Interim answers and redirects: nothing in them is trusted, and the connection is closed.
        return b""
    try:
        return read_bounded(response, MAX_ERROR_BYTES)
    except (HTTPError, OSError, ValueError):
        return b""


def read_bounded(response: requests.Response, limit: int) -> bytes:
    """The body, read to its end so that the connection can be used again. Raises ValueError if it is too long."""
    content = bytearray()
    while piece := response.raw.read1(1 << 16, decode_content=True):
        content += piece
        if len(content) > limit:
            raise ValueError("the answer is too long")
    return bytes(content)
