import pytest

from bridge.gates import Endpoint, GateState
from bridge.pipeline.deliver import Deliverer
from bridge.pipeline.gatekeeper import Gatekeeper
from bridge.pipeline.resolve import Resolver
from bridge.pipeline.swap import Swapper
from bridge.times import DAY, SECOND
from tests.support.clock import Clock
from tests.support.lookups import LEASE, finding
from tests.support.making import by_payload
from tests.support.metronome import FakeMetronome


class Pipeline:
    """Every step of the pipeline on one store, one at a time."""

    def __init__(self, store, **given):
        self.store = store
        self.clock = Clock()
        self.metronome = FakeMetronome()
        self.logged = []
        self.alarms = []
        self.slept = []
        self.keys = {"crm"}
        # PostgreSQL has a time of its own, and tests have theirs.
        store.gate.change = lambda step, now, change=store.gate.change: change(lambda state, _: step(state, now), now)
        store.endpoint_gates.change = lambda endpoint, step, now, change=store.endpoint_gates.change: change(
            endpoint, lambda state, _: step(state, now), now
        )
        self.gatekeeper = Gatekeeper(
            store.gate,
            store.endpoint_gates,
            rate=given.get("rate", 0),
            permit_for=LEASE,
            clock=self.clock,
            jitter=lambda: 1.0,
            alarm=lambda state, _endpoint: self.alarms.append(state),
        )
        common = {
            "clock": self.clock,
            "jitter": lambda: 1.0,
            "sleep": self.slept.append,
            "park_for": 7 * DAY,
        }
        self.deliverer = Deliverer(
            store.entities,
            store.conflicts,
            Swapper(store.entities, store.conflicts, clock=self.clock, new_lease=lambda: "swap"),
            self.gatekeeper,
            self.metronome,
            call_budget=13 * SECOND,
            resend_unchanged=given.get("resend_unchanged", False),
            log=lambda claim, attempt: self.logged.append((claim, attempt)),
            forget=store.references.forget,
            **common,
        )
        finders = finding(store, self.metronome, self.clock, lambda: self.keys)
        self.resolver = Resolver(store.references, self.gatekeeper, *finders, **common)

    def receive(self, *events, translate=by_payload):
        self.store.events.add("stripe", events, {}, self.clock())
        while self.store.events.translate(translate, 100, self.clock()):
            pass

    def claim(self, lease="ours"):
        return self.store.entities.claim(lease, 10, self.clock(), self.clock() + LEASE)

    def deliver(self):
        """Deliver whatever is due. How many entities were."""
        claims = self.claim()
        for claim in claims:
            self.deliverer.deliver(claim)
        return len(claims)

    def resolve(self):
        questions = self.store.references.claim("ours", 10, self.clock(), self.clock() + LEASE)
        for question in questions:
            self.resolver.resolve(question)
        return len(questions)

    def states(self, event_id="evt_1"):
        """State and reason of the changes of an event, by its own id."""
        number = next(found.id for found in self.store.events.find(limit=10_000) if found.event_id == event_id)
        return [(change.state, change.reason) for change in self.store.changes.of_event(number)]

    def gate(self, endpoint=Endpoint.SET_VALUES):
        """The gate of an endpoint, or with None the one for all calls."""
        state = self.store.gate.state() if endpoint is None else self.store.endpoint_gates.states().get(endpoint)
        return state or GateState()

    def state(self, event_id="evt_1"):
        ((state, _),) = self.states(event_id)
        return state


@pytest.fixture
def pipeline(store):
    return Pipeline(store)


@pytest.fixture
def make_pipeline(store):
    return lambda **given: Pipeline(store, **given)
