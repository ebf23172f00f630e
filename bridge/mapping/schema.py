"""The shape of a mapping file, as marshmallow schemas. What its parts mean is compiled in `compiler`.

What `help` says of a key is what the docs say (`make docs`), and the editor (`jsonschema`).
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from marshmallow import ValidationError, fields, validate, validates_schema

from bridge.mapping.checks import Said
from bridge.mapping.dating import FutureAction
from bridge.mapping.kinds import (
    Block,
    Count,
    Duration,
    LocalPath,
    Pattern,
    Scalar,
    Strict,
    Switch,
    Text,
    Word,
    Written,
    conflict,
    wrong_type,
)
from bridge.mapping.lookups import ExpectedLookupField, LookupField, check_lookup
from bridge.mapping.rules import Absent, CaptureRule, TooLong
from bridge.model import ENTITIES, MAX_KEY_LENGTH, MAX_VALUE_LENGTH
from bridge.payload import describe
from bridge.senders import SENDERS

#: What a file can say of a value that is not there.
SAID_ABSENT = {Absent.SKIP: "leave the key alone", Absent.REMOVE: "remove the key", Absent.ERROR: "fail the change"}
SAID_TOO_LONG = {TooLong.ERROR: "fail the change", TooLong.TRUNCATE: f"keep the first {MAX_VALUE_LENGTH} characters"}
SAID_FUTURE = {
    FutureAction.DATE_BY_RECEIPT: "the change counts as made when the event was received",
    FutureAction.FAIL: "fail the change: the event becomes a dead letter",
}
#: What is kept where nothing else is said.
CAPTURE = CaptureRule()

MAX_RULES = 500
MAX_NAME_LENGTH = 200

#: As marshmallow says it.
MISSING_FIELD = "Missing data for required field."


_ABOUT_LENGTH = re.compile(r"[Ll]onger than maximum|[Ss]horter than minimum|Length must be")


class FieldRuleSchema(Strict):
    path = Text(metadata={"help": "A path or an expression."})
    value = Scalar(metadata={"help": "A constant, instead of `path`."})
    default = Scalar(metadata={"help": "What to set if the path finds nothing or null."})
    when_missing = Word(
        SAID_ABSENT,
        metadata={
            "help": "The path finds nothing: `skip` (leave the key alone), `remove` or `error`.",
            "default": Absent.SKIP,
        },
    )
    when_null = Word(
        SAID_ABSENT,
        metadata={"help": "The path finds null or empty text: `remove`, `skip` or `error`.", "default": Absent.REMOVE},
    )
    too_long = Word(
        SAID_TOO_LONG,
        metadata={"help": f"More than {MAX_VALUE_LENGTH} characters: `error` or `truncate`.", "default": TooLong.ERROR},
    )
    unique = Switch(
        metadata={
            "help": "`true`: no two entities may have the same value. `keys apply` adds the key like that; Metronome"
            " then refuses a value that another entity has. Rules about one key must not disagree, in whatever files"
            " they are."
        }
    )

    @validates_schema
    def check_origin(self, data: Mapping[str, Any], **_: Any) -> None:
        if ("path" in data) == ("value" in data):
            raise conflict("either path or value is needed, and not both")
        if "value" in data and data.get("unique"):
            raise conflict("a constant value is the same for every entity, and cannot be unique: drop unique")
        if "value" in data and not data.keys() <= {"value", "unique"}:
            raise conflict("a constant value is never missing, null or too long: drop the other keys")


class FieldRuleField(fields.Field[Mapping[str, Any]]):
    """`key: path`, or the longer form with its own keys."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Mapping[str, Any]:
        if isinstance(value, dict):
            return dict(FieldRuleSchema().load(value))
        if isinstance(value, str) and value:
            return {"path": value}
        raise wrong_type(
            f"a path is expected, or a block with path or value, not {describe(value)}: a constant is {{value: ...}}"
        )


class FieldsField(fields.Field[Mapping[str, Any]]):
    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Mapping[str, Any]:
        if not isinstance(value, dict) or not value:
            raise wrong_type("a block of custom field keys and paths is expected")
        result: dict[str, Any] = {}
        errors: dict[str, Any] = {}
        for key, spec in value.items():
            if not 0 < len(key) <= MAX_KEY_LENGTH or not key.isprintable():
                errors[key] = [Said("length", f"a key has 1 to {MAX_KEY_LENGTH} printable characters")]
                continue
            try:
                result[key] = FieldRuleField().deserialize(spec)
            except ValidationError as error:
                errors[key] = error.messages
        if errors:
            raise ValidationError(errors)
        return result


