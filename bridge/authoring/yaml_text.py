"""Plain values as YAML that people like to read and edit, and that reads back as the same values."""

import json
import re
from collections.abc import Iterator
from typing import Any

#: What needs no quotes: it begins with a letter, and nothing in it means anything to YAML.
_PLAIN = re.compile(r"[A-Za-z](?:[A-Za-z0-9_./@()' -]*[A-Za-z0-9_./@()])?")
#: Words that YAML, of this version or another, takes for something else than text.
WORDS = {"null", "true", "false", "yes", "no", "on", "off", "y", "n"}

#: A key that is longer must be written in another way: https://yaml.org/spec/1.2.2/#implicit-keys
MAX_KEY_LENGTH = 1000


def scalar(value: Any) -> str:
    if isinstance(value, str):
        return text(value)
    return json.dumps(value)


def text(value: str) -> str:
    if _PLAIN.fullmatch(value) and value.casefold() not in WORDS:
        return value
    return f'"{"".join(map(character, value))}"'


def character(one: str) -> str:
    if one in '"\\':
        return f"\\{one}"
    if one.isprintable():
        return one
    return "\\n" if one == "\n" else f"\\U{ord(one):08x}" if ord(one) > 0xFFFF else f"\\u{ord(one):04x}"  # noqa: PLR2004


def lines_of(value: Any, indent: int = 0) -> Iterator[str]:
    """A block, each line of it indented."""
    space = " " * indent
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            name = text(key) if len(key) <= MAX_KEY_LENGTH else f"? {text(key)}\n{space}"
            yield from entry(f"{space}{name}:", inner, indent + 2)
    elif isinstance(value, list) and value:
        for inner in value:
            first, *rest = lines_of(inner, indent + 2)
            yield f"{space}- {first[indent + 2 :]}"
            yield from rest
    else:
        yield space + scalar(value)


def entry(head: str, value: Any, indent: int) -> Iterator[str]:
    """`key: value`, or the key and a block below it."""
    if isinstance(value, dict | list) and value:
        yield head
        yield from lines_of(value, indent)
    else:
        yield f"{head} {scalar(value)}"
