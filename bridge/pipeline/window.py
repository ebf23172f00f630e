"""Which stored events, in words: `since 7d`, `since 2026-11-01 until 2026-11-08`, `last 10000`. Pure."""

import re

from bridge.errors import BridgeError
from bridge.store.history import Window
from bridge.times import DAY, HOUR, MINUTE, from_iso

#: What `7d` counts.
UNITS = {"m": MINUTE, "h": HOUR, "d": DAY, "w": 7 * DAY}
ACCEPTED = "'since 7d', 'since 2026-11-01', 'until 2026-11-08T12:00', 'last 10000' and what can be made of these"

_AGO = re.compile(r"(\d{1,6})([mhdw])")
_COUNT = re.compile(r"[1-9]\d{0,11}")
#: A time may be written with a space before the hour.
_PART = re.compile(r"(since|until|last)\s+(\S+(?:\s+\d\d:\d\d\S*)?)(?:\s+|$)", re.IGNORECASE)


class WindowError(BridgeError):
    """The words do not say which events."""


def read(text: str, now: int) -> Window:
    """The events that fit everything that is said. Nothing said: all. Raises WindowError."""
    given: dict[str, int] = {}
    rest = text.strip()
    while rest:
        part = _PART.match(rest)
        if part is None:
            raise WindowError(f"{rest!r} is not understood: {ACCEPTED} are accepted")
        word, value = part[1].lower(), part[2]
        if word in given:
            raise WindowError(f"{word!r} is said twice: keep one")
        given[word] = count(value) if word == "last" else moment(value, now)
        rest = rest[part.end() :]
    if "since" in given and "until" in given and given["since"] >= given["until"]:
        raise WindowError("'since' is not before 'until': no event can fit")
    return Window(**given)


def count(text: str) -> int:
    if not _COUNT.fullmatch(text):
        raise WindowError(f"{text!r} is no number of events: a whole number such as 10000 is accepted")
    return int(text)


def moment(text: str, now: int) -> int:
    """A time, or how long before `now`."""
    if ago := _AGO.fullmatch(text):
        return max(0, now - int(ago[1]) * UNITS[ago[2]])
    try:
        return from_iso(text)
    except ValueError:
        raise WindowError(
            f"{text!r} is no time: 30m, 12h, 7d, 2w (ago), 2026-11-01 or 2026-11-01T12:00 (UTC) are accepted"
        ) from None
