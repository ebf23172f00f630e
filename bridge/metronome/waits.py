"""How long an answer asks to wait: `retry-after-ms` and `Retry-After`, read in every form and kept within bounds."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from email.utils import parsedate_to_datetime

from bridge.times import DAY, HOUR, MILLISECOND, MINUTE, SECOND, from_datetime

LIMITED = 429
#: No answer makes us wait for longer: a rate limit, and everything else, since an outage ends unannounced.
LONGEST_LIMIT = HOUR
LONGEST_OUTAGE = 5 * MINUTE
#: An answer that asks for less, or for a time in the past, would have us call without a pause.
SHORTEST = SECOND
#: Longer than this is not told apart.
LONGEST_TOLD = 36_500 * DAY

_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?(e[+-]?\d+)?", re.IGNORECASE | re.ASCII)
UNITS = ((DAY, "day"), (HOUR, "hour"), (MINUTE, "minute"), (SECOND, "second"))


@dataclass(frozen=True, slots=True)
class Wait:
    #: Microseconds; None: the answer does not say.
    micros: int | None = None
    #: What the answer asked for, if that is not what is done.
    note: str = ""


def wait_of(headers: Mapping[str, Sequence[str]], status: int, now: int) -> Wait:
    """`headers`: all values of a header, by its name in lower case. Of several waits the longest counts.

    Dates are compared with the answer's own Date, if it has one: then it does not matter whose clock is wrong.
    """
    sent_at = next((date for text in headers.get("date", ()) if (date := read_date(text)) is not None), now)
    milliseconds = [read_number(text, MILLISECOND) for text in headers.get("retry-after-ms", ())]
    seconds = [wait for text in headers.get("retry-after", ()) for wait in read_waits(text, sent_at)]
    for waits in (milliseconds, seconds):
        if understood := [wait for wait in waits if wait is not None]:
            return bounded(max(understood), status)
    return Wait(note="its Retry-After is neither a number nor a date" if milliseconds or seconds else "")


def bounded(asked: int, status: int) -> Wait:
    wait = min(max(asked, SHORTEST), LONGEST_LIMIT if status == LIMITED else LONGEST_OUTAGE)
    return Wait(wait, "" if wait == asked else f"asked to wait {told(asked)}, waiting {told(wait)}")


def read_waits(text: str, sent_at: int) -> list[int | None]:
    """Several headers may have become one, joined by commas. A date has a comma too."""
    whole = read_wait(text, sent_at)
    return [whole] if whole is not None else [read_wait(part, sent_at) for part in text.split(",")]


def read_wait(text: str, sent_at: int) -> int | None:
    wait = read_number(text, SECOND)
    if wait is None and (date := read_date(text)) is not None:
        wait = date - sent_at
    return wait


def read_number(text: str, unit: int) -> int | None:
    if not _NUMBER.fullmatch(text.strip()):
        return None
    return int(min(max(float(text) * unit, -LONGEST_TOLD), LONGEST_TOLD))


def read_date(text: str) -> int | None:
    """An HTTP date in one of its three forms: https://www.rfc-editor.org/rfc/rfc9110#section-5.6.7"""
    try:
        return from_datetime(parsedate_to_datetime(text))
    except (ValueError, OverflowError, TypeError, IndexError):
        return None


def told(micros: int) -> str:
    """365 days, 1.5 hours, 0 seconds"""
    if micros < 0:
        return f"until {told(-micros)} ago"
    if micros >= LONGEST_TOLD:
        return f"more than {LONGEST_TOLD // DAY} days"
    unit, name = next(((unit, name) for unit, name in UNITS if micros >= unit), UNITS[-1])
    number = f"{timedelta(microseconds=micros) / timedelta(microseconds=unit):.2f}".rstrip("0").rstrip(".")
    return f"{number} {name}" if number == "1" else f"{number} {name}s"
