"""JSON as senders post it: read strictly, walked by plain paths."""

import json
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

import orjson

from bridge.errors import NotThisShapeError

#: orjson reads 1,024 levels, but writes no more than 254, and senders put some values a few levels deeper.
MAX_DEPTH: Final = 250

#: A body is searched in this form: every digit and point is 0, every bracket that opens is [. Most of what cannot stand
#: between the digits of two values without anything else is left out, so that the search is short.
_FORM: Final = bytes.maketrans(b"0123456789.{", b"00000000000[")
_LEFT_OUT: Final = bytes(set(range(256)) - set(b"0123456789.{[,-+TbcdfBDF"))
#: The same without anything left out, for the few bodies that have long runs of digits: most of those are ids in text.
_DIGITS: Final = bytes(ord("0") if byte in b"0123456789." else ord(" ") for byte in range(256))
_BEFORE_NUMBER: Final = b" \t\r\n:,[-"
#: 16 digits, or 15 with a point: a double holds any number of up to 15 digits.
#: https://en.wikipedia.org/wiki/Double-precision_floating-point_format
_LONG: Final = b"0" * 16
#: Any whole number of so many digits has 64 bits, and orjson reads it exactly.
_WHOLE_DIGITS: Final = 18

type_names: Final[Mapping[type, str]] = {
    dict: "an object",
    list: "a list",
    str: "text",
    bool: "true or false",
    int: "a number",
    float: "a number",
    type(None): "null",
}


class Missing:
    """What a path finds where the payload has nothing, as opposed to null."""

    def __repr__(self) -> str:
        return "MISSING"

    def __bool__(self) -> bool:
        return False


MISSING: Final = Missing()


def describe(value: object) -> str:
    """What kind of value this is, in words that disclose nothing of it: what stands after `is`."""
    return type_names.get(type(value), "missing" if value is MISSING else "a value")


def parse(body: bytes, what: str = "the body") -> Any:
    """Returns the JSON in `body`, which messages call `what`.

    A number that would lose digits is kept as the text that was sent: see `exact`. Refuses NaN, Infinity, numbers
    beyond 1e308, a byte order mark, lone surrogates and what is too deep to be written again. Of a key that is given
    twice, the last value counts. Raises NotThisShapeError, which names the place but holds no content.
    """
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise NotThisShapeError(
            f"{what} is not JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        ) from None
    form = body.translate(_FORM, _LEFT_OUT)
    if form.count(b"[") > MAX_DEPTH and not is_writable(value):
        raise NotThisShapeError(f"{what} is nested more than {MAX_DEPTH} levels deep")
    return exact(body) if _LONG in form and has_long_number(body) else value


def has_long_number(body: bytes) -> bool:
    """Returns whether a number may have more digits than a double: a long run of digits that does not begin a text."""
    form = body.translate(_DIGITS) + b" "
    start = form.find(_LONG)
    while start >= 0:
        end = form.index(b" ", start)
        is_number = start == 0 or body[start - 1] in _BEFORE_NUMBER
        is_whole = (
            end - start <= _WHOLE_DIGITS and b"." not in body[start:end] and body[end : end + 1] not in (b"e", b"E")
        )
        if is_number and not is_whole:
            return True
        start = form.find(_LONG, end)
    return False


def exact(body: bytes) -> Any:
    """Returns the JSON in `body`, which orjson accepts; slower, but with every digit of every number.

    Numbers that a double or 64 bits cannot hold become text, as JSON itself has no other way to keep them: so they are
    the same in the store, in a replay and for any reader of the payload.
    """
    return json.loads(body, parse_float=exact_float, parse_int=exact_int)


def exact_float(text: str) -> float | str:
    number = float(text)
    return number if Decimal(repr(number)) == Decimal(text) else text


def exact_int(text: str) -> int | str:
    # No number of 64 bits has more than 20 digits; int() refuses to read thousands.
    number = int(text) if len(text) <= len(str(-(2**64))) else 2**64
    return number if -(2**63) <= number < 2**64 else text


def is_writable(value: Any) -> bool:
    """Also a few levels deeper."""
    try:
        orjson.dumps([[[[value]]]])
    except TypeError:
        return False
    return True


def parse_object(body: bytes) -> dict[str, Any]:
    payload = parse(body)
    if not isinstance(payload, dict):
        raise NotThisShapeError(f"the body is {describe(payload)}: an object was expected")
    return payload


def walk(value: Any, steps: Sequence[str | int]) -> Any:
    """Follow keys and list indices. Null on the way gives None; anything else that does not lead on gives MISSING."""
    for step in steps:
        if isinstance(value, dict):
            value = value.get(step, MISSING)
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            value = value[step]
        else:
            return None if value is None else MISSING
    return value


def parts(value: Any) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Every value in a value, itself first, with the steps that lead to it; as they are written."""
    waiting: list[tuple[tuple[str | int, ...], Any]] = [((), value)]
    while waiting:
        steps, here = waiting.pop()
        yield steps, here
        inner = here.items() if isinstance(here, dict) else enumerate(here) if isinstance(here, list) else ()
        waiting += reversed([((*steps, step), below) for step, below in inner])
