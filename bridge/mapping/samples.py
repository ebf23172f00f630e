"""Requests in files: captured ones (.http), payloads (.json), and bodies as they are."""

import re
from pathlib import Path
from typing import Any

import orjson

from bridge.errors import OperatorError, SenderError
from bridge.model import Request
from bridge.payload import exact
from bridge.senders import Sender

#: As large as any request that the bridge could be set up to take.
MAX_BYTES = 64 << 20

#: Captures end their lines with CR LF; whoever keeps them in git may find LF alone.
_HEAD_END = re.compile(rb"\r?\n\r?\n")


def request_of(sender: Sender, path: Path, content: bytes, target: str, public_urls: tuple[str, ...] = ()) -> Request:
    """What is in a file, as `sender` would post it, unsigned. `path` says which kind of file it is.

    .http: a whole request, headers and body as they are. .json: a payload, which the sender's module puts into the
    form that its product sends. Anything else, such as .xml: the body as it is. Raises OperatorError, SenderError.
    """
    if path.suffix == ".http":
        return parse_http(content, target, public_urls)
    if path.suffix == ".json" and not sender.content_type.startswith("application/json"):
        content = sender.compose(parse_json(content, path))
    return Request("POST", target, {"content-type": sender.content_type}, content, public_urls)


def parse_http(content: bytes, target: str, public_urls: tuple[str, ...]) -> Request:
    """A captured request: request line, headers, empty line, body."""
    end = _HEAD_END.search(content)
    head = content[: end.start()] if end else content
    lines = [line.removesuffix("\r") for line in head.decode("latin-1").split("\n")]
    words = lines[0].split(" ")
    if not end or len(words) != 3:  # noqa: PLR2004
        raise OperatorError("the file is no HTTP request: a request line, headers and an empty line are expected")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    return Request(words[0], words[1] or target, headers, content[end.end() :], public_urls)


def parse_json(content: bytes, path: Path) -> Any:
    try:
        orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise SenderError(f"{path}:{error.lineno}:{error.colno}: not JSON: {error.msg}") from None
    return exact(content)


def beside(mapping: Path, name: str) -> bytes:
    """What is in a file in the folder of `mapping`, or below it. Raises OperatorError."""
    folder = mapping.parent.resolve()
    path = folder / name
    try:
        if not path.resolve(strict=True).is_relative_to(folder):
            raise OperatorError(f"{name} leads out of the folder of the mapping file")
        if not path.is_file() or path.stat().st_size > MAX_BYTES:
            raise OperatorError(f"{name} is no file of at most {MAX_BYTES >> 20} MiB")
        return path.read_bytes()
    except (OSError, ValueError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or "nothing can be found by that name"
        raise OperatorError(f"{name} cannot be read: {reason}") from None
