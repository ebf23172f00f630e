from bridge.store.gate import GateState
from tests.support.making import NOW


def test_the_gate_is_open_at_first(store):
    assert store.gate.state().is_open(NOW)


def test_a_closed_gate_opens_when_its_time_comes(store):
    store.gate.close(NOW + 5, "Metronome answered 429")
    state = store.gate.state()
    assert (state.is_open(NOW + 4), state.is_open(NOW + 5)) == (False, True)
    assert store.glance(NOW).gate == state


def test_the_later_end_counts_whoever_comes_first(store):
    store.gate.close(NOW + 9, "long")
    store.gate.close(NOW + 5, "short")
    assert store.gate.state() == GateState(NOW + 9, "long", 1)


def test_opening_forgets_why_it_was_closed(store):
    store.gate.close(NOW + 9, "why")
    store.gate.open()
    assert store.gate.state() == GateState()
