"""Dataverse and Dynamics 365: the execution context of one step, as the .NET serializer writes it.

https://learn.microsoft.com/power-apps/developer/data-platform/use-webhooks
https://learn.microsoft.com/power-apps/developer/data-platform/register-web-hook

Lists of {key, value} become objects, wrapped values become plain ones. Wherever Dataverse put a column, in the Target
or in a post image, the path `record.<column>` finds it; `before.<column>` is what it was, if there is a pre image.
Nothing is signed: a key comes along, in the URL or in a header.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from marshmallow import fields

from bridge import times
from bridge.errors import NotThisShapeError
from bridge.model import Event, Request
from bridge.payload import MISSING, describe, parse_object
from bridge.senders import token
from bridge.senders.base import Secrets, Sender, digest_of, name_of
from bridge.times import MILLISECOND

#: Where the key of the registration type WebhookKey is.
PLACE = {"parameter": "code"}

#: Sent if the request would have had more than 256 KB: then images and parameters are left out.
EXCEEDED = "x-ms-dynamics-msg-size-exceeded"
COLLECTIONS = ("InputParameters", "OutputParameters", "SharedVariables", "PreEntityImages", "PostEntityImages")
#: The context of the operation that led to this one, as large as this one.
LEFT_OUT = "ParentContext"
NO_OPERATION = "00000000-0000-0000-0000-000000000000"

#: Milliseconds since 1970 in UTC. The zone only says how the server's clocks were set.
_DATE = re.compile(r"/Date\((-?\d{1,15})([+-]\d{4})?\)/", re.ASCII)

#: Columns by their names.
Columns = dict[str, Any]


class OptionsSchema(token.PlaceSchema):
    header = fields.String(metadata={"help": "The header that carries the key: HttpHeader."})
    parameter = fields.String(
        metadata={"help": "The query parameter that carries it: HttpQueryString. Default: code, as WebhookKey has it."}
    )


def place_of(options: Mapping[str, Any]) -> Mapping[str, Any]:
    return options or PLACE


def unwrap(request: Request, secrets: Secrets, now: int, *, options: Mapping[str, Any]) -> list[Event]:
    token.verify(request, secrets, place_of(options))
    return read(request, now, options=options)


def read(request: Request, _now: int, *, options: Mapping[str, Any]) -> list[Event]:
    context = parse_object(request.body)
    payload = plain_context(context, exceeded=request.header(EXCEEDED) is not None)
    table, message = (name_of(context.get(name), name) for name in ("PrimaryEntityName", "MessageName"))
    return [
        Event(
            event_id=operation_of(context) or digest_of(request.body),
            event_type=name_of(f"{table}.{message}", "MessageName"),
            occurred_at=read_time(payload),
            payload=payload,
        )
    ]


def operation_of(context: Mapping[str, Any]) -> str | None:
    """The system job of an asynchronous step, which is the same when Dataverse tries again. Others have none."""
    given = context.get("OperationId")
    return name_of(given, "OperationId") if given and given != NO_OPERATION else None


def plain_context(context: Mapping[str, Any], *, exceeded: bool) -> dict[str, Any]:
    given = {name: pairs(context.get(name)) for name in COLLECTIONS}
    record, labels = merged([*given["PostEntityImages"].values(), given["InputParameters"].get("Target")])
    before, _ = merged(given["PreEntityImages"].values())
    return {
        **{name: plain(value) for name, value in context.items() if name not in (*COLLECTIONS, LEFT_OUT)},
        **{name: {key: plain(value) for key, value in collection.items()} for name, collection in given.items()},
        "record": record,
        "labels": labels,
        "before": before,
        "MessageSizeExceeded": exceeded,
    }


def pairs(value: Any) -> dict[str, Any]:
    """`[{"key": "name", "value": "Acme"}]` as an object."""
    if not isinstance(value, list):
        return {}
    return {one["key"]: one.get("value") for one in value if isinstance(one, dict) and isinstance(one.get("key"), str)}


def plain(value: Any) -> Any:
    if isinstance(value, str):
        return moment(value)
    if isinstance(value, list):
        return plain_list(value)
    if not isinstance(value, dict):
        return value
    for member, read_shape in SHAPES.items():
        if member in value:
            return read_shape(value)
    return {key: plain(one) for key, one in value.items()}


def plain_list(values: list[Any]) -> Any:
    if values and all(isinstance(one, dict) and {"key", "value"} <= one.keys() for one in values):
        return {key: plain(one) for key, one in pairs(values).items()}
    return [plain(one) for one in values]


def moment(text: str) -> str:
    r"""`\/Date(1506409448000-0700)\/` as ISO 8601 in UTC; any other text as it is."""
    if not (found := _DATE.fullmatch(text)):
        return text
    try:
        return times.to_datetime(int(found[1]) * MILLISECOND).isoformat().replace("+00:00", "Z")
    except OverflowError:
        return text


def reference(value: Mapping[str, Any]) -> dict[str, Any]:
    """A name that is null was not looked up: it says nothing about the row."""
    named = {} if value.get("Name") is None else {"Name": value["Name"]}
    return {"Id": value.get("Id"), "LogicalName": value["LogicalName"], **named}


def columns_of(row: Any) -> Columns:
    """Of a deleted row there is only a reference, which has none."""
    given = row.get("Attributes") if isinstance(row, dict) else None
    return {name: plain(value) for name, value in pairs(given).items()}


#: Member -> what becomes of an object that has it. `__type` is written only where a reader could not know it.
SHAPES: Mapping[str, Callable[[dict[str, Any]], Any]] = {
    "Attributes": columns_of,  # Entity
    "Entities": lambda value: plain(value["Entities"]),  # EntityCollection
    "Value": lambda value: plain(value["Value"]),  # OptionSetValue, Money, BooleanManagedProperty, AliasedValue
    "LogicalName": reference,  # EntityReference
}


def labels_of(row: Any) -> Columns:
    return pairs(row.get("FormattedValues")) if isinstance(row, dict) else {}


def merged(rows: Iterable[Any]) -> tuple[Columns, Columns]:
    """The columns of all rows and the labels of their choices; the later row wins, also with a null.

    Images leave out what is null, and a Target has what was changed, without labels.
    """
    record: Columns = {}
    labels: Columns = {}
    for row in rows:
        # In place: with a copy for each row, many rows would take the square of their time.
        for name, given in columns_of(row).items():
            value = with_name(given, record.get(name))
            if record.get(name, MISSING) != value:
                labels.pop(name, None)
                if value is None:
                    labels[name] = None
            record[name] = value
        labels.update(labels_of(row))
    return record, labels


def with_name(value: Any, known: Any) -> Any:
    """A reference keeps the name that an image knows for the same row."""
    if isinstance(value, dict) and isinstance(known, dict) and value.get("Id") == known.get("Id") and "Name" in known:
        return {"Name": known["Name"], **value}
    return value


def read_time(payload: Mapping[str, Any]) -> int:
    """When the operation took place. A step without a system job may not say, but the row does."""
    for given in (payload.get("OperationCreatedOn"), payload["record"].get("modifiedon")):
        if isinstance(given, str):
            try:
                return times.from_iso(given)
            except ValueError:
                continue
    what = describe(payload.get("OperationCreatedOn"))
    raise NotThisShapeError(f"OperationCreatedOn is {what} and no time: register the step as asynchronous")


def sign(request: Request, secret: str, now: int, *, options: Mapping[str, Any]) -> Request:
    return token.sign(request, secret, now, options=place_of(options))


SENDER = Sender(
    name="dataverse",
    summary="Dataverse and Dynamics 365: webhooks registered for steps",
    url="https://learn.microsoft.com/power-apps/developer/data-platform/use-webhooks",
    credential="key of your own, as registered: WebhookKey, or the value of HttpHeader or HttpQueryString",
    unwrap=unwrap,
    read=read,
    sign=sign,
    options=OptionsSchema,
    places=lambda options: token.places(place_of(options)),
    weak="signs nothing, so whoever has the key can post anything: make it long and random, and serve HTTPS only",
    kept_headers=("x-ms-dynamics-organization", "x-ms-correlation-request-id", EXCEEDED),
)
