"""What readers of JSON events share: times as senders write them."""

import re
from typing import Any

from bridge import times
from bridge.errors import NotThisShapeError
from bridge.payload import describe

#: Numbers from here on are milliseconds since 1970, then microseconds, then nanoseconds: in the coarser unit they
#: would lie beyond the year 5138.
FINER_FROM = (10**11, 10**14, 10**17)
#: No date is written with so many digits and nothing between them.
_EPOCH = re.compile(r"[0-9]{9,19}")

UNITS = {times.SECOND: "seconds", times.MILLISECOND: "milliseconds", 1: "microseconds"}


def iso_time(value: Any, what: str) -> int:
    """ISO 8601 text; no zone means UTC. Raises NotThisShapeError."""
    if not isinstance(value, str):
        raise NotThisShapeError(f"{what} is {describe(value)}: a date and time were expected")
    try:
        return times.from_iso(value)
    except ValueError as error:
        raise NotThisShapeError(f"{what} is {error}") from None


def any_time(value: Any, what: str) -> int:
    """ISO 8601 text, or a number since 1970 whose size tells its unit, as text too. Raises NotThisShapeError."""
    if isinstance(value, str) and _EPOCH.fullmatch(value):
        value = int(value)
    if not isinstance(value, int | float) or isinstance(value, bool):
        return iso_time(value, what)
    try:
        finer = sum(abs(value) >= limit for limit in FINER_FROM)
        return times.from_epoch(value * times.SECOND // 1000**finer if finer else value, 1 if finer else times.SECOND)
    except (ValueError, OverflowError) as error:
        raise NotThisShapeError(f"{what} is {error}") from None


def epoch_time(value: Any, what: str, unit: int = times.SECOND) -> int:
    """A whole number of one of UNITS since 1970. Raises NotThisShapeError."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise NotThisShapeError(f"{what} is {describe(value)}: {UNITS[unit]} since 1970 were expected")
    try:
        return times.from_epoch(value, unit)
    except ValueError as error:
        raise NotThisShapeError(f"{what} is {error}") from None
