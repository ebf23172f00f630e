"""JSON as senders post it: read strictly, walked by plain paths."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import orjson

from bridge.errors import NotThisShapeError

#: orjson reads 1,024 levels, but writes no more than 254, and senders put some values a few levels deeper.
MAX_DEPTH: Final = 250

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
    """The JSON in `body`, which messages call `what`.

    Refuses NaN, Infinity, a byte order mark, lone surrogates and what is too deep to be written again. Of a key that
    is given twice, the last value counts. Raises NotThisShapeError, which names the place but holds no content.
    """
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise NotThisShapeError(
            f"{what} is not JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        ) from None
    if body.count(b"{") + body.count(b"[") > MAX_DEPTH and not is_writable(value):
        raise NotThisShapeError(f"{what} is nested more than {MAX_DEPTH} levels deep")
    return value


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
