"""How mapping files say where JSON has its id, its type and its time: options of hmac, token and basic."""

import json
from typing import Any

import pytest
from marshmallow import ValidationError

from bridge.errors import NotThisShapeError
from bridge.model import Event, Request
from bridge.senders import SENDERS
from bridge.times import SECOND

GENERIC = [SENDERS[name] for name in ("basic", "hmac", "token")]
TOKEN = SENDERS["token"]
SECONDS = 1795341600
NOW = SECONDS * SECOND
PAYLOAD = {"meta": {"id": "e-1", "kind": "tier.changed", "at": SECONDS, "list": [{"id": "e-2"}]}, "tier": "gold"}


def read(body: Any, now: int = NOW, headers: dict[str, str] | None = None, **options: str) -> list[Event]:
    bound = TOKEN.bound(TOKEN.options().load(options))
    return bound.read(Request("POST", "/in", headers or {}, json.dumps(body).encode()), now)


def event(body: Any = PAYLOAD, **given: Any) -> Event:
    [found] = read(body, **given)
    return found


@pytest.mark.parametrize(
    ("place", "found"),
    [
        ("meta.id", "e-1"),
        ("meta.list.0.id", "e-2"),
        ("tier", "gold"),
        ("meta.at", str(SECONDS)),
        ("header:X-Event-Id", "h-1"),
        ("header:x-EVENT-id", "h-1"),
    ],
)
def test_an_id_is_found_in_the_payload_or_in_a_header(place, found):
    assert event(headers={"x-event-id": "h-1"}, event_id=place).event_id == found
    assert event(headers={"x-event-id": "h-1"}, event_type=place).event_type == found


@pytest.mark.parametrize("option", ["event_id", "event_type", "event_time"])
@pytest.mark.parametrize(
    "place", ["id", "meta.id.x", "meta.list.1.id", "meta.list.id", "meta.0", "meta", "meta.list", "header:X-None", ""]
)
def test_what_is_not_there_is_refused(option, place):
    with pytest.raises(NotThisShapeError):
        event(**{option: place})


@pytest.mark.parametrize("value", [None, True, 1.5, [], {}, "", "x" * 256, "a\nb"])
def test_an_id_or_type_that_is_no_name_is_refused(value):
    for option in ("event_id", "event_type"):
        with pytest.raises(NotThisShapeError, match=r"meta\.name"):
            event({"meta": {"name": value}}, **{option: "meta.name"})


def test_an_event_without_a_type_is_untyped():
    assert event().event_type == "untyped"


@pytest.mark.parametrize(
    ("value", "unit", "micros"),
    [
        (SECONDS, None, NOW),
        (SECONDS, "seconds", NOW),
        (SECONDS + 0.5, None, NOW + 500_000),
        (SECONDS * 1000 + 7, "milliseconds", NOW + 7000),
        (NOW + 9, "microseconds", NOW + 9),
        (0, "seconds", 0),
        (str(SECONDS), None, NOW),
        (SECONDS * 1000 + 7, None, NOW + 7000),
        (20261122, None, NOW - 36_000 * SECOND),
        ("2026-11-22T10:00:00Z", None, NOW),
        ("2026-11-22T10:00:00Z", "milliseconds", NOW),
        ("2026-11-22T10:00:00.5+00:00", None, NOW + 500_000),
        ("2026-11-22 12:00:00+02:00", None, NOW),
        ("2026-11-22T10:00:00", None, NOW),
        ("2026-11-22", None, NOW - 36_000 * SECOND),
    ],
)
def test_a_time_is_iso_text_or_a_number_of_units(value, unit, micros):
    options = {"event_time_unit": unit} if unit else {}
    assert event({"at": value}, event_time="at", **options).occurred_at == micros


@pytest.mark.parametrize(
    "value", [None, True, "", "soon", [], {}, -1, -0.5, 1e300, 10**16, "2026-13-01", "1969-12-31T23:59:59Z"]
)
def test_what_is_no_time_is_refused(value):
    with pytest.raises(NotThisShapeError, match=r"^at is "):
        event({"at": value}, event_time="at")


@pytest.mark.parametrize(
    ("text", "unit", "micros"),
    [
        ("2026-11-22T10:00:00Z", "seconds", NOW),
        (str(SECONDS), "seconds", NOW),
        (str(SECONDS * 1000), "milliseconds", NOW),
    ],
)
def test_a_header_can_hold_a_time_in_each_form(text, unit, micros):
    """Whatever a header holds is text, also a number."""
    headers = {"x-time": text}
    assert event(headers=headers, event_time="header:X-Time", event_time_unit=unit).occurred_at == micros


