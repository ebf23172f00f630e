import re

import pytest

from bridge.pipeline.window import WindowError, read
from bridge.store.history import Window
from bridge.times import DAY, HOUR, MINUTE, from_iso
from tests.support.making import NOW


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Window()),
        ("  ", Window()),
        ("since 7d", Window(since=NOW - 7 * DAY)),
        ("since 90m", Window(since=NOW - 90 * MINUTE)),
        ("SINCE 2w", Window(since=NOW - 14 * DAY)),
        ("since 999999w", Window(since=0)),
        ("since 2026-11-01", Window(since=from_iso("2026-11-01"))),
        ("since 2026-11-01 12:30", Window(since=from_iso("2026-11-01T12:30"))),
        ("since 2026-11-01T12:30:00+02:00", Window(since=from_iso("2026-11-01T10:30"))),
        ("until 1d", Window(until=NOW - DAY)),
        ("last 10000", Window(last=10_000)),
        ("since 7d until 12h last 5", Window(NOW - 7 * DAY, NOW - 12 * HOUR, 5)),
        (" last 5   since 2026-11-01 00:00  until 1h ", Window(from_iso("2026-11-01"), NOW - HOUR, 5)),
    ],
)
def test_words_say_which_events(text, expected):
    assert read(text, NOW) == expected


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("7d", "'7d' is not understood: 'since 7d'"),
        ("since", "'since' is not understood"),
        ("since yesterday", "'yesterday' is no time"),
        ("since 7 d", "'7' is no time"),
        ("since 7d, until 1d", "'7d,' is no time"),
        ("since 2026-13-01", "is no time"),
        ("until 2026-02-30", "is no time"),
        ("last 0", "is no number"),
        ("last -5", "is no number"),
        ("last many", "is no number"),
        ("last 1e6", "is no number"),
        ("since 7d since 2d", "'since' is said twice"),
        ("since 1d until 7d", "'since' is not before 'until'"),
        ("since 7d and until 1d", "'and until 1d' is not understood"),
        ("since \x00", "is no time"),
        ("between 1 and 2", "is not understood"),
    ],
)
def test_what_is_not_understood_is_named_with_what_is_accepted(text, told):
    with pytest.raises(WindowError, match=re.escape(told)):
        read(text, NOW)
