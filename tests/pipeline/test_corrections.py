"""A mapping that dated events wrongly is corrected, and events are replayed: the end is as if it had been right."""

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.store import open_store
from bridge.times import DAY, HOUR, SECOND
from tests.pipeline.conftest import Pipeline
from tests.support.making import ENTITY_ID, NOW, asking, by_payload, change, translated

FAR = 9999 * DAY


class Mapping:
    """One that takes a renewal date for the time of the change, until it is corrected."""

    def __init__(self, pipeline):
        self.pipeline = pipeline
        self.wrong = {}

    def __call__(self, event):
        right = by_payload(event)
        if event.event_id not in self.wrong:
            return right
        (one,) = right.changes
        return replace(right, digest="wrong", changes=(replace(one, occurred_at=self.wrong[event.event_id]),))

    def receive(self, *events):
        if events:
            self.pipeline.store.events.add("stripe", list(events), {}, self.pipeline.clock())
        self.pipeline.clock.advance(SECOND)
        self.pipeline.store.events.translate(self, 100, self.pipeline.clock())

    def correct(self, event_id):
        """And replay the event."""
        self.wrong.pop(event_id, None)
        self.replay(event_id)

    def replay(self, event_id):
        found = {event.event_id: event.id for event in self.pipeline.store.events.find(limit=1000)}
        self.pipeline.store.events.replay([found[event_id]])
        self.receive()

    def deliver(self):
        for _ in range(3):
            self.pipeline.deliver()
            self.pipeline.clock.advance(SECOND)

    @property
    def held(self):
        return self.pipeline.metronome.held.get(ENTITY_ID, {})


@pytest.fixture
def mapping(pipeline):
    return Mapping(pipeline)


def test_a_corrected_event_gives_its_keys_back_to_what_is_newer(mapping):
    mapping.wrong["renewal"] = NOW + FAR
    mapping.receive(asking("renewal", {"tier": "gold"}, NOW))
    mapping.deliver()
    mapping.receive(asking("later", {"tier": "silver", "seats": "5"}, NOW + 1))
    mapping.receive(asking("latest", {"tier": "bronze"}, NOW + 2))
    mapping.deliver()
    assert mapping.held == {"tier": "gold", "seats": "5"}
    mapping.correct("renewal")
    mapping.deliver()
    assert mapping.held == {"tier": "bronze", "seats": "5"}
    assert mapping.pipeline.states("latest") == [("delivered", None)]
    mapping.receive(asking("newest", {"tier": "iron"}, NOW + 3))
    mapping.deliver()
    assert mapping.held["tier"] == "iron"


def test_a_change_that_won_one_key_wins_the_other_too_once_the_mistake_is_corrected(mapping):
    mapping.wrong["renewal"] = NOW + FAR
    mapping.receive(asking("renewal", {"tier": "gold"}, NOW), asking("both", {"tier": "silver", "seats": "5"}, NOW + 1))
    mapping.deliver()
    assert mapping.held == {"tier": "gold", "seats": "5"}
    mapping.correct("renewal")
    mapping.deliver()
    assert mapping.held == {"tier": "silver", "seats": "5"}


def test_with_nothing_newer_the_corrected_value_stands_and_the_next_event_wins(mapping):
    mapping.wrong["renewal"] = NOW + FAR
    mapping.receive(asking("renewal", {"tier": "gold"}, NOW), asking("older", {"tier": "silver"}, NOW - 1))
    mapping.deliver()
    mapping.correct("renewal")
    mapping.deliver()
    assert mapping.held == {"tier": "gold"}
    assert mapping.pipeline.store.entities.fields_of("customer", ENTITY_ID)["tier"].stamp.occurred_at == NOW
    mapping.receive(asking("next", {"tier": "bronze"}, NOW + 1))
    mapping.deliver()
    assert mapping.held == {"tier": "bronze"}


def test_what_a_replay_has_replaced_does_not_come_back(mapping):
    """Another event was dated too late as well, and was corrected before."""
    mapping.wrong |= {"renewal": NOW + FAR, "other": NOW + FAR - 1}
    mapping.receive(asking("renewal", {"tier": "gold"}, NOW + 5), asking("other", {"tier": "silver"}, NOW + 1))
    mapping.deliver()
    mapping.correct("other")
    mapping.deliver()
    mapping.correct("renewal")
    mapping.deliver()
    assert mapping.held == {"tier": "gold"}


def test_two_changes_of_one_translation_do_not_correct_each_other(pipeline):
    """Elements of a list may each have a time: the newest of them stands, however they are cut into deliveries."""

    def both(_event):
        return translated(change({"tier": "new"}, NOW + 9), change({"tier": "old"}, NOW))

    pipeline.store.events.add("stripe", [asking("list", {}, NOW)], {}, NOW)
    pipeline.store.events.translate(both, 10, NOW)
    claim = pipeline.claim()[0]
    newest, oldest = pipeline.store.entities.load(claim, NOW).changes
    for one in (newest, oldest):
        work = pipeline.store.entities.load(claim, NOW)
        known = {key: held.stamp.occurred_at for key, held in work.fields.items()}
        assert known == ({} if one is newest else {"tier": NOW + 9})
        load = pipeline.store.entities.load
        pipeline.deliverer.entities = Only(pipeline.store.entities, one.id, load)
        pipeline.deliverer.deliver(claim)
        pipeline.store.entities.doubt([])
        claim = (pipeline.claim() or [claim])[0]
    assert pipeline.metronome.held[ENTITY_ID] == {"tier": "new"}


class Only:
    """Hands out one change alone."""

    def __init__(self, entities, number, load):
        self.entities, self.number, self.load_all = entities, number, load

    def load(self, claim, now):
        work = self.load_all(claim, now)
        return replace(work, changes=tuple(one for one in work.changes if one.id == self.number))

    def settle(self, *given):
        return self.entities.settle(*given)


asked = st.dictionaries(st.sampled_from("ab"), st.one_of(st.none(), st.sampled_from("xyz")), min_size=1)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("receive"), st.tuples(asked, st.integers(0, 9), st.integers(-9, 9))),
        st.tuples(st.just("deliver"), st.none()),
        st.tuples(st.just("correct"), st.integers(0, 9)),
        st.tuples(st.just("replay"), st.integers(0, 9)),
    ),
    max_size=16,
)


@given(steps)
@settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_after_correcting_and_replaying_the_end_is_as_if_the_mapping_had_been_right(sqlite_template, happened):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bridge.db"
        shutil.copy(sqlite_template, path)
        store = open_store(f"sqlite:///{path}", 4, HOUR)
        mapping, right = Mapping(Pipeline(store)), {}
        names = []
        for step, what in happened:
            if step == "receive":
                values, at, off = what
                names.append(f"evt_{len(names)}")
                if off:
                    mapping.wrong[names[-1]] = NOW + at + off
                mapping.receive(asking(names[-1], values, NOW + at))
                for key, value in values.items():
                    if right.get(key, (0, None))[0] <= NOW + at:
                        right[key] = NOW + at, value
            elif step == "deliver":
                mapping.deliver()
            elif names:
                (mapping.correct if step == "correct" else mapping.replay)(names[what % len(names)])
        mapping.deliver()
        for name in names:
            mapping.correct(name)
            mapping.deliver()
        assert mapping.held == {key: value for key, (_, value) in right.items() if value is not None}
        store.close()
