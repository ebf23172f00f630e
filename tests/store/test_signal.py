import threading

import pytest

from bridge.store.signal import signal_of
from tests.support.making import NOW, event

#: Far longer than a signal takes, so that a missing one fails the test and does not slow it down.
LONG = 20.0


def heard(signal, act):
    """Whether a waiter wakes because of `act`, long before its time is up."""
    woken = threading.Event()
    signal.wait(0)

    def wait():
        signal.wait(LONG)
        woken.set()

    threading.Thread(target=wait, daemon=True).start()
    act()
    return woken.wait(LONG / 2)


def test_a_signal_wakes_a_waiter_in_the_same_process(store):
    assert heard(store.signal, store.signal.notify)


def test_a_signal_that_came_before_the_wait_is_not_missed(store):
    store.signal.notify()
    store.signal.wait(LONG)


def test_what_another_process_stores_wakes_a_waiter_here(store):
    elsewhere = signal_of(store.database)
    store.signal.listen()

    def add():
        store.events.add("stripe", [event()], {}, NOW)
        elsewhere.announce()

    try:
        assert heard(store.signal, add) or heard(store.signal, elsewhere.announce)
    finally:
        elsewhere.close()


@pytest.mark.parametrize("times", [1, 3])
def test_closing_wakes_whoever_waits(store, times):
    for _ in range(times):
        store.signal.close()
    store.signal.wait(LONG)
