"""What readers of JSON events share: times as senders write them."""

from typing import Any

from bridge import times
from bridge.errors import NotThisShapeError
from bridge.payload import describe

UNITS = {times.SECOND: "seconds", times.MILLISECOND: "milliseconds", 1: "microseconds"}


def iso_time(value: Any, what: str) -> int:
    """ISO 8601 text; no zone means UTC. Raises NotThisShapeError."""
    if not isinstance(value, str):
        raise NotThisShapeError(f"{what} is {describe(value)}: a date and time were expected")
    try:
        return times.from_iso(value)
    except ValueError as error:
        raise NotThisShapeError(f"{what} is {error}") from None


def epoch_time(value: Any, what: str, unit: int = times.SECOND) -> int:
    """A whole number of one of UNITS since 1970. Raises NotThisShapeError."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise NotThisShapeError(f"{what} is {describe(value)}: {UNITS[unit]} since 1970 were expected")
    try:
        return times.from_epoch(value, unit)
    except ValueError as error:
        raise NotThisShapeError(f"{what} is {error}") from None
