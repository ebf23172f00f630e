"""The functions that expressions may call beside JMESPath's own, as one table: docs/mapping.md shows it.

Numbers are exact: arithmetic is decimal, so `add(0.1, 0.2)` is 0.3. Empty text is null, as it is for values, and where
null goes in null comes out.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from decimal import (
    ROUND_HALF_UP,
    Context,
    Decimal,
    DecimalException,
    Inexact,
    InvalidOperation,
    Overflow,
    Rounded,
    Subnormal,
)
from functools import lru_cache, reduce
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import re2

from bridge import times
from bridge.errors import RuleError
from bridge.mapping.values import to_text
from bridge.payload import MISSING, describe

#: What may be a number; a union would be made anew with each call.
NUMERIC = (int, float, str)
NUMERIC_OR_DECIMAL = (*NUMERIC, Decimal)

#: In characters.
MAX_TEXT = 1_000_000
#: More would take long to reckon with, and fits no field.
MAX_DIGITS = 400
#: Takes numbers whole or not at all.
WHOLE = Context(
    prec=MAX_DIGITS,
    Emin=-MAX_DIGITS,
    Emax=MAX_DIGITS,
    traps=[InvalidOperation, Overflow, Subnormal, Inexact, Rounded],
)
#: Sums, differences and products are exact; a quotient has as many digits as a decimal usually has.
EXACT = Context(prec=5 * MAX_DIGITS)

FORMS = ("date", "datetime")
UNITS = {"s": times.SECOND, "ms": times.MILLISECOND, "us": 1}


def text(value: Any, name: str) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, dict | list):
        raise RuleError(f"{name}() takes text, not {describe(value)}")
    return to_text(value)


def decimal(value: Any, name: str) -> Decimal:
    """A number, or text that is one, as HubSpot and Salesforce send them."""
    if isinstance(value, Decimal):
        return value
    if isinstance(value, NUMERIC) and not isinstance(value, bool):
        try:
            number = WHOLE.plus(Decimal(repr(value) if isinstance(value, float) else value))
        except InvalidOperation:
            raise RuleError(f"{name}() takes numbers, and this text is none") from None
        except DecimalException:
            raise RuleError(f"{name}() takes numbers of at most {MAX_DIGITS} digits") from None
        if number.is_finite():
            return number
    raise RuleError(f"{name}() takes numbers, not {describe(value)}")


def number(exact: Decimal) -> int | float | Decimal:
    """As JSON would have it, if that is exact: JMESPath compares and sums those."""
    if exact == exact.to_integral_value():
        return int(exact)
    nearest = float(exact)
    return nearest if Decimal(repr(nearest)) == exact else exact


def whole(value: Any, name: str) -> int:
    if type(value) is int:
        return value
    given = decimal(value, name)
    if given != given.to_integral_value():
        raise RuleError(f"{name}() takes a whole number here")
    return int(given)


def moment(value: Any) -> int:
    """Returns the time that a text or a number says, in microseconds. Raises RuleError."""
    if isinstance(value, bool) or not isinstance(value, NUMERIC_OR_DECIMAL):
        what = "missing" if value is MISSING else describe(value)
        raise RuleError(f"is {what}: a time is expected, as ISO 8601 text or a number")
    try:
        return times.from_text(value) if isinstance(value, str) else times.from_number(decimal(value, "date"))
    except ValueError as error:
        raise RuleError(f"is {error}") from None


def zone(name: str) -> tzinfo:
    try:
        return UTC if name == "UTC" else ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise RuleError("date() does not know this zone: names such as Europe/Berlin are accepted") from None


def lower(value: Any) -> str:
    return text(value, "lower").lower()


def upper(value: Any) -> str:
    return text(value, "upper").upper()


def trim(value: Any) -> str:
    return text(value, "trim").strip()


def check_length(length: int, name: str) -> None:
    """Text can be made to grow by itself; no field takes a thousandth of this."""
    if length > MAX_TEXT:
        raise RuleError(f"{name}() makes more than {MAX_TEXT:,} characters")


def replace(value: Any, old: str, new: str) -> str:
    whole_text, before, after = (text(given, "replace") for given in (value, old, new))
    check_length(len(whole_text) + whole_text.count(before) * (len(after) - len(before)), "replace")
    return whole_text.replace(before, after)


def split(value: Any, separator: str) -> list[str]:
    if not (cut := text(separator, "split")):
        raise RuleError("split() takes a separator that is not empty")
    return text(value, "split").split(cut)


def substring(value: Any, start: Any, end: Any = None) -> str:
    last = None if end is None else whole(end, "substring")
    return text(value, "substring")[whole(start, "substring") : last]


def coalesce(*values: Any) -> Any:
    return next((value for value in values if exists(value)), None)


def concat(*values: Any) -> str:
    parts = [text(value, "concat") for value in values if value is not None]
    check_length(sum(map(len, parts)), "concat")
    return "".join(parts)


def add(*values: Any) -> Any:
    return number(reduce(EXACT.add, (decimal(value, "add") for value in values)))


def subtract(value: Any, other: Any) -> Any:
    return number(EXACT.subtract(decimal(value, "subtract"), decimal(other, "subtract")))


def multiply(value: Any, other: Any) -> Any:
    return number(EXACT.multiply(decimal(value, "multiply"), decimal(other, "multiply")))


def divide(value: Any, other: Any) -> Any:
    divisor = decimal(other, "divide")
    if not divisor:
        raise RuleError("divide() by zero")
    return number(decimal(value, "divide") / divisor)


def rounded(value: Any, digits: Any, name: str) -> Decimal:
    """Half away from zero, as invoices are rounded."""
    places = Decimal(1).scaleb(-whole(digits, name))
    return decimal(value, name).quantize(places, ROUND_HALF_UP, EXACT)


def round_(value: Any, digits: Any = 0) -> Any:
    return number(rounded(value, digits, "round"))


def fixed(value: Any, digits: Any) -> str:
    """Zeros at the end stay, and -0.00 is 0.00."""
    return f"{EXACT.plus(rounded(value, digits, 'fixed')):f}"


def date(value: Any, zone_name: str = "UTC", form: str = "date") -> str:
    local = times.to_datetime(moment(value)).astimezone(zone(zone_name))
    return written(local, form)


def written(local: datetime, form: str) -> str:
    if form == "date":
        return local.date().isoformat()
    if form == "datetime":
        return local.isoformat(timespec="seconds").replace("+00:00", "Z")
    raise RuleError(f"date() makes {' or '.join(map(repr, FORMS))}")


def from_epoch(value: Any, unit: str = "s") -> str:
    if unit not in UNITS:
        raise RuleError("from_epoch() takes 's', 'ms' or 'us'")
    try:
        micros = times.from_epoch(int(decimal(value, "from_epoch") * UNITS[unit]), 1)
    except ValueError as error:
        raise RuleError(f"from_epoch() takes a time: this is {error}") from None
    return times.to_datetime(micros).isoformat().replace("+00:00", "Z")


def map_value(value: Any, table: Any, *fallback: Any) -> Any:
    if not isinstance(table, dict):
        raise RuleError(f"map_value() takes an object as its table, not {describe(table)}")
    key = text(value, "map_value")
    if key not in table and not fallback:
        raise RuleError("map_value() has no entry for this value, and no fallback")
    return table.get(key, *fallback)


def matches(value: Any, pattern: str) -> bool:
    """RE2: linear in the length of the text, whatever the pattern. Found anywhere unless ^ and $ say otherwise."""
    return compiled(pattern, "matches").search(text(value, "matches")) is not None


def extract(value: Any, pattern: str) -> Any:
    """RE2, like matches()."""
    found = compiled(pattern, "extract").search(text(value, "extract"))
    return found and found[1 if found.re.groups else 0]


@lru_cache(maxsize=256)
def compiled(pattern: str, name: str) -> Any:
    try:
        options = re2.Options()
        options.log_errors = False
        return re2.compile(pattern, options)
    except re2.error:
        raise RuleError(f"{name}() takes a regular expression that RE2 accepts") from None


def pattern_problem(pattern: str) -> str:
    """`: missing )`, as RE2 says it, with the pattern; empty if it takes it."""
    try:
        options = re2.Options()
        options.log_errors = False
        re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0] if error.args else ""
        return f": {reason.decode() if isinstance(reason, bytes) else reason}"
    return ""


def exists(value: Any) -> bool:
    return value is not None and value != ""


@dataclass(frozen=True, slots=True)
class Function:
    """One row: what is called, with how many arguments, and an example whose result the tests check."""

    call: Callable[..., Any]
    arguments: str
    least: int
    most: int | None
    help: str
    example: str
    result: Any
    #: Whether null as the first argument is the function's own business; elsewhere it gives null.
    takes_null: bool = False


FUNCTIONS: Mapping[str, Function] = {
    "lower": Function(lower, "text", 1, 1, "small letters", "lower('Gold')", "gold"),
    "upper": Function(upper, "text", 1, 1, "capital letters", "upper('de')", "DE"),
    "trim": Function(trim, "text", 1, 1, "no white space at the ends", "trim('  Acme ')", "Acme"),
    "replace": Function(
        replace, "text, old, new", 3, 3, "every `old` becomes `new`", "replace('a-b-c', '-', '.')", "a.b.c"
    ),
    "split": Function(split, "text, separator", 2, 2, "a list of parts", "split('EU/Gold', '/')[1]", "Gold"),
    "substring": Function(
        substring,
        "text, start[, end]",
        2,
        3,
        "characters from `start`, counted from 0, up to before `end`",
        "substring('cus_12345', `4`)",
        "12345",
    ),
    "coalesce": Function(
        coalesce,
        "value, ...",
        1,
        None,
        "the first that is not null or empty",
        "coalesce(nickname, 'none')",
        "none",
        True,
    ),
    "concat": Function(
        concat,
        "value, ...",
        1,
        None,
        "all joined; nulls are left out, but in an `id` or a `lookup` one makes all of it null",
        "concat('plan-', `7`)",
        "plan-7",
        True,
    ),
    "add": Function(add, "number, ...", 1, None, "the sum", "add(`0.1`, `0.2`)", "0.3"),
    "subtract": Function(subtract, "number, number", 2, 2, "the difference", "subtract(`10`, `0.5`)", "9.5"),
    "multiply": Function(multiply, "number, number", 2, 2, "the product", "multiply('19.99', `3`)", "59.97"),
    "divide": Function(divide, "number, number", 2, 2, "the quotient", "divide(`1999`, `100`)", "19.99"),
    "round": Function(
        round_, "number[, digits]", 1, 2, "rounded, halves away from zero", "round(`2.345`, `2`)", "2.35"
    ),
    "fixed": Function(
        fixed, "number, digits", 2, 2, "rounded, with exactly so many decimals", "fixed(`19.9`, `2`)", "19.90"
    ),
    "date": Function(
        date,
        "time[, zone[, form]]",
        1,
        3,
        "a [time](#times) as a date in a zone; `form` is 'date' or 'datetime'",
        "date(`1795341600`, 'America/New_York')",
        "2026-11-22",
    ),
    "from_epoch": Function(
        from_epoch,
        "number[, unit]",
        1,
        2,
        "seconds since 1970 ('ms': milliseconds, 'us': microseconds) as an ISO date and time",
        "from_epoch(`1795341600000`, 'ms')",
        "2026-11-22T10:00:00Z",
    ),
    "map_value": Function(
        map_value,
        "value, table[, fallback]",
        2,
        3,
        "the table's entry for the value; without a fallback a value that is not in it is an error",
        'map_value(\'G\', `{"G": "gold", "S": "silver"}`, \'other\')',
        "gold",
    ),
    "matches": Function(
        matches, "text, pattern", 2, 2, "whether the RE2 expression is found", "matches('cus_9', '^cus_[0-9]+$')", True
    ),
    "extract": Function(
        extract,
        "text, pattern",
        2,
        2,
        "what the RE2 expression finds, or its first group; null if nothing",
        "extract('PO 4711, net 30', 'PO ([0-9]+)')",
        "4711",
    ),
    "exists": Function(
        exists, "value", 1, 1, "whether it is there, not null and not empty", "exists(nickname)", False, True
    ),
}
