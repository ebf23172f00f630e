"""Captured requests and what they mean: tests/fixtures/senders/<sender>/<what_happened>.http and expect.yaml."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson
from ruamel.yaml import YAML

from bridge.model import Event, Request
from bridge.senders import SENDERS, Sender

FOLDER = Path(__file__).parent.parent / "fixtures" / "senders"


@dataclass(frozen=True, kw_only=True, repr=False)
class Fixture:
    """One captured request, and everything that expect.yaml says of it."""

    name: str
    sender: Sender
    #: `capture`: a vendor really sent this, but for ids and names. `documentation`: made from what is documented.
    origin: str
    #: Where that is published; a file of this project where users decide on the shape.
    url: str
    request: Request
    #: What the source is configured with.
    secrets: list[str]
    #: A well-formed secret that has nothing to do with this request.
    other_secret: str
    #: Public key among the secrets -> the private one that signs.
    private_keys: Mapping[str, str] = field(default_factory=dict)
    #: When it arrives. ISO 8601, as are all times in expect.yaml.
    now: str
    options: Mapping[str, Any] = field(default_factory=dict)
    public_urls: list[str] = field(default_factory=list)
    #: Without any of these headers, or of these query parameters, it proves nothing.
    proof_headers: list[str] = field(default_factory=list)
    proof_parameters: list[str] = field(default_factory=list)
    #: Paths in the body that prove it; without all of them it proves nothing.
    proof_paths: list[str] = field(default_factory=list)
    #: Whether the proof covers the body.
    signs_body: bool = True
    #: The time that is part of the proof, if one is.
    signed_at: str | None = None
    #: The sender gives neither id nor time, so that each request is an event of its own.
    repeats_look_new: bool = False
    #: What was expected of each event: see `check`. With a `count`, only of the first ones.
    events: list[dict[str, Any]] = field(default_factory=list)
    count: int | None = None

    def __repr__(self) -> str:
        return f"{self.sender.name}/{self.name}"

    @property
    def arrival(self) -> int:
        return micros(self.now)

    def unwrap(self, request: Request | None = None, secrets: list[str] | None = None, now: int | None = None):
        return self.sender.unwrap(
            self.request if request is None else request,
            self.secrets if secrets is None else secrets,
            self.arrival if now is None else now,
        )

    def signed(self, body: bytes) -> Request:
        """The same request with another body, signed by us: for what happens after verification."""
        return self.sign(replace(self.request, body=body), "" if self.sender.open else self.secrets[0])

    def sign(self, request: Request, secret: str) -> Request:
        return self.sender.sign(request, self.private_keys.get(secret, secret), self.arrival)


def parse_http(content: bytes, public_urls: list[str]) -> Request:
    """As a WSGI server hands it over: bytes untouched, header values as Latin-1."""
    head, separator, body = content.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, version = first.split(" ")
    pairs = [line.split(": ", 1) for line in lines]
    headers = {name.lower(): value for name, value in pairs}
    assert separator
    assert version == "HTTP/1.1"
    assert len(headers) == len(pairs), "a header is given twice"
    assert headers["content-length"] == str(len(body))
    return Request(method, target, headers, body, tuple(public_urls))


@cache
def load_all(sender: str) -> list[Fixture]:
    document = YAML(typ="safe").load(FOLDER / sender / "expect.yaml")
    return [
        load(SENDERS[sender], name, {**document["defaults"], **spec}) for name, spec in document["requests"].items()
    ]


def load(sender: Sender, name: str, spec: Mapping[str, Any]) -> Fixture:
    options = sender.options().load(spec.get("options", {})) if sender.options else {}
    request = parse_http((FOLDER / sender.name / f"{name}.http").read_bytes(), spec.get("public_urls", []))
    return Fixture(**{**spec, "name": name, "sender": sender.bound(options), "request": request, "options": options})


def load_everything() -> list[Fixture]:
    """Of every sender that has a folder: one that has none fails tests of its own."""
    return [fixture for name in SENDERS if (FOLDER / name).is_dir() for fixture in load_all(name)]


def one(sender: str, name: str) -> Fixture:
    return next(fixture for fixture in load_all(sender) if fixture.name == name)


def check(event: Event, expected: Mapping[str, Any]) -> None:
    """`id` or the regular expression `id_like`, `type`, `at` (null: it does not say), paths of `payload`, `problem`."""
    assert re.fullmatch(expected.get("id_like") or re.escape(expected["id"]), event.event_id)
    assert event.event_type == expected["type"]
    assert event.occurred_at == (expected["at"] and micros(expected["at"]))
    assert event.problem == expected.get("problem")
    for path, value in expected.get("payload", {}).items():
        assert at_path(event.payload, path) == value, path


def micros(iso: str) -> int:
    """With a zone. The same as bridge.times.from_iso, in another way."""
    moment = datetime.fromisoformat(iso)
    return int(moment.timestamp()) * 1_000_000 + moment.microsecond


def at_path(value: Any, path: str) -> Any:
    """`data.items.0`: what is not there raises KeyError or IndexError."""
    for step in path.split("."):
        value = value[int(step)] if isinstance(value, list) else value[step]
    return value


def with_members(request: Request, paths: list[str], change: Callable[[Any], Any]) -> Request:
    """With what stands at these paths of the body changed. None takes the member away."""
    document = orjson.loads(request.body)
    for path in paths:
        place, _, name = path.rpartition(".")
        holder = at_path(document, place) if place else document
        value = change(holder.pop(name))
        holder.update({} if value is None else {name: value})
    return replace(request, body=orjson.dumps(document))


def with_header(request: Request, name: str, value: str | None) -> Request:
    """None takes the header away."""
    headers = {key: kept for key, kept in request.headers.items() if key != name.lower()}
    return replace(request, headers=headers if value is None else {**headers, name.lower(): value})


def with_parameter(request: Request, name: str, value: str | None) -> Request:
    """None takes the query parameter away."""
    kept = {key: one for key, one in request.query.items() if key != name}
    query = "&".join(
        f"{key}={quote(one, safe='')}" for key, one in {**kept, **({} if value is None else {name: value})}.items()
    )
    return replace(request, target=request.target.partition("?")[0] + (f"?{query}" if query else ""))
