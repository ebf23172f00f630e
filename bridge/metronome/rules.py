"""The sandbox's rules: which calls they match, and what those get instead of the usual answer.

POST /sandbox {"rules": [{"entity_id": "...", "status": 429, "headers": {"Retry-After": "3"}, "times": 2}]}
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

import orjson
from flask import Response
from marshmallow import Schema, ValidationError, fields, post_load, validate, validates_schema

from bridge.metronome.wire import FAULTS, Connection

#: No rule waits for longer than this.
LONGEST_DELAY_MS = 600_000
#: The status of a call that a fault has ended.
NO_ANSWER = 0


@dataclass(frozen=True, slots=True)
class Asked:
    """What rules look at in one call."""

    method: str
    path: str
    query: Mapping[str, Sequence[str]]
    body: Mapping[str, Any]
    #: True if the connection has served a call before.
    reused: bool = False

    @property
    def ids(self) -> set[str]:
        """Every id that the call names: in its body, in its path, in its query."""
        named = [self.body.get(name) for name in ("entity_id", "customer_id", "id")]
        return {str(one).lower() for one in (*named, *self.path.split("/"), *self.query.get("customer_ids", ())) if one}

    @property
    def values(self) -> Mapping[str, Any]:
        """Every key of the call; None for a key whose value is removed."""
        given, removed = self.body.get("custom_fields"), self.body.get("keys")
        keys = dict.fromkeys(one for one in removed if isinstance(one, str)) if isinstance(removed, list) else {}
        return {**keys, **(given if isinstance(given, dict) else {})}


@dataclass(frozen=True, slots=True)
class Rule:
    """Conditions that must all hold, and an answer. A rule without an answer only delays, or closes."""

    method: str | None = None
    #: The path without the query; `*` stands for any text.
    endpoint: str | None = None
    entity: str | None = None
    entity_id: str | None = None
    key: str | None = None
    value: str | None = None
    #: Query parameters, by name.
    query: Mapping[str, str] = field(default_factory=dict)
    reused: bool | None = None

    #: None: the usual answer.
    status: int | None = None
    message: str = "a rule of the sandbox says so"
    headers: Mapping[str, str] = field(default_factory=dict)
    #: Sent instead of {"message": ...}: text as it is, everything else as JSON.
    body: Any = None
    #: True if the call also takes effect, as when an answer is lost.
    apply: bool = False
    delay_ms: float = 0
    #: What the connection does instead of carrying an answer: one of `wire.FAULTS`.
    fault: str | None = None
    #: Between two bytes of a fault that drips.
    pace_ms: float = 1000
    #: After a usual answer, close the connection without having said so.
    close_after_ms: float | None = None
    #: How many calls it is for; None: any number.
    times: int | None = None

    def matches(self, asked: Asked) -> bool:
        return (
            (self.method is None or self.method.upper() == asked.method)
            and (self.endpoint is None or fnmatchcase(asked.path, self.endpoint))
            and (self.entity is None or self.entity == asked.body.get("entity"))
            and (self.entity_id is None or self.entity_id.lower() in asked.ids)
            and (self.key is None or self.key in asked.values)
            and (self.value is None or self.value in self.values_of_key(asked))
            and all(wanted in asked.query.get(name, ()) for name, wanted in self.query.items())
            and (self.reused is None or self.reused == asked.reused)
        )

    def values_of_key(self, asked: Asked) -> list[Any]:
        return [value for key, value in asked.values.items() if self.key in (None, key)]

    def wait(self) -> None:
        time.sleep(self.delay_ms / 1000)

    @property
    def prevents(self) -> bool:
        """True if the call takes no effect."""
        return bool(self.status or self.fault) and not self.apply

    def status_instead_of(self, usual: int) -> int:
        return NO_ANSWER if self.fault else self.status or usual

    def response_instead_of(self, usual: Response, connection: Connection) -> Response:
        if self.close_after_ms is not None:
            connection.close_after(self.close_after_ms / 1000)
        if self.fault:
            return Response(connection.play(self.fault, self.pace_ms / 1000))
        return self.response() if self.status else usual

    def response(self) -> Response:
        content = {"message": self.message} if self.body is None else self.body
        response = Response(content if isinstance(content, str) else orjson.dumps(content), self.status)
        response.headers.set("Content-Type", "text/html" if isinstance(content, str) else "application/json")
        for name, value in self.headers.items():
            response.headers.set(name, value)
        return response


#: Changes nothing.
NO_RULE = Rule()


def milliseconds(**kwargs: Any) -> fields.Float:
    return fields.Float(validate=validate.Range(0, LONGEST_DELAY_MS), **kwargs)


class RuleBody(Schema):
    method = fields.String()
    endpoint = fields.String()
    entity = fields.String()
    entity_id = fields.String()
    key = fields.String()
    value = fields.String()
    query = fields.Dict(keys=fields.String(), values=fields.String())
    reused = fields.Boolean()
    status = fields.Integer(strict=True, validate=validate.Range(200, 599))
    message = fields.String()
    headers = fields.Dict(
        keys=fields.String(validate=validate.Regexp(r"[A-Za-z0-9-]+\Z")),
        values=fields.String(validate=validate.Regexp(r"[^\r\n]*\Z")),
    )
    body = fields.Raw(allow_none=False)
    apply = fields.Boolean()
    delay_ms = milliseconds()
    fault = fields.String(validate=validate.OneOf(FAULTS))
    pace_ms = milliseconds()
    close_after_ms = milliseconds()
    times = fields.Integer(strict=True, validate=validate.Range(1))

    @validates_schema
    def check(self, given: Mapping[str, Any], **_: Any) -> None:
        if not {"status", "fault", "delay_ms", "close_after_ms"} & set(given):
            raise ValidationError("A rule needs a status, a fault, delay_ms or close_after_ms.")
        without = {"message", "headers", "body"} & set(given)
        if without and "status" not in given:
            raise ValidationError(f"Sent only with a status: {', '.join(sorted(without))}.")

    @post_load
    def make(self, given: Mapping[str, Any], **_: Any) -> Rule:
        return Rule(**given)
