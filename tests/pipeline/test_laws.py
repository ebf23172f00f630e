"""The promise as a law: whatever happens on the way, the newest value of each key stands at the end."""

import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.model import Outcome, Verdict
from bridge.store import open_store
from bridge.times import HOUR, SECOND
from tests.pipeline.conftest import LEASE, Pipeline
from tests.support.making import ENTITY_ID, NOW, OTHER_ID, asking
from tests.support.metronome import OK

IDS = (ENTITY_ID, OTHER_ID)
TROUBLE = (
    Outcome(Verdict.UNAVAILABLE, 503),
    Outcome(Verdict.UNAVAILABLE, message="no answer: ReadTimeout"),
    Outcome(Verdict.LIMITED, 429, "slow down", SECOND),
    Outcome(Verdict.UNAUTHORIZED, 401, "bad token"),
    Outcome(Verdict.UNKNOWN, 404, "no such customer"),
    Outcome(Verdict.FORBIDDEN, 403, "no access to this resource"),
    Outcome(Verdict.CONFLICT, 409, "another entity has this value"),
    Outcome(Verdict.LIMITED, 429, "slow down", SECOND, scope="customer"),
    Outcome(Verdict.LIMITED, 429, "slow down", SECOND, scope="client"),
    Outcome(Verdict.UNAVAILABLE, 403, "a page of a proxy"),
)
asked = st.dictionaries(st.sampled_from("abc"), st.one_of(st.none(), st.sampled_from("xyz")), min_size=1)
#: Few different times, so that ties are common, and few names, so that repeats are.
happening = st.builds(
    lambda number, values, at, one: asking(f"evt_{number}", values, NOW + at, one),
    st.integers(0, 9),
    asked,
    st.integers(0, 3),
    st.sampled_from(IDS),
)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("receive"), st.lists(happening, min_size=1, max_size=4)),
        st.tuples(st.just("deliver"), st.lists(st.sampled_from((OK, OK, *TROUBLE)), max_size=3)),
        st.tuples(st.just("replay"), st.lists(st.integers(1, 10), min_size=1, max_size=5)),
        st.tuples(st.just("die after the call"), st.none()),
        st.tuples(st.just("stall before the call"), st.lists(happening, max_size=2)),
        st.tuples(st.just("wait"), st.sampled_from((SECOND, LEASE, HOUR))),
    ),
    max_size=12,
)


class Story:
    """A bridge to which all this happens."""

    def __init__(self, store):
        self.pipeline = Pipeline(store)
        self.times = {}
        self.newest = {}

    def receive(self, events):
        """And what must come of it: the newest of each key, of two events of one time the one received later."""
        for event in events:
            if event.event_id in self.times:
                continue
            self.times[event.event_id] = event.occurred_at
            for key, value in event.payload["set"].items():
                which = event.payload["customer"], key
                if self.newest.get(which, (0, None))[0] <= event.occurred_at:
                    self.newest[which] = event.occurred_at, value
        self.pipeline.receive(*events)

    def deliver(self, outcomes=()):
        left = list(outcomes)
        self.pipeline.metronome.judge = lambda *_: left.pop(0) if left else OK
        self.pipeline.deliver()

    def replay(self, numbers):
        self.pipeline.store.events.replay(numbers)
        self.pipeline.receive()

    def die(self, _):
        """The calls are made, and nothing of it is remembered."""
        deliverer, entities = self.pipeline.deliverer, self.pipeline.store.entities
        deliverer.entities = Forgetful(entities)
        self.deliver()
        deliverer.entities = entities

    def stall(self, events):
        """The first call comes when somebody else has long taken over."""
        metronome = self.pipeline.metronome
        made = metronome.set_values

        def late(*given):
            metronome.set_values = made
            self.pipeline.clock.advance(LEASE + SECOND)
            self.receive(events)
            self.deliver()
            return made(*given)

        metronome.set_values = late
        self.deliver()
        metronome.set_values = made

    def wait(self, micros):
        self.pipeline.clock.advance(micros)

    def end(self):
        """Everything works again, and time passes."""
        for _ in range(6):
            self.pipeline.clock.advance(2 * HOUR)
            self.deliver()
        assert self.pipeline.store.glance(self.pipeline.clock()).next_due() is None

    def held(self):
        """As `newest`: what Metronome holds, and None for what it does not."""
        return {(one, key): self.pipeline.metronome.held.get(one, {}).get(key) for one, key in self.newest}


class Forgetful:
    """Hands out work, and takes no result."""

    def __init__(self, entities):
        self.entities = entities

    def load(self, claim, now):
        return self.entities.load(claim, now)

    def settle(self, *_):
        return True


DO = {
    "receive": Story.receive,
    "deliver": Story.deliver,
    "replay": Story.replay,
    "die after the call": Story.die,
    "stall before the call": Story.stall,
    "wait": Story.wait,
}


@contextmanager
def told(template):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bridge.db"
        shutil.copy(template, path)
        store = open_store(f"sqlite:///{path}", 4, HOUR)
        yield Story(store)
        store.close()


@given(steps)
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_happens_the_newest_value_of_each_key_stands_at_the_end(sqlite_template, happened):
    with told(sqlite_template) as story:
        for step, what in happened:
            DO[step](story, what)
        story.end()
        assert story.held() == {which: value for which, (_, value) in story.newest.items()}


@given(st.lists(happening, min_size=1, max_size=8), st.lists(st.lists(st.integers(1, 10), max_size=6), max_size=4))
@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_replaying_anything_any_number_of_times_makes_no_call(sqlite_template, events, replays):
    with told(sqlite_template) as story:
        story.receive(events)
        story.deliver()
        calls = len(story.pipeline.metronome.calls)
        for numbers in replays:
            story.replay(numbers)
            story.deliver()
        assert len(story.pipeline.metronome.calls) == calls
        assert story.held() == {which: value for which, (_, value) in story.newest.items()}
