"""The shape of a mapping file as JSON Schema, for editors: made of the marshmallow schemas, which keep the last word.

What they accept it accepts. It knows nothing of expressions, names that are taken, and the like.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from marshmallow import Schema, fields, validate

from bridge.mapping.compiler import VARIABLE
from bridge.mapping.kinds import (
    DURATION,
    Block,
    Count,
    Duration,
    LocalPath,
    Pattern,
    Scalar,
    Switch,
    Text,
    Word,
    Written,
    keys_of,
)
from bridge.mapping.lookups import LOOKUPS, CustomerField, CustomerLookupSchema, LookupField, LookupSchema
from bridge.mapping.schema import (
    CaptureField,
    CaptureSchema,
    ExampleSchema,
    FieldRuleField,
    FieldRuleSchema,
    FieldsField,
    RuleSchema,
    SourceSchema,
)
from bridge.model import MAX_KEY_LENGTH, MAX_VALUE_LENGTH
from bridge.senders import SENDERS, published

Json = dict[str, Any]

#: The newest draft that the YAML language server (VS Code, Neovim, Emacs, ...) knows.
#: https://github.com/redhat-developer/yaml-language-server
DRAFT = "http://json-schema.org/draft-07/schema#"

#: Text that the environment fills in: nobody can say yet what it will be.
FILLED: Json = {"type": "string", "pattern": VARIABLE.pattern}

#: How JSON Schema counts what is in a value, by the value's type.
BOUNDS = {
    "string": ("minLength", "maxLength"),
    "array": ("minItems", "maxItems"),
    "object": ("minProperties", "maxProperties"),
}


def text() -> str:
    """The whole, as a file."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def schema() -> Json:
    return {
        "$schema": DRAFT,
        "title": "A mapping file of metronome-bridge",
        **block(SourceSchema()),
        "allOf": list(by_sender()),
    }


def by_sender() -> Iterable[Json]:
    """What the choice of a sender says about the rest of the file."""
    optionless = [name for name, sender in SENDERS.items() if sender.options is None]
    yield {"if": says("sender", optionless), "then": {"properties": {"options": {"maxProperties": 0}}}}
    for name, sender in SENDERS.items():
        if sender.options is not None:
            options = block(sender.options(), filled=True)
            needed = {"required": ["options"]} if "required" in options else {}
            yield {"if": says("sender", [name]), "then": {"properties": {"options": options}, **needed}}
        if known := published.event_types(name):
            yield {"if": says("sender", [name]), "then": of_events({"anyOf": [{"enum": list(known)}, {}]})}
    yield {
        "if": says("sender", [name for name, sender in SENDERS.items() if sender.open]),
        "then": {"not": {"required": ["secrets"]}},
        "else": {"required": ["secrets"]},
    }


def of_events(item: Json) -> Json:
    """What is true of each of the `events` of each rule."""
    events = {"properties": {"events": {"items": item}}}
    return {"properties": {"rules": {"items": events}}}


def says(key: str, words: Iterable[str]) -> Json:
    return {"properties": {key: {"enum": list(words)}}, "required": [key]}


def block(schema: Schema, *, filled: bool = False) -> Json:
    """A block with the keys of `schema`; its texts may be `filled` from the environment."""
    keys = keys_of(schema)
    required = [key for key, field in keys.items() if field.required]
    return {
        "type": "object",
        "properties": {key: described(field, filled=filled) for key, field in keys.items()},
        "additionalProperties": False,
        **({"required": required} if required else {}),
        **BETWEEN_KEYS.get(type(schema), {}),
    }


def described(field: fields.Field[Any], *, filled: bool = False) -> Json:
    """The value of one key: what it is for, and what is accepted."""
    about = {"description": field.metadata["help"]} if "help" in field.metadata else {}
    default = {"default": field.metadata["default"]} if "default" in field.metadata else {}
    accepted = bounded(field)
    if filled and isinstance(field, fields.List):
        accepted["items"] = described(field.inner, filled=True)
    elif filled and accepted["type"] == "string" and len(accepted) > 1:
        accepted = {"anyOf": [accepted, FILLED]}
    return {**about, **default, **accepted}


