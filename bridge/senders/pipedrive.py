"""Pipedrive: one JSON event a request, in the shape of version 2 or 1, with an HTTP Basic login.

https://pipedrive.readme.io/docs/guide-for-webhooks-v2
https://pipedrive.readme.io/docs/guide-for-webhooks

Both are made to look like version 2, and custom fields like plain values: the path `data.custom_fields."<key>"` finds
what the field holds, whatever its type and the version.
"""

import re
from collections.abc import Mapping
from typing import Any

from bridge import times
from bridge.errors import NotThisShapeError
from bridge.model import Event, Request
from bridge.payload import describe, parse_object
from bridge.senders import basic, generic
from bridge.senders.base import MAX_NAME_LENGTH, Secrets, Sender, compose_json, digest_of, name_of
from bridge.senders.reading import epoch_time
from bridge.times import MILLISECOND, SECOND

#: Where an event in the shape of version 2 says what it is.
PLACES = {"event_id": "meta.id", "event_type": "event", "event_time": "meta.timestamp"}

#: https://pipedrive.readme.io/docs/webhooks-v2-migration-guide
ACTIONS = {"added": "create", "updated": "change", "merged": "change", "deleted": "delete"}

#: Where version 1 says when: the finest that is there counts.
TIMES = {"timestamp_micro": 1, "timestamp_milli": MILLISECOND, "timestamp": SECOND}

#: An address, the field with the most parts, has about a dozen. Each part is written with the name of its field.
MAX_PARTS = 32
#: https://pipedrive.readme.io/docs/core-api-concepts-custom-fields
_CUSTOM_FIELD = re.compile(r"[0-9a-f]{40}(_\w+)?", re.ASCII)


def unwrap(request: Request, secrets: Secrets, now: int) -> list[Event]:
    basic.verify(request, secrets)
    return read(request, now)


def read(request: Request, now: int) -> list[Event]:
    body = parse_object(request.body)
    meta = body.get("meta")
    if not isinstance(meta, dict):
        raise NotThisShapeError(f"meta is {describe(meta)}: an object was expected")
    payload = version_2(body, meta) if "entity" in meta else version_1(body, meta)
    return [generic.read_event(payload, request, now, PLACES)]


def version_2(body: Mapping[str, Any], meta: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **body,
        "event": f"{name_of(meta.get('action'), 'meta.action')}.{name_of(meta['entity'], 'meta.entity')}",
        "data": with_plain_fields(body.get("data")),
        "previous": with_plain_fields(body.get("previous")),
    }


def version_1(body: Mapping[str, Any], meta: Mapping[str, Any]) -> dict[str, Any]:
    """The object's id is meta.id there, the event has none, and the times are numbers."""
    given = name_of(meta.get("action"), "meta.action")
    entity, entity_id = name_of(meta.get("object"), "meta.object"), name_of(meta.get("id"), "meta.id")
    moment, exact = time_of_version_1(meta)
    webhook = name_of(meta.get("webhook_id", "-"), "meta.webhook_id")
    action = ACTIONS.get(given, given)
    # Two changes of one object within a second differ in what they say.
    said = "" if exact else f":{digest_of(compose_json([body.get('current'), body.get('previous')]))}"
    return {
        "meta": {
            **meta,
            "action": action,
            "entity": entity,
            "entity_id": entity_id,
            "id": f"{webhook}:{given}.{entity}:{entity_id}:{moment}{said}",
            "timestamp": times.to_iso(moment),
        },
        "event": f"{action}.{entity}",
        "data": with_plain_fields(nested(body.get("current"))),
        "previous": with_plain_fields(nested(body.get("previous"))),
    }


def time_of_version_1(meta: Mapping[str, Any]) -> tuple[int, bool]:
    """Microseconds, and whether they are exact: hooks of 2017 have milliseconds, and others seconds alone."""
    name, unit = next(
        ((name, unit) for name, unit in TIMES.items() if meta.get(name) is not None), ("timestamp", SECOND)
    )
    return epoch_time(meta.get(name), f"meta.{name}", unit), unit == 1


def nested(record: Any) -> Any:
    """A record of version 1, with its custom fields under `custom_fields` and its owner as `owner_id`.

    Users come as a list of one.
    """
    if isinstance(record, list) and record:
        record = record[0]
    if not isinstance(record, dict):
        return record
    custom = {key: value for key, value in record.items() if _CUSTOM_FIELD.fullmatch(key)}
    owner = {"owner_id": record["user_id"]} if "user_id" in record else {}
    standard = {key: value for key, value in record.items() if key not in custom}
    return {**owner, **standard, "custom_fields": custom}


def with_plain_fields(record: Any) -> Any:
    fields = record.get("custom_fields") if isinstance(record, dict) else None
    if not isinstance(fields, dict):
        return record
    plain: dict[str, Any] = {}
    for key, value in fields.items():
        plain.update(plain_field(key, value) if isinstance(value, dict) else {key: value})
    return {**record, "custom_fields": plain}


def plain_field(key: str, field: Mapping[str, Any]) -> dict[str, Any]:
    """A field of version 2 as version 1 writes it: amounts, times and addresses have their other parts beside them.

    Options are known by their ids: one as text, several joined by commas.
    """
    if len(key) > MAX_NAME_LENGTH or len(field) > MAX_PARTS:
        return {key: field}
    if "value" in field:
        parts = {f"{key}_{part}": inner for part, inner in field.items() if part not in ("type", "value")}
        return {key: field["value"], **parts}
    chosen = field.get("values", [field])
    ids = [one.get("id") if isinstance(one, dict) else None for one in chosen] if isinstance(chosen, list) else [None]
    if any(isinstance(one, bool) or not isinstance(one, int | str) for one in ids):
        return {key: field}
    return {key: ",".join(map(str, ids))}


SENDER = Sender(
    name="pipedrive",
    summary="Pipedrive webhooks, version 2 and 1, with an HTTP Basic login",
    url="https://pipedrive.readme.io/docs/guide-for-webhooks-v2",
    credential="user:password, as entered in the webhook's HTTP auth",
    unwrap=unwrap,
    read=read,
    sign=basic.sign,
    check_secret=basic.check_secret,
    challenge=basic.CHALLENGE,
    weak="signs nothing, so whoever has the password can post anything: make it long and random, and serve HTTPS only",
)
