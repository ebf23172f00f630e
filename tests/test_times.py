"""Times as senders write them: one reader for all, which says what it refuses."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge import times
from bridge.errors import RuleError
from bridge.mapping.functions import moment
from bridge.payload import MISSING
from tests.mapping.making import QUICK, attempt

#: What is sent -> the time, as docs/mapping.md has it.
READ = [
    ("2026-11-22", "2026-11-22T00:00:00.000000Z"),
    ("20261122", "2026-11-22T00:00:00.000000Z"),
    (20261122, "2026-11-22T00:00:00.000000Z"),
    (20261122.0, "2026-11-22T00:00:00.000000Z"),
    ("2026-326", "2026-11-22T00:00:00.000000Z"),
    ("2024-366", "2024-12-31T00:00:00.000000Z"),
    ("2026-W47-7", "2026-11-22T00:00:00.000000Z"),
    ("2026W477", "2026-11-22T00:00:00.000000Z"),
    ("2026-W01-1", "2025-12-29T00:00:00.000000Z"),
    ("2026-11-22T10:00:00Z", "2026-11-22T10:00:00.000000Z"),
    ("2026-11-22t10:00:00z", "2026-11-22T10:00:00.000000Z"),
    ("2026-11-22 10:00", "2026-11-22T10:00:00.000000Z"),
    ("20261122T100000Z", "2026-11-22T10:00:00.000000Z"),
    ("20261122T1000+0100", "2026-11-22T09:00:00.000000Z"),
    ("20261122100000", "2026-11-22T10:00:00.000000Z"),
    (20261122100000, "2026-11-22T10:00:00.000000Z"),
    ("2026-11-22T10:00:00.5Z", "2026-11-22T10:00:00.500000Z"),
    ("2026-11-22T10:00:00,123456789Z", "2026-11-22T10:00:00.123456Z"),
    ("2026-11-22T10:00:00+01:00", "2026-11-22T09:00:00.000000Z"),
    ("2026-11-22T10:00:00+0100", "2026-11-22T09:00:00.000000Z"),
    ("2026-11-22T10:00:00-05", "2026-11-22T15:00:00.000000Z"),
    ("2026-11-22T10:00:00\u221205:30", "2026-11-22T15:30:00.000000Z"),
    ("2026-11-22T10:00:00-00:00", "2026-11-22T10:00:00.000000Z"),
    ("2026-11-22 10:00:00 +0000", "2026-11-22T10:00:00.000000Z"),
    ("2026-11-22 10:00:00 UTC", "2026-11-22T10:00:00.000000Z"),
    ("2026-11-22T24:00", "2026-11-23T00:00:00.000000Z"),
    ("2026-12-31T24:00:00.000Z", "2027-01-01T00:00:00.000000Z"),
    ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000000Z"),
    ("2016-12-31T23:59:60.25Z", "2017-01-01T00:00:00.250000Z"),
    ("2016-12-31T18:59:60-05:00", "2017-01-01T00:00:00.000000Z"),
    ("Sun, 22 Nov 2026 10:00:00 GMT", "2026-11-22T10:00:00.000000Z"),
    ("Sun, 22 Nov 2026 10:00:00 +0100", "2026-11-22T09:00:00.000000Z"),
    ("2 Nov 2026 10:00 EST", "2026-11-02T15:00:00.000000Z"),
    (1795341600, "2026-11-22T10:00:00.000000Z"),
    ("1795341600", "2026-11-22T10:00:00.000000Z"),
    (1795341600.75, "2026-11-22T10:00:00.750000Z"),
    ("1795341600.000005", "2026-11-22T10:00:00.000005Z"),
    (1795341600123, "2026-11-22T10:00:00.123000Z"),
    (1795341600123456, "2026-11-22T10:00:00.123456Z"),
    (1795341600123456789, "2026-11-22T10:00:00.123456Z"),
    (Decimal("1795341600.5"), "2026-11-22T10:00:00.500000Z"),
    (100_000_000, "1973-03-03T09:46:40.000000Z"),
    ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"),
    ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000000Z"),
]


@pytest.mark.parametrize(("sent", "time"), READ, ids=repr)
def test_a_time_is_read_in_every_form_that_is_clear(sent, time):
    assert times.to_iso(moment(sent)) == time


YEARS = "is a time outside the years 1970 to 9999"
NUMBER = "is a number that is neither a date nor a time since 1970"
REFUSED = [
    (20261322, "is 8 digits that are not a date"),
    ("20260230", "is 8 digits that are not a date"),
    ("86400000", "is 8 digits that are not a date"),
    (20261122.5, NUMBER),
    (20261122246000, "is 14 digits that are not a date"),
    (10**13, "is 14 digits that are not a date"),
    (202611221000, "is 12 digits that may be a date and time, or milliseconds"),
    (0, NUMBER),
    ("0", NUMBER),
    (45000, NUMBER),
    (2026, NUMBER),
    (99_999_999, "is 8 digits that are not a date"),
    (10**16, NUMBER),
    (10**19, NUMBER),
    (1e300, NUMBER),
    ("9" * 1000, "is not an ISO 8601 date or time"),
    (-1, "is a number below zero"),
    (-1795341600, "is a number below zero"),
    ("-1795341600", "is a number below zero"),
    (True, "is true or false: a time is expected"),
    ([], "is a list: a time is expected"),
    ({}, "is an object: a time is expected"),
    (MISSING, "is missing: a time is expected"),
    (None, "is null: a time is expected"),
    ("", "is not an ISO 8601 date or time"),
    ("tomorrow", "is not an ISO 8601 date or time"),
    ("2026-11", "is a month without a day"),
    ("22.11.2026", "is a date whose day and month cannot be told apart"),
    ("11/22/2026 10:00", "is a date whose day and month cannot be told apart"),
    ("2026/11/22", "is a date with other signs than ISO 8601 has"),
    ("2026-02-30", "is a date that does not exist"),
    ("2026-366", "is a date that does not exist"),
    ("2026-000", "is a date that does not exist"),
    ("2026-W54-1", "is a date that does not exist"),
    ("2026-W47-8", "is a date that does not exist"),
    ("0000-01-01", "is a date that does not exist"),
    ("0001-01-01T00:00:00Z", YEARS),
    ("0001-01-01T00:00:00+14:00", YEARS),
    ("9999-12-31T23:00:00-05:00", YEARS),
    ("9999-12-31T24:00:00", YEARS),
    ("10000-01-01", YEARS),
    ("+012026-11-22T00:00:00Z", YEARS),
    ("-0001-01-01", YEARS),
    ("1969-12-31T23:59:59Z", YEARS),
    ("2026-11-22T24:00:01Z", "is a time with an hour that does not exist"),
    ("2026-11-22T25:00:00Z", "is a time with an hour that does not exist"),
    ("2026-11-22T10:60:00Z", "is a time with minutes or seconds that do not exist"),
    ("2026-11-22T10:00:61Z", "is a time with minutes or seconds that do not exist"),
    ("2026-11-22T10:59:60Z", "is a time with a leap second where none can be"),
    ("2026-11-22T23:59:60+01:00", "is a time with a leap second where none can be"),
    ("2026-11-22T10:00:00+25:00", "is a time with an offset that no zone has"),
    ("2026-11-22T10:00:00+01:60", "is a time with an offset that no zone has"),
    ("2026-11-22T10:00:00+01:00[Europe/Berlin]", "is a time with the name of a zone"),
    ("2026-11-22T10:00:00 CET", "is not an ISO 8601 date or time"),
    ("2026-11-22T10:30.5Z", "is not an ISO 8601 date or time"),
    ("2026-11-22T10", "is not an ISO 8601 date or time"),
    ("2026-11-22T", "is not an ISO 8601 date or time"),
    (" 2026-11-22", "is not an ISO 8601 date or time"),
    ("2026-11-22\n", "is not an ISO 8601 date or time"),
    ("\u0662026-11-22", "is not an ISO 8601 date or time"),
    ("Sun, 30 Feb 2026 10:00:00 GMT", "is a date that does not exist"),
    ("Sun, 22 Nov 26 10:00:00 GMT", "is not an ISO 8601 date or time"),
]


@pytest.mark.parametrize(("sent", "reason"), REFUSED, ids=lambda value: repr(value)[:40])
def test_what_is_not_clear_is_refused_with_the_reason(sent, reason):
    with pytest.raises(RuleError) as caught:
        moment(sent)
    assert str(caught.value).startswith(reason)


MOMENTS = st.datetimes(datetime(1990, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@given(MOMENTS, st.integers(-23 * 60, 23 * 60))
@QUICK
def test_every_notation_of_a_moment_is_the_same_time(when, minutes):
    local = when.astimezone(UTC) + timedelta(minutes=minutes)
    sign, (hours, rest) = "-" if minutes < 0 else "+", divmod(abs(minutes), 60)
    micros = times.from_datetime(when)
    seconds = micros - micros % times.SECOND
    assert moment(f"{local:%Y-%m-%dT%H:%M:%S.%f}{sign}{hours:02}:{rest:02}") == micros
    assert moment(f"{local:%Y%m%dT%H%M%S},{local:%f}{sign}{hours:02}{rest:02}") == micros
    assert moment(f"{local:%Y-%jT%H:%M:%S.%f}{sign}{hours:02}:{rest:02}") == micros
    assert moment(f"{local:%G-W%V-%uT%H:%M:%S.%f}{sign}{hours:02}:{rest:02}") == micros
    assert moment(f"{when:%Y%m%d%H%M%S}") == seconds
    assert moment(format_datetime(when, usegmt=True)) == seconds
    for number in (Decimal(micros) / times.SECOND, micros, micros * 1000):
        assert moment(number) == moment(str(number)) == micros


@given(st.text() | st.integers() | st.floats(allow_nan=False, allow_infinity=False))
@QUICK
def test_anything_is_a_time_or_refused(value):
    time, problem = attempt(moment, value)
    assert problem.startswith("is ") if time is None else 0 <= time <= times.LATEST
