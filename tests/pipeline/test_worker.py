"""The loop with real threads: it finds what there is to do, and stops as it should."""

import threading

import pytest

from bridge.bootstrap import SteadyClock, now
from bridge.gates import Cause, GateState
from bridge.model import ChangeState, Outcome, Reference, Verdict
from bridge.pipeline.deliver import Deliverer
from bridge.pipeline.gatekeeper import Gatekeeper
from bridge.pipeline.resolve import Resolver
from bridge.pipeline.swap import Swapper
from bridge.pipeline.translator import Translator
from bridge.pipeline.worker import BUSY_THREADS, Worker
from bridge.times import DAY, SECOND
from tests.support.lookups import finding
from tests.support.making import ENTITY_ID, NOW, asking, by_payload, change, event, translated
from tests.support.metronome import OK, FakeMetronome

PATIENCE = 20


@pytest.fixture
def start(store):
    """Starts workers on the store, and stops them at the end."""
    running = []

    def begin(metronome, translate=by_payload, threads=4, rate=0, crowded=lambda: False):
        clock = SteadyClock()
        gatekeeper = Gatekeeper(
            store.gate,
            store.endpoint_gates,
            rate=rate,
            permit_for=30 * SECOND,
            clock=clock,
            jitter=lambda: 0.01,
            alarm=lambda *_: None,
        )
        common = {"clock": clock, "jitter": lambda: 0.01, "sleep": threading.Event().wait, "park_for": DAY}
        deliverer = Deliverer(
            store.entities,
            store.conflicts,
            Swapper(store.entities, store.conflicts, clock=clock, new_lease=lambda: "swap"),
            gatekeeper,
            metronome,
            call_budget=SECOND,
            resend_unchanged=False,
            log=lambda *_: None,
            forget=store.references.forget,
            **common,
        )
        resolver = Resolver(store.references, gatekeeper, *finding(store, metronome, clock), **common)
        worker = Worker(
            store,
            translator=Translator(store.events, translate, clock=clock),
            deliverer=deliverer,
            resolver=resolver,
            gatekeeper=gatekeeper,
            clock=clock,
            new_lease=lambda: f"lease-{len(running)}",
            lease_for=30 * SECOND,
            threads=threads,
            crowded=crowded,
        )
        worker.start()
        running.append(worker)
        return worker

    yield begin
    for worker in running:
        worker.stop(PATIENCE)


def receive(store, *events):
    store.events.add("stripe", events, {}, now())
    store.signal.announce()


def close(store, state):
    store.gate.change(lambda _before, _now: (state, None), now())


def until(condition):
    """Waits for something that another thread brings about. Whether it came."""
    waiter = threading.Event()
    for _ in range(PATIENCE * 100):
        if condition():
            return True
        waiter.wait(0.01)
    return False


def test_what_is_stored_is_delivered(store, start):
    metronome = FakeMetronome()
    start(metronome)
    receive(store, *[asking(f"evt_{n}", {"n": str(n)}, NOW + n) for n in range(250)])
    assert until(lambda: metronome.held.get(ENTITY_ID) == {"n": "249"})


def test_what_was_there_before_the_start_is_delivered(store, start):
    metronome = FakeMetronome()
    store.events.add("stripe", [asking("evt_1", {"tier": "gold"})], {}, now())
    start(metronome)
    assert until(lambda: metronome.held == {ENTITY_ID: {"tier": "gold"}})


def test_a_lookup_is_made_and_then_the_delivery(store, start):
    metronome = FakeMetronome()
    metronome.aliases["cus_1"] = [ENTITY_ID]
    asked = change({"tier": "gold"}, reference=Reference("ingest_alias", "cus_1"))
    start(metronome, lambda _: translated(asked))
    receive(store, event())
    assert until(lambda: metronome.held == {ENTITY_ID: {"tier": "gold"}})


def test_a_failed_call_is_made_again_without_any_signal(store, start):
    outcomes = [Outcome(Verdict.UNAVAILABLE, 503)] * 2
    metronome = FakeMetronome(lambda *_: outcomes.pop() if outcomes else OK)
    start(metronome)
    receive(store, asking("evt_1", {"tier": "gold"}))
    assert until(lambda: metronome.held == {ENTITY_ID: {"tier": "gold"}})
    assert len(metronome.calls) == 3


def test_nothing_is_called_while_the_gate_is_closed(store, start):
    metronome = FakeMetronome()
    close(store, GateState(closed_until=now() + 50 * SECOND, cause=Cause.LIMITED, width=1))
    start(metronome)
    receive(store, asking("evt_1", {"tier": "gold"}))
    assert until(lambda: store.glance(now()).entity_due is not None)
    assert metronome.calls == []
    close(store, GateState())
    assert until(lambda: metronome.held == {ENTITY_ID: {"tier": "gold"}})


