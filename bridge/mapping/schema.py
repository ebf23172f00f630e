"""The shape of a mapping file, as marshmallow schemas. What its parts mean is compiled in `compiler`."""

from collections.abc import Iterator, Mapping
from typing import Any

from marshmallow import ValidationError, fields, validate, validates_schema

from bridge.mapping.lookups import ExpectedLookupField, LookupField, check_lookup
from bridge.mapping.rules import Absent, TooLong
from bridge.mapping.shapes import MISSING_FIELD, Block, Count, Scalar, Strict, Switch, Text, Word, text_of
from bridge.model import ENTITIES, MAX_KEY_LENGTH
from bridge.payload import describe
from bridge.senders import SENDERS

SAID_ABSENT = (Absent.SKIP, Absent.REMOVE, Absent.ERROR)

MAX_RULES = 500
MAX_NAME_LENGTH = 200


def check_pattern(pattern: str) -> None:
    if "*" in pattern[:-1]:
        raise ValidationError("a * is accepted at the end only, as in customer.*")


class FieldRuleSchema(Strict):
    path = Text()
    value = Scalar()
    default = Scalar()
    when_missing = Word(SAID_ABSENT)
    when_null = Word(SAID_ABSENT)
    too_long = Word(TooLong)
    unique = Switch()

    @validates_schema
    def check_origin(self, data: Mapping[str, Any], **_: Any) -> None:
        if ("path" in data) == ("value" in data):
            raise ValidationError("either path or value is needed, and not both")
        if "value" in data and data.get("unique"):
            raise ValidationError("a constant value is the same for every entity, and cannot be unique: drop unique")
        if "value" in data and not data.keys() <= {"value", "unique"}:
            raise ValidationError("a constant value is never missing, null or too long: drop the other keys")


class FieldRuleField(fields.Field[Mapping[str, Any]]):
    """`key: path`, or the longer form with its own keys."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Mapping[str, Any]:
        if isinstance(value, dict):
            return dict(FieldRuleSchema().load(value))
        if isinstance(value, str) and value:
            return {"path": value}
        raise ValidationError(
            f"a path is expected, or a block with path or value, not {describe(value)}: a constant is {{value: ...}}"
        )


class FieldsField(fields.Field[Mapping[str, Any]]):
    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Mapping[str, Any]:
        if not isinstance(value, dict) or not value:
            raise ValidationError("a block of custom field keys and paths is expected")
        result: dict[str, Any] = {}
        errors: dict[str, Any] = {}
        for key, spec in value.items():
            if not 0 < len(key) <= MAX_KEY_LENGTH or not key.isprintable():
                errors[key] = [f"a key has 1 to {MAX_KEY_LENGTH} printable characters"]
                continue
            try:
                result[key] = FieldRuleField().deserialize(spec)
            except ValidationError as error:
                errors[key] = error.messages
        if errors:
            raise ValidationError(errors)
        return result


class RuleSchema(Strict):
    name = Text(required=True, validate=validate.Length(max=MAX_NAME_LENGTH))
    events = fields.List(Text(validate=check_pattern))
    when = Text()
    entity = Word(ENTITIES, required=True)
    id = Text()
    lookup = LookupField()
    for_each = Text()
    occurred_at = Text()
    partial_ = Switch(data_key="partial")
    fields_ = FieldsField(data_key="fields", required=True)

    @validates_schema(pass_original=True, skip_on_field_errors=False)
    def check_reference(self, data: Mapping[str, Any], original: Any, **_: Any) -> None:
        if not isinstance(original, dict):
            return
        if ("id" in original) == ("lookup" in original):
            raise ValidationError("either id or lookup is needed, and not both")
        if "entity" in data:
            check_lookup(data["entity"], original.get("lookup"))


class ExpectedField(fields.Field[str]):
    def _deserialize(self, value: Any, *_: Any, **__: Any) -> str:
        return text_of(value)


class ExpectationSchema(Strict):
    entity = Word(ENTITIES)
    id = Text()
    lookup = ExpectedLookupField()
    set = Block(ExpectedField())
    remove = fields.List(Text())


class ExampleSchema(Strict):
    name = Text(required=True)
    event = fields.Raw(required=True, allow_none=False)
    headers = Block(Text())
    expect = fields.List(fields.Nested(ExpectationSchema), required=True)


class CaptureSchema(Strict):
    hours = Count(1, 168)
    requests = Count(1, 100)
    acknowledge = Switch()


class CaptureField(fields.Field[Mapping[str, Any]]):
    """`capture`, or a block that says for how long, how many, and what to answer."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Mapping[str, Any]:
        if value == "capture":
            return {}
        if isinstance(value, dict):
            return dict(CaptureSchema().load(value))
        raise ValidationError(
            f"capture is expected, or a block with hours, requests, acknowledge, not {describe(value)}"
        )


class SourceSchema(Strict):
    description = Text()
    on_unverified = CaptureField()
    sender = Word(SENDERS, required=True)
    secrets = fields.List(Text(), validate=validate.Length(min=1))
    options = Block(fields.Raw(allow_none=True))
    rules = fields.List(fields.Nested(RuleSchema), required=True, validate=validate.Length(min=1, max=MAX_RULES))
    examples = fields.List(fields.Nested(ExampleSchema))

    @validates_schema(pass_original=True, skip_on_field_errors=False)
    def check_secrets(self, _data: Any, original: Any, **_: Any) -> None:
        if not isinstance(original, dict):
            return
        sender = original.get("sender")
        is_open = isinstance(sender, str) and sender in SENDERS and SENDERS[sender].open
        if is_open and "secrets" in original:
            raise ValidationError({"secrets": [f"the sender {sender} has no secrets"]})
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
                    {block: {index: {"name": [f"another of the {block} has this name"]} for index in again}}
                )


#: What marshmallow says, as we say it. {key} is the last step of the path.
WORDING = {
    MISSING_FIELD: "{key!r} is missing",
    "Field may not be null.": "{key!r} is empty",
    "Not a valid list.": "a list is expected",
    "Not a valid mapping type.": "a block of keys is expected here",
    "Not a valid string.": "text is expected",
    "Unknown field.": "no key {key!r}",
}


def flat(messages: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """marshmallow's nested messages as (path, message); a message about a whole block has the block's path."""
    if isinstance(messages, dict):
        for key, inner in messages.items():
            yield from flat(inner, path if key == "_schema" else (*path, key))
    elif isinstance(messages, list):
        for message in messages:
            yield from flat(message, path)
    else:
        message = str(messages)
        yield (
            path,
            WORDING.get(message, message.replace("{", "{{").replace("}", "}}")).format(key=path[-1:] and path[-1]),
        )
