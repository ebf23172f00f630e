"""Structured log lines on standard error, as text or JSON. They hold no secret, no payload and no value."""

import logging
import sys
from typing import Any

import orjson
import structlog


def configure(log_format: str, log_level: str) -> None:
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if log_format == "json":
        last: list[Any] = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(serializer=to_json)]
    else:
        # By default it shows what the variables hold: secrets and payloads.
        plain = structlog.dev.plain_traceback
        last = [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)]
    structlog.configure(
        processors=[*shared, *last],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[log_level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


def to_json(line: Any, **_: Any) -> str:
    return orjson.dumps(line, default=str).decode()
