import pytest

from bridge.store.events import MAX_BYTES
from bridge.store.history import PAGE, Span, Window
from bridge.times import SECOND
from tests.support.making import NOW, event


@pytest.fixture
def filled(store):
    """Ten events of Stripe, one a second, and one of HubSpot after each."""
    for number in range(10):
        store.events.add("stripe", [event(f"s{number}")], {}, NOW + number * SECOND)
        store.events.add("hubspot", [event(f"h{number}")], {}, NOW + number * SECOND)
    return store


def names(store, source, **given):
    """The ids of the events that fit, in the order in which they are read."""
    span = store.history.span(Window(**given))
    pages = store.history.pages(source, span) if span else ()
    return [found.event_id for page in pages for found in page.events(lambda _: True)]


@pytest.mark.parametrize(
    ("given", "numbers"),
    [
        ({}, range(10)),
        ({"since": NOW}, range(10)),
        ({"since": NOW + 3 * SECOND}, range(3, 10)),
        ({"since": NOW + 3 * SECOND + 1}, range(4, 10)),
        ({"until": NOW + 3 * SECOND}, range(3)),
        ({"until": NOW + 3 * SECOND + 1}, range(4)),
        ({"since": NOW + 3 * SECOND, "until": NOW + 5 * SECOND}, range(3, 5)),
        ({"last": 2}, [9]),
        ({"last": 3}, [9]),
        ({"last": 4}, [8, 9]),
        ({"last": 1000}, range(10)),
        ({"until": NOW + 5 * SECOND, "last": 4}, [3, 4]),
        ({"since": NOW + 8 * SECOND, "last": 1000}, [8, 9]),
        ({"since": NOW + 10 * SECOND}, []),
        ({"until": NOW}, []),
        ({"since": NOW + 5 * SECOND, "until": NOW + 5 * SECOND}, []),
    ],
)
def test_a_window_holds_what_fits_everything_that_is_said(filled, given, numbers):
    """Of all events every second one is Stripe's, HubSpot's being the newest."""
    assert names(filled, "stripe", **given) == [f"s{number}" for number in numbers]


def test_the_newest_of_one_source_are_counted_without_the_others(filled):
    span = filled.history.span(Window(last=3), "stripe")
    found = [one.event_id for page in filled.history.pages("stripe", span) for one in page.events(lambda _: True)]
    assert found == ["s7", "s8", "s9"]


def test_a_span_says_what_there_is(filled):
    first, *_, last = filled.events.numbers()
    assert filled.history.span(Window(since=1)) == Span(first, last, NOW, NOW + 9 * SECOND)
    assert filled.history.span(Window(since=NOW + 100 * SECOND)) is None


def test_an_empty_store_has_no_span(store):
    assert store.history.span(Window()) is None
    assert store.history.span(Window(since=NOW, until=NOW + 1, last=5)) is None


def test_numbers_that_were_pruned_leave_gaps_that_do_not_matter(filled):
    numbers = filled.events.numbers()
    with filled.database.write() as connection:
        connection.exec_driver_sql("UPDATE events SET state = 'ignored'")
    filled.retention.remove_events([*numbers[:4], *numbers[6:9]])
    assert names(filled, "stripe", since=NOW) == ["s2", "s5", "s6", "s7", "s8", "s9"]
    assert names(filled, "stripe", since=NOW + 3 * SECOND, until=NOW + 6 * SECOND) == ["s5"]


def test_pages_hold_so_many_events_and_no_more(store):
    store.events.add("stripe", [event(f"s{number}") for number in range(PAGE + 1)], {}, NOW)
    pages = list(store.history.pages("stripe", store.history.span(Window())))
    assert [len(page.rows) for page in pages] == [PAGE, 1]
    assert pages[0].last + 1 == pages[1].last


def test_large_events_come_in_small_pages(store):
    large = {"text": "x" * (MAX_BYTES // 2)}
    store.events.add("stripe", [event(f"s{number}", payload=large) for number in range(5)], {}, NOW)
    pages = list(store.history.pages("stripe", store.history.span(Window())))
    assert [len(page.rows) for page in pages] == [2, 2, 1]


def test_what_comes_while_it_is_read_is_not_waited_for(filled):
    span = filled.history.span(Window())
    filled.events.add("stripe", [event("later")], {}, NOW + 60 * SECOND)
    assert "later" not in [
        one.event_id for page in filled.history.pages("stripe", span) for one in page.events(lambda _: True)
    ]


def test_events_of_other_types_are_not_parsed(filled):
    (page,) = filled.history.pages("stripe", filled.history.span(Window()))
    assert len(page.rows) == 10
    assert list(page.events(lambda event_type: event_type == "invoice.paid")) == []
