"""Structured log lines on standard error, as text or JSON. They hold no secret, no payload and no value.

Logging never raises and never blocks for long: a line that cannot be written is dropped and counted. A full disk, or a
log collector that has gone, must not end a thread that delivers, nor fail a webhook that is stored.
"""

import json
import logging
import os
import select
import sys
import threading
from contextlib import suppress
from typing import Any, TextIO

import orjson
import structlog

from bridge.text import harmless, harmless_lines

#: What a pipe takes without blocking once it is writable: https://man7.org/linux/man-pages/man7/pipe.7.html (PIPE_BUF)
PIECE = 4096
#: How long one line waits for a reader that is slow. Once that was too short, lines wait no longer until one is taken.
PATIENCE_MS = 1000


class Lines:
    """Writes whole lines to a stream. It is the logger that structlog hands lines to."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.descriptor = descriptor_of(stream)
        self.lock = threading.Lock()
        self.patience = PATIENCE_MS
        self.dropped = 0

    def msg(self, line: str) -> None:
        with self.lock:
            try:
                self.write(f"{line}\n")
            except (OSError, ValueError):
                # ENOSPC, EPIPE, EIO; ValueError: the stream is closed. There is no place left to report it but a count.
                self.dropped += 1
            else:
                self.patience = PATIENCE_MS

    def drop(self) -> None:
        with self.lock:
            self.dropped += 1

    debug = info = warning = error = critical = exception = msg

    def write(self, line: str) -> None:
        """Without Python's buffer: that would keep what failed, and fail again when the process exits."""
        if self.descriptor is None:
            self.stream.write(line)
            self.stream.flush()
            return
        content = memoryview(line.encode(errors="backslashreplace"))
        while content:
            self.wait()
            content = content[os.write(self.descriptor, content[:PIECE]) :]

    def wait(self) -> None:
        """Raises TimeoutError if the reader takes nothing."""
        writable = select.poll()
        writable.register(self.descriptor or 0, select.POLLOUT)
        if not writable.poll(self.patience):
            self.patience = 0
            raise TimeoutError


def descriptor_of(stream: TextIO) -> int | None:
    """None: the stream is in memory."""
    try:
        return stream.fileno()
    except (OSError, ValueError, AttributeError):
        return None


#: Where lines of this process go.
lines = Lines(sys.stderr)


def configure(log_format: str, log_level: str) -> None:
    global lines  # noqa: PLW0603 - standard error belongs to the process, and so does its log
    if lines.stream is not sys.stderr:
        lines = Lines(sys.stderr)
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        # Plain: structlog's own would show what the variables hold, secrets and payloads.
        structlog.processors.format_exc_info,
    ]
    if log_format == "json":
        last: list[Any] = [structlog.processors.JSONRenderer(serializer=to_json)]
    else:
        last = [without_controls, structlog.dev.ConsoleRenderer(colors=is_terminal(sys.stderr))]
    structlog.configure(
        processors=[*shared, *last],
        wrapper_class=never_raising(logging.getLevelNamesMapping()[log_level.upper()]),
        logger_factory=lambda *_: lines,
        cache_logger_on_first_use=True,
    )


def never_raising(level: int) -> type[Any]:
    """Returns the class of loggers that drop and count a line that cannot be made."""
    filtering: Any = structlog.make_filtering_bound_logger(level)

    class NeverRaising(filtering):  # type: ignore[misc]
        def _proxy_to_logger(self, *args: Any, **facts: Any) -> None:
            try:
                super()._proxy_to_logger(*args, **facts)
            except Exception:  # noqa: BLE001 - a line is worth less than what it tells of
                lines.drop()

    return NeverRaising


def dropped() -> int:
    """Returns how many lines of this process could not be written."""
    return lines.dropped


def announce(text: str) -> None:
    """Write one line for the operator who starts a process by hand. Like log lines, it never raises."""
    lines.msg(harmless(text))


def is_terminal(stream: TextIO) -> bool:
    with suppress(OSError, ValueError, AttributeError):
        return stream.isatty()
    return False


def without_controls(_logger: Any, _name: str, line: dict[str, Any]) -> dict[str, Any]:
    """Some values come from outside. Those that are no text are shown by `repr`, which writes controls as escapes."""
    return {
        name: (harmless_lines if name == "exception" else harmless)(value) if isinstance(value, str) else value
        for name, value in line.items()
    }


def to_json(line: Any, **_: Any) -> str:
    """JSON escapes C0 controls. The rest can stand only inside of strings, so its escape means the same."""
    try:
        text = orjson.dumps(line, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
    except TypeError:
        # A surrogate, or a number of more than 64 bits.
        text = json.dumps(line, default=str)
    return harmless(text)