def test_no_two_calls_are_about_one_entity_at_a_time(store, start):
    """However many workers there are, and however fast news comes in."""
    busy, overlaps, lock = set(), [], threading.Lock()
    pause = threading.Event()

    def judge(_call, entity_id, _values):
        with lock:
            if entity_id in busy:
                overlaps.append(entity_id)
            busy.add(entity_id)
        pause.wait(0.002)
        with lock:
            busy.discard(entity_id)
        return OK

    class Unlocked(FakeMetronome):
        def make(self, call, entity_id, values):
            outcome = self.judge(call, entity_id, values)
            self.held.setdefault(entity_id, {}).update(values)
            return outcome

    metronome = Unlocked(judge)
    for _ in range(3):
        start(metronome)
    ids = [f"{number:08x}{ENTITY_ID[8:]}" for number in range(4)]
    for number in range(40):
        receive(store, *[asking(f"{number}-{one}", {"n": str(number)}, NOW + number, one) for one in ids])
    assert until(lambda: [metronome.held.get(one) for one in ids] == [{"n": "39"}] * 4)
    assert overlaps == []


def test_a_stop_finishes_what_is_in_flight_and_gives_the_rest_back(store, start):
    in_flight, go_on = threading.Event(), threading.Event()

    def judge(*_):
        in_flight.set()
        go_on.wait(PATIENCE)
        return OK

    metronome = FakeMetronome(judge)
    worker = start(metronome, threads=1)
    receive(store, asking("evt_1", {"tier": "gold"}))
    assert in_flight.wait(PATIENCE)
    receive(store, asking("evt_2", {"tier": "gold"}, customer=f"00000000{ENTITY_ID[8:]}"))
    stopped = []
    stopping = threading.Thread(target=lambda: stopped.append(worker.stop(PATIENCE)))
    stopping.start()
    go_on.set()
    stopping.join()
    assert stopped == [True]
    assert metronome.held == {ENTITY_ID: {"tier": "gold"}}
    (first,) = [found for found in store.events.find() if found.event_id == "evt_1"]
    assert store.changes.of_event(first.id)[0].state == ChangeState.DELIVERED
    for claim in store.entities.claim("next", 10, now(), now() + SECOND):
        assert claim.entity_id != ENTITY_ID


def test_while_webhooks_crowd_in_few_are_delivered_at_a_time_and_all_of_them_afterwards(store, start):
    at_once, most, crowd, enough, lock = [0], [0], threading.Event(), threading.Event(), threading.Lock()
    crowd.set()

    def judge(*_):
        with lock:
            at_once[0] += 1
            most[0] = max(most[0], at_once[0])
        # More than stand back for a crowd can only meet here once it is over.
        enough.wait(0.05 if crowd.is_set() else PATIENCE)
        with lock:
            at_once[0] -= 1
        return OK

    class Unlocked(FakeMetronome):
        def make(self, call, entity_id, values):
            outcome = self.judge(call, entity_id, values)
            self.held.setdefault(entity_id, {}).update(values)
            return outcome

    metronome = Unlocked(judge)
    ids = [f"{number:08x}{ENTITY_ID[8:]}" for number in range(24)]
    store.events.add("stripe", [asking(f"evt_{one}", {"n": "1"}, NOW, one) for one in ids], {}, now())
    start(metronome, threads=6, crowded=crowd.is_set)
    assert until(lambda: len(metronome.held) >= 4)
    assert most[0] <= BUSY_THREADS
    crowd.clear()
    assert until(lambda: most[0] > BUSY_THREADS)
    enough.set()
    assert until(lambda: len(metronome.held) == len(ids))


def test_a_job_that_breaks_does_not_stop_the_worker(store, start):
    broken = [True]

    def judge(*_):
        if broken:
            broken.pop()
            raise ZeroDivisionError
        return OK

    metronome = FakeMetronome(judge)
    start(metronome, threads=1)
    receive(store, asking("evt_1", {"tier": "gold"}))
    receive(store, asking("evt_2", {"tier": "gold"}, customer=f"00000000{ENTITY_ID[8:]}"))
    assert until(lambda: metronome.held)


def dying(run, times, before=lambda *_: None):
    """The same, but the thread that calls it ends at the first calls."""
    left = iter(range(times))

    def die(*given, **more):
        if next(left, None) is not None:
            before(*given)
            raise SystemExit
        return run(*given, **more)

    return die


@pytest.mark.parametrize("threads", [1, 4])
def test_threads_that_end_are_started_again_and_all_of_them_deliver(store, start, monkeypatch, threads):
    """Each place that they took is free again, or there would be none left."""
    monkeypatch.setattr("bridge.supervisor.FIRST_BACKOFF_SECONDS", 0.001)
    monkeypatch.setattr("bridge.supervisor.LONGEST_BACKOFF_SECONDS", 0.01)
    metronome = FakeMetronome()
    worker = start(metronome, threads=threads)
    monkeypatch.setattr(worker, "do", dying(worker.do, 3 * threads, lambda job, _held: worker.release(job)))
    monkeypatch.setattr(worker, "step", dying(worker.step, 3))
    receive(store, *[asking(f"evt_{n}", {"n": str(n)}, NOW + n) for n in range(20)])
    assert until(lambda: metronome.held.get(ENTITY_ID) == {"n": "19"})
    assert until(lambda: worker.taken == 0)
