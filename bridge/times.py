"""Times are integers: microseconds since 1970 in UTC. This is the only place that converts them."""

import re
from datetime import UTC, datetime, timedelta

MILLISECOND = 1_000
SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = (datetime.max.replace(tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)

_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d.*)?", re.DOTALL)


def from_epoch(number: float, unit: int = SECOND) -> int:
    """`number` of `unit` microseconds since 1970. Raises ValueError outside the years 1970 to 9999."""
    micros = int(number * unit) if isinstance(number, int) else round(number * unit)
    if not 0 <= micros <= LATEST:
        raise ValueError("a time outside the years 1970 to 9999")
    return micros


def from_iso(text: str) -> int:
    """An ISO 8601 date or date and time; no zone means UTC. Raises ValueError."""
    if not _DATE_TIME.fullmatch(text):
        raise ValueError("no ISO 8601 date or time")
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("no ISO 8601 date or time") from None
    return from_datetime(moment)


def from_datetime(moment: datetime) -> int:
    """No zone means UTC. Raises ValueError outside the years 1970 to 9999."""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return from_epoch((moment - EPOCH) // timedelta(microseconds=1), 1)


def to_datetime(micros: int) -> datetime:
    return EPOCH + timedelta(microseconds=micros)


def to_iso(micros: int) -> str:
    """2026-11-22T10:00:00.000000Z"""
    return to_datetime(micros).isoformat(timespec="microseconds").replace("+00:00", "Z")
