"""One slow, large or exploding event fails with its reason, and holds back nothing else."""

import itertools
import random

import pytest

from bridge.mapping.compiler import compile_source
from bridge.mapping.work import Limits
from bridge.model import EventState
from bridge.pipeline.translate import translate
from bridge.pipeline.translator import MOST_CHANGES, Translator
from bridge.times import MILLISECOND, SECOND
from tests.support.clock import Clock
from tests.support.making import ENTITY_ID, NOW, asking, by_payload, change, event, translated

MAPPING = f"""
sender: stripe
secrets: [s]
rules:
  - name: seats
    entity: customer
    id: "'{ENTITY_ID}'"
    when: seats[?contains(`["a", "b"]`, name) && length(@.x[?y == `1`]) > `0`] || tier
    fields:
      tier: tier
      found: seats[].x[].y | [0]
  - name: each
    entity: customer
    id: "'{ENTITY_ID}'"
    for_each: each
    fields: {{last: item.name}}
"""


@pytest.fixture(scope="module")
def sources():
    source, problems = compile_source("stripe", "stripe.yaml", MAPPING, lambda _: None)
    assert source, problems
    return {"stripe": source}


def made(store, event_id):
    (found,) = [one for one in store.events.find(limit=1000) if one.event_id == event_id]
    return found.state, found.reason


def run(store, translate, clock=None):
    translator = Translator(store.events, translate, clock=clock or Clock())
    steps = []
    while seen := store.glance(NOW + len(steps) * SECOND).events:
        translator.wake(seen)
        steps += iter(translator.step, 0)
    return steps


def test_rules_hold_no_lock_while_they_run(store):
    """A webhook is stored, and another worker settles, in the middle of a rule."""
    store.events.add("stripe", [asking("evt_1", {"tier": "gold"})], {}, NOW)

    def interrupted(stored):
        if stored.event_id == "evt_1":
            assert store.events.add("hubspot", [asking("evt_2", {"tier": "silver"}, NOW + 1)], {}, NOW) == 1
        return by_payload(stored)

    assert run(store, interrupted) == [1, 1]
    assert made(store, "evt_2")[0] == EventState.TRANSLATED


def test_an_event_whose_rules_take_too_long_fails_alone_and_says_which_setting(store, sources):
    heavy = {"seats": [{"name": "a", "x": [{"y": 0}] * 100}] * 1000, "tier": "gold"}
    store.events.add("stripe", [event("evt_1"), event("evt_heavy", payload=heavy), event("evt_3")], {}, NOW)
    time = itertools.count(0, 40_000_000)
    run(store, lambda stored: translate(stored, sources, Limits(seconds=1), lambda: next(time)))
    assert {made(store, name)[0] for name in ("evt_1", "evt_3")} == {EventState.IGNORED}
    state, reason = made(store, "evt_heavy")
    assert state == EventState.FAILED
    assert reason.startswith("its rules take longer than 1 seconds")
    assert "BRIDGE_RULES_SECONDS" in reason


def test_an_event_that_makes_too_many_changes_fails_alone(store, sources):
    many = {"each": [{"name": str(n)} for n in range(51)]}
    store.events.add(
        "stripe", [event("evt_many", payload=many), event("evt_2", payload={"each": many["each"][1:]})], {}, NOW
    )
    run(store, lambda stored: translate(stored, sources, Limits(changes=50)))
    state, reason = made(store, "evt_many")
    assert state == EventState.FAILED
    assert "more than 50 changes" in reason
    assert made(store, "evt_2")[0] == EventState.TRANSLATED
    assert store.changes.counts()["pending"] == 50


def test_a_batch_ends_after_a_while_and_the_next_source_has_its_turn(store):
    clock, order = Clock(), []

    def slowly(stored):
        clock.advance(100 * MILLISECOND)
        order.append(stored.source)
        return by_payload(stored)

    store.events.add("a", [asking(f"evt_{n}", {"n": "1"}) for n in range(10)], {}, NOW)
    store.events.add("b", [asking("evt_b", {"n": "1"})], {}, NOW)
    run(store, slowly, clock)
    assert order.index("b") == 3
    assert len(order) == 11


def test_a_batch_ends_after_a_number_of_changes(store):
    events = [event(f"evt_{n}") for n in range(10)]
    store.events.add("stripe", events, {}, NOW)
    each = MOST_CHANGES // 4
    steps = run(store, lambda stored: translated(*[change({"n": "1"}, stored.occurred_at)] * each))
    assert steps == [4, 4, 2]


def test_what_the_database_does_not_take_fails_alone(store):
    """PostgreSQL's index rows are limited, and SQLite takes anything: there nothing fails."""
    long = random.Random(1).randbytes(8000).hex()

    def translate(stored):
        return translated(change({"tier": "gold"}, entity_id=long if stored.event_id == "evt_bad" else ENTITY_ID))

    store.events.add("stripe", [event("evt_1"), event("evt_bad"), event("evt_3")], {}, NOW)
    run(store, translate)
    assert {made(store, name)[0] for name in ("evt_1", "evt_3")} == {EventState.TRANSLATED}
    expected = EventState.TRANSLATED if store.database.is_sqlite else EventState.FAILED
    assert made(store, "evt_bad")[0] == expected
