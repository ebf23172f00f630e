"""How long answers ask to wait, in every form that there is, and what is made of it."""

from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.metronome.waits import LONGEST_LIMIT, LONGEST_OUTAGE, SHORTEST, told, wait_of
from bridge.times import DAY, HOUR, MILLISECOND, MINUTE, SECOND
from tests.metronome.conftest import NOW


def in_seconds(seconds):
    return formatdate(NOW / SECOND + seconds, usegmt=True)


def asked(status=429, **headers):
    return wait_of({name.replace("_", "-"): text.split("|") for name, text in headers.items()}, status, NOW)


def after(text):
    return {"retry_after": text}


def after_ms(text):
    return {"retry_after_ms": text}


WAITS = [
    ({}, None),
    (after("7"), 7 * SECOND),
    (after("1.5"), 1_500_000),
    (after(" 7 "), 7 * SECOND),
    (after("+7"), 7 * SECOND),
    (after("1e2"), 100 * SECOND),
    (after(in_seconds(30)), 30 * SECOND),
    # The two old forms of a date: https://www.rfc-editor.org/rfc/rfc9110#section-5.6.7
    (after("Sunday, 22-Nov-26 10:00:30 GMT"), 30 * SECOND),
    (after("Sun Nov 22 10:00:30 2026"), 30 * SECOND),
    (after_ms("2500"), 2500 * MILLISECOND),
    (after_ms("2500") | after("7"), 2500 * MILLISECOND),
    (after_ms("soon") | after("7"), 7 * SECOND),
    (after_ms("") | after(in_seconds(30)), 30 * SECOND),
    # What says nothing: the caller's own backoff applies.
    *(
        (after(text), None)
        for text in ("", "soon", "7 seconds", "nan", "-nan", "inf", "-inf", "infinity", "0x10", "1_0")
    ),
    *((after(text), None) for text in ("\u0667", "7;8", "Thu, 31 Feb 2027 00:00:00 GMT", "9" * 5 + "-13-45T99:99Z")),
    (after("Fri, 31 Dec 99999 23:59:59 GMT"), None),
    # Too little, or in the past: without a floor there would be no pause at all.
    *(
        (after(text), SECOND)
        for text in ("0", "-0", "0.000001", "-7", "-1e400", "1e-400", in_seconds(-30), in_seconds(0))
    ),
    (after("Thu, 01 Jan 1970 00:00:00 GMT"), SECOND),
    *((after_ms(text), SECOND) for text in ("0", "250", "-250")),
    # Too much.
    *((after(text), HOUR) for text in ("3601", "86400", "1e300", "1e400", "9" * 5000, in_seconds(86400))),
    (after("Fri, 31 Dec 9999 23:59:59 GMT"), HOUR),
    (after_ms("99999999999999999999"), HOUR),
    # Several.
    (after("2|9|soon"), 9 * SECOND),
    (after("2, 9"), 9 * SECOND),
    (after(f"2|{in_seconds(30)}"), 30 * SECOND),
    (after_ms("2000|3000"), 3 * SECOND),
]


@pytest.mark.parametrize(("headers", "wait"), WAITS, ids=[str(headers)[:60] for headers, _ in WAITS])
def test_how_long_to_wait_is_read_in_every_form(headers, wait):
    assert asked(**headers).micros == wait


@pytest.mark.parametrize("status", [500, 502, 503, 301, 403])
def test_an_outage_may_ask_for_less_than_a_limit(status):
    assert asked(status, **after("301")).micros == 5 * MINUTE
    assert asked(status, **after("299")).micros == 299 * SECOND


@pytest.mark.parametrize("skew", [-365 * 86_400, -7200, 0, 90, 365 * 86_400])
def test_a_clock_that_is_wrong_does_not_matter_if_the_answer_has_its_own_time(skew):
    assert asked(date=in_seconds(skew), **after(in_seconds(skew + 30))).micros == 30 * SECOND


def test_a_date_that_cannot_be_read_is_passed_over():
    assert asked(date="yesterday", **after(in_seconds(30))).micros == 30 * SECOND


NOTES = [
    (after("7"), ""),
    ({}, ""),
    (after("soon"), "its Retry-After is neither a number nor a date"),
    (after("31536000"), "asked to wait 365 days, waiting 1 hour"),
    (after("1e400"), "asked to wait more than 36500 days, waiting 1 hour"),
    (after("0"), "asked to wait 0 seconds, waiting 1 second"),
    (after("-90"), "asked to wait until 1.5 minutes ago, waiting 1 second"),
    (after_ms("250"), "asked to wait 0.25 seconds, waiting 1 second"),
]


@pytest.mark.parametrize(("headers", "note"), NOTES, ids=str)
def test_what_is_changed_is_told(headers, note):
    assert asked(**headers).note == note


TOLD = {DAY: "1 day", 365 * DAY: "365 days", 90 * MINUTE: "1.5 hours", 59 * SECOND: "59 seconds", 5: "0 seconds"}


@pytest.mark.parametrize(("micros", "text"), TOLD.items())
def test_a_time_is_told_in_its_largest_unit(micros, text):
    assert told(micros) == text


@given(
    texts=st.lists(st.text(max_size=40) | st.from_regex(r"[A-Z][a-z]{2}, \d{1,3} [A-Z][a-z]{2} \d{1,6} [\d:+-]{0,12}")),
    status=st.integers(100, 999),
)
def test_whatever_is_asked_for_is_kept_within_bounds(texts, status):
    headers = {"date": texts[:1], "retry-after": texts, "retry-after-ms": texts[1:]}
    wait = wait_of(headers, status, NOW).micros
    assert wait is None or SHORTEST <= wait <= (LONGEST_LIMIT if status == 429 else LONGEST_OUTAGE)