class RuleSchema(Strict):
    name = Text(
        required=True,
        validate=validate.Length(max=MAX_NAME_LENGTH),
        metadata={"help": "It appears in reasons and in the history."},
    )
    events = fields.List(
        Pattern(),
        metadata={
            "help": "Event types: exact, or a beginning and a `*`; see `metronome-bridge senders NAME`. Left out: all."
        },
    )
    when = Text(
        metadata={
            "help": "An expression; the rule applies if it holds. Null, false, empty text, an empty list and an empty"
            " object do not."
        }
    )
    entity = Word(
        ENTITIES,
        required=True,
        metadata={
            "help": "What carries the fields: customer, contract, subscription, ... as Metronome's API names them."
        },
    )
    id = Text(metadata={"help": "Where the entity's UUID is. This or `lookup` is needed."})
    lookup = LookupField(
        metadata={
            "help": "What to find the entity by, as in `{ingest_alias: path}`: see [lookups](#lookups). Answers are"
            " kept for `BRIDGE_LOOKUP_CACHE_SECONDS`. Until there is one, changes wait."
        }
    )
    for_each = Text(
        metadata={
            "help": "A path to a list: the rule runs once for each element, which is `item`; the payload is still there"
            " beside it."
        }
    )
    occurred_at = Text(
        metadata={
            "help": "Where the [time](#times) of the event is, if the sender does not say or something better is in the"
            " payload. Never a time that is still to come, such as a renewal date: see `future_events`."
        }
    )
    partial_ = Switch(
        data_key="partial",
        metadata={
            "help": "`true`: if Metronome refuses the change, the keys that it takes are set all the same, and the bad"
            " ones wait: they are tried again ever more seldom and refused after `BRIDGE_PARK_DAYS`. Left out: all or"
            " nothing."
        },
    )
    fields_ = FieldsField(
        data_key="fields",
        required=True,
        metadata={"help": "Custom field key -> path, or a block with `path` or `value` and what else is to be said."},
    )

    @validates_schema(pass_original=True, skip_on_field_errors=False)
    def check_reference(self, data: Mapping[str, Any], original: Any, **_: Any) -> None:
        if not isinstance(original, dict):
            return
        if ("id" in original) == ("lookup" in original):
            raise conflict("either id or lookup is needed, and not both")
        if "entity" in data:
            check_lookup(data["entity"], original.get("lookup"))


class ExpectationSchema(Strict):
    entity = Word(ENTITIES, metadata={"help": "What carries the fields."})
    id = Text(metadata={"help": "The entity's UUID."})
    lookup = ExpectedLookupField(metadata={"help": "What the entity is found by: `{ingest_alias: value}`."})
    set = Block(Written(), metadata={"help": "Keys and their values, among others that may be set too."})
    remove = fields.List(Text(), metadata={"help": "Keys that are removed, among others."})


class ExampleSchema(Strict):
    name = Text(required=True, metadata={"help": "What the example shows."})
    event = fields.Raw(allow_none=False, metadata={"help": "What the sender would post. This or `file` is needed."})
    file = LocalPath(
        metadata={
            "help": "The name of a file that holds it, in the folder of this file or below: .http (a captured request),"
            " .json (a payload), or the raw body, such as Salesforce's .xml."
        }
    )
    headers = Block(Text(), metadata={"help": "Headers, for senders that put an id or a type there."})
    expect = fields.List(
        fields.Nested(ExpectationSchema),
        required=True,
        metadata={"help": "The changes that must be made, all of them. `[]`: nothing may be written."},
    )

    @validates_schema(pass_original=True, skip_on_field_errors=False)
    def check_event(self, _data: Any, original: Any, **_: Any) -> None:
        if isinstance(original, dict) and ("event" in original) == ("file" in original):
            raise conflict("either event or file is needed, and not both")


class CaptureSchema(Strict):
    hours = Count(1, 168, metadata={"help": "For how long, from the first such request on.", "default": CAPTURE.hours})
    requests = Count(1, 100, metadata={"help": "How many are kept.", "default": CAPTURE.requests})
    acknowledge = Switch(
        metadata={
            "help": "`true`: the sender is answered as if all were well. What cannot be verified is lost then.",
            "default": CAPTURE.acknowledge,
        }
    )