@pytest.mark.parametrize("text", ["2026-99-99T00:00:00 jane", "2026-11-22T10:00:00 jane"])
def test_a_message_about_a_time_does_not_repeat_it(text):
    with pytest.raises(NotThisShapeError) as caught:
        event({"at": text}, event_time="at")
    assert "jane" not in str(caught.value)


@pytest.mark.parametrize(
    ("body", "options", "count"),
    [
        ([{"id": 1}, {"id": 2}], {}, 2),
        ([], {}, 0),
        ({"rows": [{"id": 1}, {"id": 2}]}, {"batch": "rows"}, 2),
        ({"rows": []}, {"batch": "rows"}, 0),
        ({"data": {"pages": [[{"id": 1}], [{"id": 2}, {"id": 3}]]}}, {"batch": "data.pages.1"}, 2),
        ({"rows": [{"id": 1}]}, {"event_id": "rows.0.id"}, 1),
    ],
)
def test_a_batch_is_a_list_at_its_path_or_bare(body, options, count):
    events = read(body, **{"event_id": "id", **options})
    assert len(events) == count
    assert [found.problem for found in events] == [None] * count


@pytest.mark.parametrize("body", [{"rows": {}}, {"rows": None}, {"rows": "x"}, {}, 7, None, [[{"id": 1}]]])
def test_a_batch_that_is_no_list_is_refused(body):
    with pytest.raises(NotThisShapeError, match="rows"):
        read(body, batch="rows")


@pytest.mark.parametrize("body", [7, None, "text", True, 1.5])
def test_a_body_that_is_no_object_is_refused(body):
    with pytest.raises(NotThisShapeError):
        read(body)


@pytest.mark.parametrize("bad", [7, None, "text", [], {}, {"id": None}, {"id": 1, "at": "soon"}, {"id": 1}])
def test_one_bad_element_keeps_the_others(bad):
    good = {"id": 1, "at": SECONDS}
    first, unreadable, last = read([good, bad, {**good, "id": 2}], event_id="id", event_time="at")
    assert (first.event_id, last.event_id) == ("1", "2")
    assert (unreadable.event_type, unreadable.payload) == ("unreadable", bad)
    assert unreadable.problem


def test_bad_elements_are_events_of_their_own_whose_repeat_is_known():
    once, again = (read([7, 7, None], now, event_id="id") for now in (NOW, NOW + SECOND))
    assert len({found.event_id for found in once}) == 3
    assert [found.event_id for found in once] == [found.event_id for found in again]


@pytest.mark.parametrize("options", [{}, {"event_time": "at"}, {"event_id": "header:X-Id"}])
def test_elements_without_ids_are_events_of_their_own(options):
    """Only the first of those with one id would be kept."""
    rows = [{"tier": tier, "at": SECONDS} for tier in ("gold", "silver", "bronze")]
    assert len({found.event_id for found in read(rows, headers={"x-id": "r-1"}, **options)}) == 3


def test_gold_silver_gold_without_times_are_three_events():
    ids = {event({"tier": tier}, now=NOW + n).event_id for n, tier in enumerate(("gold", "silver", "gold"))}
    assert len(ids) == 3


def test_the_same_body_with_its_time_is_one_event_whenever_it_comes():
    ids = {event({"tier": "gold", "at": SECONDS}, now=NOW + n, event_time="at").event_id for n in range(3)}
    assert len(ids) == 1


@pytest.mark.parametrize("sender", GENERIC, ids=lambda sender: sender.name)
def test_a_source_with_an_event_time_is_dated(sender):
    assert sender.bound({}).undated
    assert sender.bound({"event_time": "at"}).undated is None


@pytest.mark.parametrize("sender", GENERIC, ids=lambda sender: sender.name)
@pytest.mark.parametrize(
    "options", [{"event_time_unit": "days"}, {"event_id": 7}, {"event_name": "x"}, {"batch": ["x"]}]
)
def test_an_option_that_cannot_be_is_refused(sender, options):
    needed = {"header": "X-Signature"} if sender.name == "hmac" else {}
    with pytest.raises(ValidationError) as caught:
        sender.options().load({**needed, **options})
    assert list(caught.value.messages) == list(options)
