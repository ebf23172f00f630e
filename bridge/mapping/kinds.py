"""What can stand behind a key of a mapping file, as marshmallow fields: text, a constant, one of a few words, ..."""

import re
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, fields, validates_schema

from bridge.errors import RuleError
from bridge.mapping.checks import Said
from bridge.mapping.hints import accepted
from bridge.mapping.values import to_text, unholdable
from bridge.model import MAX_VALUE_LENGTH
from bridge.payload import describe
from bridge.times import DAY, HOUR, MINUTE, SECOND

#: At most about 270 years.
DURATION = re.compile("(0|[1-9][0-9]{0,4})([smhd])", re.ASCII)
DURATION_UNITS = {"s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY}


def wrong_type(message: str) -> ValidationError:
    return ValidationError(Said("wrong-type", message))


def conflict(message: str) -> ValidationError:
    return ValidationError(Said("conflicting-keys", message))


class Strict(Schema):
    """Refuses keys that it does not know, and says which it does."""

    class Meta:
        unknown = EXCLUDE

    error_messages = {"type": Said("wrong-type", "a block of keys is expected here")}  # noqa: RUF012

    @validates_schema(pass_original=True, skip_on_field_errors=False)
    def check_unknown(self, _data: Any, original: Any, **_: Any) -> None:
        check_keys(original, keys_of(self))


def keys_of(schema: Schema) -> Mapping[str, fields.Field[Any]]:
    """Its fields, by the names that they have in files."""
    return {field.data_key or name: field for name, field in schema.fields.items()}


def check_keys(given: Any, known: Iterable[str]) -> None:
    if isinstance(given, dict):
        unknown = {
            key: [Said("unknown-key", f"no key {key!r}{accepted(key, known)}")] for key in given if key not in known
        }
        if unknown:
            raise ValidationError(unknown)


def check_holdable(text: str) -> None:
    if problem := unholdable(text):
        raise ValidationError(problem)


def text_of(value: Any) -> str:
    if isinstance(value, dict | list) or value is None:
        raise wrong_type(f"text or a number is expected, not {describe(value)}")
    try:
        return to_text(value)
    except RuleError as error:
        raise ValidationError(str(error)) from None


class Text(fields.Field[str]):
    def _deserialize(self, value: Any, *_: Any, **__: Any) -> str:
        if isinstance(value, str) and value:
            check_holdable(value)
            return value
        remedy = ": put it in quotes" if isinstance(value, int | float) else ""
        raise wrong_type(f"text is expected, not {describe(value) if value != '' else 'empty text'}{remedy}")


class Pattern(Text):
    """An event type, or how such begin and a *."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> str:
        pattern = super()._deserialize(value)
        if "*" in pattern[:-1]:
            raise ValidationError(Said("event-pattern", "a * is accepted at the end only, as in customer.*"))
        return pattern


class LocalPath(Text):
    """A file in the folder of the mapping file, or below it."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> str:
        name = super()._deserialize(value)
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts:
            raise ValidationError(
                "a file in the folder of this mapping file is expected, or below it: no .. and no / first"
            )
        return name


class Word(Text):
    """One of a few words. As a mapping: each with what it means."""

    def __init__(self, words: Iterable[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.words = [str(word) for word in words]
        self.meanings = list(words.values()) if isinstance(words, Mapping) else []

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> str:
        word = super()._deserialize(value)
        if word not in self.words:
            raise ValidationError(Said("unknown-word", f"{word!r} is not known{accepted(word, self.words)}"))
        return word


class Written(fields.Field[str]):
    """Text, or a number, true or false in the text that Metronome gets."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> str:
        return text_of(value)


class Scalar(Written):
    """The same as a constant: as long as a value can be."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> str:
        text = super()._deserialize(value)
        check_holdable(text)
        if not 0 < len(text) <= MAX_VALUE_LENGTH:
            raise ValidationError(Said("length", f"has {len(text)} characters: 1 to {MAX_VALUE_LENGTH} are accepted"))
        return text


class Switch(fields.Field[bool]):
    def _deserialize(self, value: Any, *_: Any, **__: Any) -> bool:
        if not isinstance(value, bool):
            raise wrong_type(f"true or false is expected, not {describe(value)}")
        return value


class Count(fields.Field[int]):
    """A whole number from `least` to `most`."""

    def __init__(self, least: int, most: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.least = least
        self.most = most

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not self.least <= value <= self.most:
            raise wrong_type(f"a whole number from {self.least} to {self.most} is expected")
        return value


class Duration(Text):
    """A length of time such as 30s, 5m, 12h or 7d, in microseconds."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> int:  # type: ignore[override]
        found = DURATION.fullmatch(super()._deserialize(value))
        if not found:
            raise ValidationError(Said("wrong-value", "a number and s, m, h or d is expected, such as 5m or 2d"))
        return int(found[1]) * DURATION_UNITS[found[2]]


class Block(fields.Field[Mapping[str, Any]]):
    """Keys of any name, or of those in `words`, each with a value of one kind."""

    def __init__(self, inner: fields.Field[Any], words: Iterable[str] | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.inner = inner
        self.words = words

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Mapping[str, Any]:
        if not isinstance(value, dict):
            raise wrong_type("a block of keys is expected here")
        if self.words is not None:
            check_keys(value, self.words)
        result: dict[str, Any] = {}
        errors: dict[str, Any] = {}
        for key, given in value.items():
            try:
                result[key] = self.inner.deserialize(given)
            except ValidationError as error:
                errors[key] = error.messages
        if errors:
            raise ValidationError(errors)
        return result
