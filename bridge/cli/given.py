"""The EVENT of a command line: a file, standard input, or the number of a stored event."""

import re
import sys
from collections.abc import Callable
from pathlib import Path

import click

from bridge.cli.common import LARGEST_NUMBER, opened_store
from bridge.errors import BridgeError
from bridge.model import StoredEvent

#: What standard input is, by how it begins.
_HTTP = re.compile(rb"[A-Z]+ \S+ HTTP/1\.[01]\r?\n")
_JSON = re.compile(rb"\s*[\[{]")

#: What is in it, and a path whose suffix says what that is.
Content = tuple[bytes, Path]


def content_of(event: str) -> Callable[[], Content] | None:
    """What reads it, a file anew each time. None: it is the number of a stored event."""
    path = Path(event)
    if event == "-":
        content = sys.stdin.buffer.read()
        return lambda: (content, Path(f"stdin{suffix_of(content)}"))
    if path.is_file():
        return lambda: (read(path), path)
    if event.isascii() and event.isdecimal():
        return None
    raise click.BadParameter(f"there is no file {event!r}, and it is no number of a stored event", param_hint="EVENT")


def suffix_of(content: bytes) -> str:
    return ".http" if _HTTP.match(content) else ".json" if _JSON.match(content) else ""


def read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BridgeError(f"{path} cannot be read: {error.strerror or type(error).__name__}") from None


def stored_event(number: int) -> StoredEvent:
    """Raises BridgeError if there is none."""
    with opened_store() as store:
        found = store.events.get(number) if number <= LARGEST_NUMBER else None
    if found is None:
        raise BridgeError(f"there is no event {number}")
    return found
