import threading
from dataclasses import replace

import pytest

from bridge.bootstrap import now
from bridge.gates import Cause, GateState
from bridge.times import MINUTE
from tests.support.making import NOW


def test_the_gate_is_wide_open_at_first(store):
    assert store.gate.state() == GateState()
    assert store.gate.state().is_wide_open


def test_what_a_step_makes_of_the_state_is_remembered(store):
    after = GateState(NOW, Cause.LIMITED, "Metronome answered 429", 1, 8, 2, NOW + 1, NOW + 2, NOW + 3)
    assert store.gate.change(lambda before, _: (after, before), NOW) == GateState()
    assert store.gate.state() == after
    assert store.glance(NOW).gate == after


def test_a_step_that_breaks_changes_nothing(store):
    def fail(_state, _now):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        store.gate.change(fail, NOW)
    assert store.gate.state() == GateState()


def test_replicas_change_it_one_after_the_other(store):
    def count():
        for _ in range(20):
            store.gate.change(lambda state, _: (replace(state, in_flight=state.in_flight + 1), None), NOW)

    threads = [threading.Thread(target=count) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.gate.state().in_flight == 100


def test_the_time_is_the_databases_own_if_it_has_one(store):
    """Replicas need not agree on the time; SQLite has none, and takes what it is given."""
    seen = store.gate.change(lambda state, found: (state, found), NOW)
    assert seen == store.glance(NOW).now == NOW if store.database.is_sqlite else abs(seen - now()) < MINUTE