class CaptureField(fields.Field[Mapping[str, Any]]):
    """`capture`, or a block that says for how long, how many, and what to answer."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Mapping[str, Any]:
        if value == "capture":
            return {}
        if isinstance(value, dict):
            return dict(CaptureSchema().load(value))
        raise wrong_type(f"capture is expected, or a block with hours, requests, acknowledge, not {describe(value)}")


class FutureEventsSchema(Strict):
    tolerance = Duration(
        metadata={"help": "How far a time may lie in the future: `30s`, `5m`, `12h` or `7d`.", "default": "5m"}
    )
    action = Word(
        SAID_FUTURE,
        metadata={
            "help": "What is done beyond that: `date_by_receipt` or `fail`.",
            "default": FutureAction.DATE_BY_RECEIPT,
        },
    )


class SourceSchema(Strict):
    sender = Word(
        {name: sender.summary for name, sender in SENDERS.items()},
        required=True,
        metadata={"help": "Who posts. `metronome-bridge senders` lists them."},
    )
    secrets = fields.List(
        Text(),
        validate=validate.Length(min=1),
        metadata={
            "help": "One or several: any of them verifies, so a secret can be rotated without a gap. `${NAME}` is the"
            " environment variable `NAME`, or the content of the file that `NAME_FILE` names. While one is not set the"
            " source is closed: 503, nothing is lost."
        },
    )
    options = Block(
        fields.Raw(allow_none=True),
        metadata={
            "help": "What the sender wants to know: `metronome-bridge senders NAME` lists it. `${NAME}` works here too."
        },
    )
    description = Text(metadata={"help": "For readers."})
    on_unverified = CaptureField(
        metadata={
            "help": "`capture`, or `{hours: 24, requests: 20, acknowledge: false}`: keep requests that are refused"
            " while the source is being set up."
        }
    )
    future_events = fields.Nested(
        FutureEventsSchema,
        metadata={
            "help": "`{tolerance: 5m, action: date_by_receipt}`: what is done about times in the future, since the"
            " newest time wins: see [times in the future](#times-in-the-future)."
        },
    )
    rules = fields.List(
        fields.Nested(RuleSchema),
        required=True,
        validate=validate.Length(min=1, max=MAX_RULES),
        metadata={"help": "What becomes of events."},
    )
    examples = fields.List(fields.Nested(ExampleSchema), metadata={"help": "Tests that `metronome-bridge check` runs."})

    @validates_schema(pass_original=True, skip_on_field_errors=False)
    def check_secrets(self, _data: Any, original: Any, **_: Any) -> None:
        if not isinstance(original, dict):
            return
        sender = original.get("sender")
        is_open = isinstance(sender, str) and sender in SENDERS and SENDERS[sender].open
        if is_open and "secrets" in original:
            raise ValidationError({"secrets": [Said("conflicting-keys", f"the sender {sender} has no secrets")]})
        if not is_open and "secrets" not in original:
            raise ValidationError({"secrets": [MISSING_FIELD]})

    @validates_schema(pass_original=True, skip_on_field_errors=False)
    def check_names(self, _data: Any, original: Any, **_: Any) -> None:
        """Rules and examples are told apart by their names."""
        for block in ("rules", "examples") if isinstance(original, dict) else ():
            parts = original.get(block)
            known = parts if isinstance(parts, list) else []
            names = [part.get("name") if isinstance(part, dict) else None for part in known]
            again = [index for index, name in enumerate(names) if name is not None and name in names[:index]]
            if again:
                raise ValidationError(
                    {
                        block: {
                            index: {"name": [Said("duplicate-name", f"another of the {block} has this name")]}
                            for index in again
                        }
                    }
                )


#: What marshmallow says, as we say it. {key} is the last step of the path.
WORDING = {
    MISSING_FIELD: ("missing-key", "{key!r} is missing"),
    "Field may not be null.": ("empty-value", "{key!r} is empty"),
    "Not a valid list.": ("wrong-type", "a list is expected"),
    "Not a valid mapping type.": ("wrong-type", "a block of keys is expected here"),
    "Not a valid string.": ("wrong-type", "text is expected"),
    "Unknown field.": ("unknown-key", "no key {key!r}"),
}


def flat(messages: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Said]]:
    """marshmallow's nested messages as (path, message); a message about a whole block has the block's path."""
    if isinstance(messages, dict):
        for key, inner in messages.items():
            yield from flat(inner, path if key == "_schema" else (*path, key))
    elif isinstance(messages, list):
        for message in messages:
            yield from flat(message, path)
    else:
        yield path, said(messages, path[-1] if path else "")


def said(message: Any, key: str | int) -> Said:
    if isinstance(message, Said):
        return message
    text = str(message)
    if text in WORDING:
        code, wording = WORDING[text]
        return Said(code, wording.format(key=key))
    return Said("length" if _ABOUT_LENGTH.search(text) else "wrong-value", text)