def bounded(field: fields.Field[Any]) -> Json:
    made = shape(field)
    for validator in field.validators:
        if isinstance(validator, validate.Length):
            least, most = BOUNDS[made["type"]]
            bounds = (validator.equal, validator.equal) if validator.equal else (validator.min, validator.max)
            made |= {key: bound for key, bound in zip((least, most), bounds, strict=True) if bound is not None}
        elif isinstance(validator, validate.OneOf):
            made["enum"] = list(validator.choices)
        elif isinstance(validator, validate.Equal):
            made["const"] = validator.comparable
    return made


def shape(field: fields.Field[Any]) -> Json:
    """What a kind of value looks like."""
    for kind in type(field).__mro__:
        if kind in SHAPES:
            return SHAPES[kind](field)
    raise TypeError(f"{type(field).__name__} has no shape in JSON Schema yet")


def word(field: Word) -> Json:
    meanings = {"enumDescriptions": field.meanings} if field.meanings else {}
    return {"type": "string", "enum": field.words, **meanings}


def keys(inner: Json, words: Iterable[str] | None) -> Json:
    """A block of keys of any name, or of those in `words`, each with an `inner` value."""
    if words is None:
        return {"type": "object", "additionalProperties": inner}
    return {"type": "object", "properties": dict.fromkeys(words, inner), "additionalProperties": False}


def one_field(_field: FieldRuleField) -> Json:
    """A path, a block with a path, or a block with a constant and nothing else."""
    path, constant = FieldRuleSchema(exclude=("value",)), FieldRuleSchema(only=("value",))
    return {"anyOf": [TEXT, block(path) | {"required": ["path"]}, block(constant) | {"required": ["value"]}]}


def all_fields(_field: FieldsField) -> Json:
    names = {"minLength": 1, "maxLength": MAX_KEY_LENGTH}
    return keys(one_field(FieldRuleField()), None) | {"minProperties": 1, "propertyNames": names}


def one_kind(schema: Schema) -> Json:
    """One thing to look up by."""
    return {"oneOf": [{"required": [kind]} for kind in keys_of(schema) if kind in LOOKUPS]}


TEXT: Json = {"type": "string", "minLength": 1}
WRITTEN: Json = {"type": ["string", "number", "boolean"]}

#: Kind of field -> what it accepts. What is true of a kind is true of those that are made of it.
SHAPES: Mapping[type, Callable[[Any], Json]] = {
    Text: lambda _: dict(TEXT),
    Pattern: lambda _: TEXT | {"pattern": r"^[^*]*\*?$"},
    LocalPath: lambda _: TEXT | {"pattern": "^[^/]"},
    Word: word,
    Written: lambda _: dict(WRITTEN),
    Scalar: lambda _: WRITTEN | {"minLength": 1, "maxLength": MAX_VALUE_LENGTH},
    Switch: lambda _: {"type": "boolean"},
    Duration: lambda _: {"type": "string", "pattern": f"^{DURATION.pattern}$"},
    Count: lambda field: {"type": "integer", "minimum": field.least, "maximum": field.most},
    Block: lambda field: keys(described(field.inner), field.words),
    FieldsField: all_fields,
    LookupField: lambda _: block(LookupSchema()),
    CustomerField: lambda _: {"anyOf": [TEXT, block(CustomerLookupSchema())]},
    CaptureField: lambda _: {"anyOf": [{"const": "capture"}, block(CaptureSchema())]},
    fields.String: lambda _: {"type": "string"},
    fields.Boolean: lambda _: {"type": "boolean"},
    fields.List: lambda field: {"type": "array", "items": described(field.inner)},
    fields.Nested: lambda field: block(field.schema),
    fields.Raw: lambda field: {} if field.allow_none else {"not": {"type": "null"}},
}

#: What a rule looks an entity up by says which entity that is.
FOUND = [
    {"if": {"properties": {"lookup": {"required": [kind]}}, "required": ["lookup"]}, "then": says("entity", entities)}
    for kind, entities in LOOKUPS.items()
]

#: What keys of one block say about each other.
BETWEEN_KEYS: Mapping[type[Schema], Json] = {
    CustomerLookupSchema: one_kind(CustomerLookupSchema()),
    LookupSchema: one_kind(LookupSchema()),
    RuleSchema: {"oneOf": [{"required": ["id"]}, {"required": ["lookup"]}], "allOf": FOUND},
    ExampleSchema: {"oneOf": [{"required": ["event"]}, {"required": ["file"]}]},
}
