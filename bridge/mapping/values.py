"""Custom field values are text: what becomes of everything else, exactly once and the same everywhere."""

import re
from decimal import Decimal
from typing import Any

from bridge.errors import RuleError
from bridge.model import MAX_VALUE_LENGTH
from bridge.payload import describe

#: From here on a JSON number may have lost digits on its way through a float.
INEXACT_FROM = 2**63
LARGEST = 10**MAX_VALUE_LENGTH

_SURROGATE = re.compile("[\ud800-\udfff]")
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def is_uuid(text: str) -> bool:
    return bool(_UUID.fullmatch(text))


def to_text(value: Any) -> str:
    """Text as it is; numbers in their shortest plain notation (never 1e21, never 12.0 for 12); true and false.

    Raises RuleError for objects, lists and numbers that cannot be exact. The message holds nothing of the value.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        if not -LARGEST < value < LARGEST:
            raise RuleError(f"is a number of more than {MAX_VALUE_LENGTH} digits")
        return str(value)
    if isinstance(value, float):
        if not abs(value) < INEXACT_FROM:
            raise RuleError("is a number beyond 64 bits, which JSON does not carry exactly")
        return plain(Decimal(repr(value)))
    if isinstance(value, Decimal):
        return plain(value)
    raise RuleError(f"is {describe(value)}: map one of its parts, or write an expression that makes it text")


def plain(number: Decimal) -> str:
    written = f"{number:f}"
    if "." in written:
        written = written.rstrip("0").rstrip(".")
    return "0" if written == "-0" else written


def fit(text: str, *, truncate: bool) -> str:
    """Text that Metronome and every database can hold. Raises RuleError."""
    if len(text) <= MAX_VALUE_LENGTH and text.isprintable():
        return text
    if problem := unholdable(text):
        raise RuleError(problem)
    if len(text) <= MAX_VALUE_LENGTH:
        return text
    if truncate:
        return text[:MAX_VALUE_LENGTH]
    raise RuleError(
        f"has {len(text)} characters: Metronome takes {MAX_VALUE_LENGTH}; see too_long, or shorten it with substring()"
    )


def unholdable(text: str) -> str | None:
    """What is in a text that PostgreSQL or UTF-8 cannot hold."""
    if "\x00" in text:
        return "contains a NUL character"
    return "contains half a character (a lone surrogate)" if _SURROGATE.search(text) else None
