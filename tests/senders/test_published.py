"""The event types that vendors publish: lists that hold what our readers give."""

from importlib.resources import files

import pytest

from bridge.mapping import examples
from bridge.senders import SENDERS, published
from bridge.senders.base import MAX_NAME_LENGTH
from tests.mapping.making import NOW, SHIPPED
from tests.mapping.making import lint as read_mapping

FOLDER = files("bridge.senders") / "event_types"
LISTED = sorted(path.name.removesuffix(".txt") for path in FOLDER.iterdir())


def test_each_list_is_of_a_sender():
    assert LISTED
    assert set(LISTED) <= set(SENDERS)


@pytest.mark.parametrize("name", LISTED)
def test_types_are_in_order_and_there_once(name):
    types = published.event_types(name)
    assert types
    assert list(types) == sorted(set(types))


@pytest.mark.parametrize("name", LISTED)
def test_types_are_what_an_event_may_have(name):
    for one in published.event_types(name):
        assert one == one.strip()
        assert one.isprintable()
        assert 0 < len(one) <= MAX_NAME_LENGTH


@pytest.mark.parametrize("name", LISTED)
def test_a_list_says_where_it_is_from_and_when_it_was_read(name):
    *sources, day = [line for line in (FOLDER / f"{name}.txt").read_text("utf-8").splitlines() if line.startswith("#")]
    assert sources
    assert all(line.startswith("# https://") for line in sources)
    assert day.startswith("# 20")


def test_a_sender_whose_vendor_publishes_none_has_none():
    assert published.event_types("hmac") == ()
    assert published.event_types("nobody") == ()


@pytest.mark.parametrize("name", SHIPPED)
def test_the_types_of_shipped_examples_are_listed(name):
    """What a reader gives is what a list holds: spelled as the vendor's own enumeration, it would help nobody."""
    source, _ = read_mapping(SHIPPED[name])
    known = published.event_types(source.sender.name)
    shown = {event.event_type for example in source.examples for event in examples.events_of(source, example, NOW)}
    assert not known or shown <= set(known)
