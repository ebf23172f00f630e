"""Paths written down in JMESPath, so that they find again what they were made from."""

import json
import re
from collections.abc import Sequence

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def path_text(steps: Sequence[str | int]) -> str:
    """`data.items[0]."odd key"`. No step at all is the payload itself: `@`."""
    written = "".join(f"[{step}]" if isinstance(step, int) else f".{key_text(step)}" for step in steps)
    return written.removeprefix(".") or "@"


def key_text(key: str) -> str:
    return key if _PLAIN.fullmatch(key) else json.dumps(key, ensure_ascii=not key.isprintable())
