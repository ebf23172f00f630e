"""Times are integers: microseconds since 1970 in UTC. This is the only place that converts them."""

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

MILLISECOND = 1_000
SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = (datetime.max.replace(tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)

#: Whole numbers from here on are milliseconds since 1970: as seconds they would lie beyond the year 5138.
MILLISECONDS_FROM = 100_000_000_000

_DATE = r"(?:(\d{4})-(\d\d)-(\d\d)|(\d{4})(\d\d)(\d\d)|(\d{4})-?W(\d\d)-?(\d)|(\d{4})-(\d{3}))"
_TIME = r"(\d\d)(?::(\d\d)(?::(\d\d)(?:[.,](\d+))?)?|(\d\d)(?:(\d\d)(?:[.,](\d+))?)?)"
_ZONE = r"(?: ?(?:([Zz]|UTC|GMT|UT)|([-+\u2212])(\d\d)(?::?(\d\d))?))?"
_ISO = re.compile(rf"{_DATE}(?:[Tt ]{_TIME}{_ZONE})?", re.ASCII)
_DIGITS = re.compile(r"\d+", re.ASCII)
_NUMBER = re.compile(r"\d+(\.\d+)?", re.ASCII)

#: Mail and HTTP write dates so: https://www.rfc-editor.org/rfc/rfc5322#section-3.3, with its obsolete zones.
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
ZONES = {"EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7}
_MAIL = re.compile(
    rf"(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), ?)?(\d{{1,2}}) ({'|'.join(MONTHS)}) (\d{{4}})"
    rf" (\d\d):(\d\d)(?::(\d\d))? (?:(GMT|UTC|UT|Z)|([-+]\d{{4}})|({'|'.join(ZONES)}))",
    re.ASCII,
)

#: Texts that look like a time and are refused, and why. What is said follows "is".
UNCLEAR = (
    (r"\d{4}-\d\d", "a month without a day"),
    (r"\d{1,2}[./-]\d{1,2}[./-]\d{2,4}.*", "a date whose day and month cannot be told apart: use 2026-11-22"),
    (r"\d{4}[./]\d{1,2}[./]\d{1,2}.*", "a date with other signs than ISO 8601 has: use 2026-11-22"),
    (r"[-+]?\d{5,}-\d\d-\d\d.*|-\d{4}-\d\d-\d\d.*", "a time outside the years 1970 to 9999"),
    (r".*\[.*\]", "a time with the name of a zone, which ISO 8601 does not know: use an offset such as +01:00"),
    (r"-\d+(\.\d+)?", "a number below zero: times before 1970 are not accepted"),
)
_UNCLEAR = tuple((re.compile(pattern, re.ASCII | re.DOTALL), reason) for pattern, reason in UNCLEAR)
END_OF_DAY, MOST_MINUTES, LEAP_SECOND = 24, 59, 60
NO_SUCH_DATE = "a date that does not exist"
NOT_A_TIME = "not an ISO 8601 date or time, such as 2026-11-22 or 2026-11-22T10:00:00Z"

#: The unit of a number that does not say it, by its digits before the point, so that any time from 1973 to 5138 is read
#: in the right one. 8 and 14 digits are a date: no time since 1970 that is near has so many.
UNITS_BY_DIGITS = {
    **dict.fromkeys((9, 10, 11), Decimal(SECOND)),
    **dict.fromkeys((12, 13), Decimal(MILLISECOND)),
    **dict.fromkeys((15, 16), Decimal(1)),
    **dict.fromkeys((18, 19), Decimal("0.001")),
}
MOST_DIGITS = max(UNITS_BY_DIGITS)


def from_epoch(number: float, unit: int = SECOND) -> int:
    """Returns `number` of `unit` microseconds since 1970. Raises ValueError outside the years 1970 to 9999."""
    micros = int(number * unit) if isinstance(number, int) else round(number * unit)
    if not 0 <= micros <= LATEST:
        raise ValueError("a time outside the years 1970 to 9999")
    return micros


def from_number(number: int | Decimal) -> int:
    """Returns the time that a number says without its unit: seconds to nanoseconds since 1970, or the digits of a date.

    Raises ValueError where that is not clear; what is said follows "is".
    """
    if number < 0:
        raise ValueError("a number below zero: times before 1970 are not accepted")
    whole = int(number)
    digits = str(whole) if whole < 10**MOST_DIGITS else ""
    if len(digits) in (8, 14):
        if whole != number:
            raise ValueError("a number that is neither a date nor a time since 1970")
        return from_digits(digits)
    if len(digits) == 12 and is_date_and_time(digits):  # noqa: PLR2004
        raise ValueError("12 digits that may be a date and time, or milliseconds: say its unit, or use ISO 8601")
    if len(digits) not in UNITS_BY_DIGITS:
        raise ValueError("a number that is neither a date nor a time since 1970")
    return from_epoch(int(number * UNITS_BY_DIGITS[len(digits)]), 1)


def from_digits(digits: str) -> int:
    """Returns the time that YYYYMMDD or YYYYMMDDhhmmss says, in UTC. Raises ValueError."""
    try:
        return from_datetime(datetime.strptime(digits, "%Y%m%d%H%M%S" if len(digits) > 8 else "%Y%m%d"))  # noqa: DTZ007, PLR2004
    except ValueError:
        raise ValueError(f"{len(digits)} digits that are not a date of the years 1970 to 9999") from None


def is_date_and_time(digits: str) -> bool:
    """Returns whether 12 digits can be YYYYMMDDhhmm of the years in which events happen."""
    try:
        datetime.strptime(digits, "%Y%m%d%H%M")  # noqa: DTZ007
    except ValueError:
        return False
    return "1990" <= digits[:4] < "2100"


def from_text(text: str) -> int:
    """Returns the time that a text says, be it a date, a date and time, or a number. Raises ValueError."""
    if _NUMBER.fullmatch(text) and len(text) <= 2 * MOST_DIGITS:
        return from_number(Decimal(text))
    return from_iso(text)


def from_iso(text: str) -> int:
    """Returns the time of an ISO 8601 date or date and time, or of a date as mail has it; no zone means UTC.

    Raises ValueError; what is said follows "is".
    """
    if _DIGITS.fullmatch(text) and len(text) in (8, 14):
        return from_digits(text)
    if found := _ISO.fullmatch(text):
        return from_datetime(of_iso(*found.groups()))
    if found := _MAIL.fullmatch(text):
        return from_datetime(of_mail(*found.groups()))
    for pattern, reason in _UNCLEAR:
        if pattern.fullmatch(text):
            raise ValueError(reason)
    raise ValueError(NOT_A_TIME)


def of_iso(*parts: str | None) -> datetime:
    """The groups of _ISO. Raises ValueError."""
    dates, clock, zone = parts[:11], parts[11:18], parts[18:]
    hour, *rest = clock
    minute, second, fraction = (one or other or "0" for one, other in zip(rest[:3], rest[3:], strict=True))
    return moment_of(day_of(*dates), (hour or "0", minute, second), offset_of(*zone), fraction)


def day_of(*parts: str | None) -> date:
    """Year, month and day; year, week and day of the week; or year and day of the year. Raises ValueError."""
    numbers = [int(part) for part in parts if part]
    try:
        if parts[6]:
            return date.fromisocalendar(*numbers)
        if not parts[9]:
            return date(*numbers)
        made = date(numbers[0], 1, 1) + timedelta(days=numbers[1] - 1)
    except (ValueError, OverflowError):
        raise ValueError(NO_SUCH_DATE) from None
    if made.year != numbers[0]:
        raise ValueError(NO_SUCH_DATE)
    return made


def of_mail(*parts: str | None) -> datetime:
    """The groups of _MAIL. Raises ValueError."""
    day, month, year, hour, minute, second, _, offset, zone = (part or "" for part in parts)
    east = timedelta(hours=ZONES[zone]) if zone else offset_of(None, offset[:1] or None, offset[1:3], offset[3:])
    date_ = day_of(year, f"{MONTHS.index(month) + 1}", day, *[None] * 8)
    return moment_of(date_, (hour, minute, second or "0"), east)


def offset_of(_utc: str | None, sign: str | None, hours: str | None, minutes: str | None) -> timedelta:
    """How far east of UTC. Raises ValueError."""
    east = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
    if east >= timedelta(days=1) or int(minutes or 0) > MOST_MINUTES:
        raise ValueError("a time with an offset that no zone has: at most 23:59 is accepted")
    return east if sign in (None, "+") else -east


def moment_of(day: date, clock: tuple[str, str, str], east: timedelta, fraction: str = "") -> datetime:
    """Returns the moment of a time of day, `east` of UTC. Digits beyond microseconds are cut off. Raises ValueError.

    24:00 is the end of a day, and 23:59:60 UTC a leap second, which Unix time counts as the second after it:
    https://www.rfc-editor.org/rfc/rfc3339#section-5.6
    """
    hour, minute, second = map(int, clock)
    micros = int(fraction[:6].ljust(6, "0"))
    if hour > END_OF_DAY or (hour == END_OF_DAY and (minute or second or micros)):
        raise ValueError("a time with an hour that does not exist: the day ends at 24:00")
    if minute > MOST_MINUTES or second > LEAP_SECOND:
        raise ValueError("a time with minutes or seconds that do not exist")
    try:
        start = datetime(day.year, day.month, day.day, tzinfo=UTC) - east
        moment = start + timedelta(hours=hour, minutes=minute, seconds=second, microseconds=micros)
    except OverflowError:
        raise ValueError("a time outside the years 1970 to 9999") from None
    if second == LEAP_SECOND and (moment.hour or moment.minute or moment.second):
        raise ValueError("a time with a leap second where none can be: only 23:59:60 UTC can have one")
    return moment


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
