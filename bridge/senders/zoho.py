"""Zoho CRM's Notification APIs: a JSON list of record ids a request, with a token of our own in the body.

https://www.zoho.com/crm/developer/docs/api/v8/notifications/overview.html

Each record is an event. What changed of it is under `values`, if the channel was told to return affected values.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import orjson

from bridge.errors import NotThisShapeError, NotVerifiedError
from bridge.model import Event, Request
from bridge.payload import describe, parse, parse_object
from bridge.senders import generic, signatures
from bridge.senders.base import Secrets, Sender, name_of
from bridge.senders.reading import epoch_time
from bridge.times import MILLISECOND

PROOF = "token"
#: https://www.zoho.com/crm/developer/docs/api/v8/notifications/enable.html
MAX_TOKEN_LENGTH = 50

#: What all records of a notification have in common. query_params, those of our own URL, may hold secrets.
COMMON = ("module", "operation", "server_time", "channel_id", "resource_uri")


def unwrap(request: Request, secrets: Secrets, now: int) -> list[Event]:
    """The token is in the body, which has to be parsed to find it."""
    token = parse_object(request.body).get(PROOF)
    if not isinstance(token, str) or not token:
        raise NotVerifiedError(f"the body has no {PROOF}: name one when the channel is enabled (actions/watch)")
    signatures.check_secret(token.encode(), secrets)
    return read(request, now)


def read(request: Request, _now: int) -> list[Event]:
    body = parse_object(request.body)
    ids = body.get("ids")
    if not isinstance(ids, list):
        raise NotThisShapeError(f"ids is {describe(ids)}: a list was expected")
    values, names = values_of(body.get("affected_values")), names_of(body.get("affected_fields"))

    def read_record(record_id: Any, _: int) -> Event:
        record = name_of(record_id, "ids")
        known = {"values": values.get(record), "fields": names.get(record)}
        return read_change(body, record, {key: value for key, value in known.items() if value is not None})

    return generic.read_batch(ids, request, read_record)


def values_of(given: Any) -> dict[str, Any]:
    """`[{"record_id": ..., "values": {...}}, ...]` by record."""
    elements = given if isinstance(given, list) else []
    return {str(one.get("record_id")): one.get("values") for one in elements if isinstance(one, dict)}


def names_of(given: Any) -> dict[str, Any]:
    """`[{"<record id>": [<name of a field>, ...]}, ...]` by record."""
    elements = given if isinstance(given, list) else []
    return {record: names for one in elements if isinstance(one, dict) for record, names in one.items()}


def read_change(body: Mapping[str, Any], record: str, known: Mapping[str, Any]) -> Event:
    """Zoho gives events no id; what happened to which record when is one."""
    event_type = f"{name_of(body.get('module'), 'module')}.{name_of(body.get('operation'), 'operation')}"
    occurred_at = epoch_time(body.get("server_time"), "server_time", MILLISECOND)
    channel = name_of(body.get("channel_id"), "channel_id")
    return Event(
        event_id=name_of(f"{channel}:{event_type}:{record}:{occurred_at // MILLISECOND}", "the id made of channel_id"),
        event_type=name_of(event_type, "module and operation"),
        occurred_at=occurred_at,
        payload={**{key: body[key] for key in COMMON if key in body}, "id": record, **known},
    )


def check_secret(secret: str) -> str | None:
    return f"has more than {MAX_TOKEN_LENGTH} characters" if len(secret) > MAX_TOKEN_LENGTH else None


def sign(request: Request, secret: str, _now: int) -> Request:
    try:
        body = parse(request.body)
    except NotThisShapeError:
        return request
    return replace(request, body=orjson.dumps({**body, PROOF: secret})) if isinstance(body, dict) else request


SENDER = Sender(
    name="zoho",
    summary="Zoho CRM notifications (actions/watch), with a token in the body",
    url="https://www.zoho.com/crm/developer/docs/api/v8/notifications/overview.html",
    credential="token of your own, of at most 50 characters, as given to actions/watch",
    unwrap=unwrap,
    read=read,
    sign=sign,
    check_secret=check_secret,
    weak="signs nothing, so whoever has seen the token in a request can post anything: make it random, as long as Zoho"
    " takes it, and serve HTTPS only",
    thin={"*": (*COMMON, "id", "values", "fields")},
)
