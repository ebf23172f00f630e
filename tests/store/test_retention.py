from concurrent.futures import ThreadPoolExecutor

import pytest

from bridge.model import Attempt, ChangeState, EventState, Field, Outcome, Reference, Verdict
from bridge.store import open_store
from bridge.store.entities import Mark, Settlement
from bridge.store.events import Translated
from bridge.store.retention import HOLD_EVENTS, Pruned, Retention
from bridge.times import DAY, HOUR, SECOND
from tests.support.making import ENTITY_ID, NOW, OTHER_ID, asking, by_payload, change, event, translated

OLD = NOW - 100 * DAY
BEFORE = NOW - 90 * DAY
ALIAS = Reference("ingest_alias", "cus_1")


def receive(store, *events, now=OLD, translate=by_payload):
    """Store and translate events. The numbers of all that are there."""
    store.events.add("stripe", events, {}, now)
    while translate and store.events.translate(translate, 100, now):
        pass
    return store.events.numbers()


def settle(store, state=ChangeState.DELIVERED, now=OLD):
    """Settle everything that is pending, with one attempt each."""
    for claim in store.entities.claim("ours", 1000, NOW, NOW + SECOND):
        work = store.entities.load(claim, NOW)
        newest = work.changes[0]
        numbers = tuple(one.id for one in work.changes)
        store.entities.settle(
            claim,
            Settlement(
                attempts=(Attempt("setValues", tuple(newest.values), Outcome(Verdict.ACCEPTED, 200), now, 1, numbers),),
                fields={key: Field(value, newest.stamp) for key, value in newest.values.items()},
                states=dict.fromkeys(numbers, Mark(state)),
            ),
            now,
        )


def delivered(store, *names, now=OLD):
    receive(store, *[asking(name, {"name": name}, now) for name in names], now=now)
    settle(store, now=now)


def prune(store, limit=200):
    steps = list(store.retention.prune(BEFORE, limit))
    return Pruned(sum(step.events for step in steps), sum(step.attempts for step in steps))


def names(store):
    return sorted(found.event_id for found in store.events.find(limit=10_000))


def together(*works):
    """Run in threads. Raises what one of them raises."""
    with ThreadPoolExecutor(len(works)) as pool:
        for done in [pool.submit(work) for work in works]:
            done.result(60)


def test_old_events_go_with_their_changes_and_younger_ones_stay(store):
    delivered(store, "old")
    delivered(store, "young", now=BEFORE)
    old, young = store.events.numbers()
    assert prune(store) == Pruned(events=1, attempts=1)
    assert store.events.get(old) is None
    assert store.changes.of_event(old) == []
    assert names(store) == ["young"]
    assert len(store.changes.of_event(young)) == 1


def test_what_counts_is_when_an_event_was_received_not_when_it_happened(store):
    delivered(store, "received long ago")
    receive(store, asking("happened long ago", {"name": "?"}, OLD), now=NOW)
    settle(store, now=NOW)
    prune(store)
    assert names(store) == ["happened long ago"]


@pytest.mark.parametrize("state", [EventState.IGNORED, EventState.FAILED])
def test_old_events_that_asked_for_nothing_go(store, state):
    receive(store, event(), translate=lambda _: Translated(state, "why"))
    assert prune(store).events == 1
    assert names(store) == []


@pytest.mark.parametrize("state", [state for state in ChangeState if state not in {"pending", "parked"}])
def test_old_events_go_however_their_work_ended(store, state):
    receive(store, asking("evt_1", {"tier": "gold"}))
    settle(store, state)
    assert prune(store).events == 1


def test_an_event_that_waits_to_be_translated_stays_however_old(store):
    receive(store, event(), translate=None)
    assert prune(store).events == 0
    assert store.glance(NOW).received


def test_an_event_that_waits_to_be_delivered_stays_however_old(store):
    (number,) = receive(store, asking("evt_1", {"tier": "gold"}))
    assert prune(store).events == 0
    assert [one.state for one in store.changes.of_event(number)] == [ChangeState.PENDING]


def test_an_event_that_waits_for_a_lookup_stays_however_old(store):
    asked = change({"tier": "gold"}, reference=ALIAS)
    (number,) = receive(store, event(), translate=lambda _: translated(asked))
    assert prune(store).events == 0
    assert [one.state for one in store.changes.of_event(number)] == [ChangeState.PARKED]
    assert store.glance(NOW).reference_due is not None


def test_an_event_stays_whole_while_one_of_its_changes_is_open(store):
    asked = change({"tier": "gold"}), change({"tier": "gold"}, reference=ALIAS)
    (number,) = receive(store, event(), translate=lambda _: translated(*asked))
    settle(store)
    assert prune(store).events == 0
    assert [one.state for one in store.changes.of_event(number)] == [ChangeState.DELIVERED, ChangeState.PARKED]


def test_an_old_event_that_is_replayed_stays_until_that_is_done(store):
    delivered(store, "evt_1")
    (number,) = store.events.numbers()
    store.events.replay([number])
    assert prune(store).events == 0
    store.events.translate(by_payload, 10, NOW)
    assert prune(store).events == 0
    settle(store, now=NOW)
    assert prune(store).events == 1


def test_what_metronome_holds_is_remembered_for_good(store):
    delivered(store, "evt_1")
    held = store.entities.fields_of("customer", ENTITY_ID)
    assert prune(store) == Pruned(1, 1)
    assert store.entities.fields_of("customer", ENTITY_ID) == held
    assert held["name"].value == "evt_1"


def test_answers_to_lookups_stay(store):
    asked = change({"tier": "gold"}, reference=ALIAS)
    receive(store, event(), translate=lambda _: translated(asked))
    (question,) = store.references.claim("ours", 1, NOW, NOW + SECOND)
    store.references.answer(question, ENTITY_ID, NOW)
    settle(store)
    assert prune(store).events == 1
    number = receive(store, event("evt_2"), now=NOW, translate=lambda _: translated(asked))[0]
    assert store.changes.of_event(number)[0].entity_id == ENTITY_ID


def test_a_number_is_not_given_again(store):
    delivered(store, "a", "b")
    highest = store.events.numbers()[-1]
    assert prune(store).events == 2
    assert receive(store, event("c"), translate=None) > [highest]


def test_old_attempts_go_even_those_of_work_that_is_not_done(store):
    receive(store, asking("evt_1", {"tier": "gold"}))
    settle(store, ChangeState.PARKED)
    settle(store, ChangeState.PARKED, now=BEFORE)
    assert prune(store) == Pruned(events=0, attempts=1)
    assert [one.started_at for one in store.entities.attempts_of("customer", ENTITY_ID)] == [BEFORE]


def test_a_step_takes_no_more_than_its_limit(store):
    for number in range(7):
        delivered(store, f"evt_{number}")
    steps = list(store.retention.prune(BEFORE, 3))
    assert [step.events for step in steps if step.events] == [3, 3, 1]
    assert [step.attempts for step in steps if step.attempts] == [3, 3, 1]


def test_a_pass_is_over_when_nothing_old_follows(store):
    delivered(store, *[f"old {number}" for number in range(3)])
    delivered(store, *[f"young {number}" for number in range(50)], now=NOW)
    assert len(list(store.retention.prune(BEFORE, 3))) == 2
    assert list(store.retention.prune(BEFORE, 3)) == []


def test_the_oldest_go_first(store):
    delivered(store, *"abcd")
    next(store.retention.prune(BEFORE, 2))
    assert names(store) == ["c", "d"]


def test_old_open_work_at_the_front_is_passed_by(store):
    waiting = [f"waiting {number}" for number in range(9)]
    asked = change({"tier": "gold"}, reference=ALIAS)
    receive(store, *map(event, waiting), translate=lambda _: translated(asked))
    delivered(store, *"abcd")
    assert prune(store, limit=2).events == 4
    assert names(store) == waiting
    (question,) = store.references.claim("ours", 1, NOW, NOW + SECOND)
    store.references.answer(question, OTHER_ID, NOW)
    settle(store)
    assert prune(store, limit=2).events == 9


def test_many_prune_at_a_time_and_each_row_goes_once(store):
    for start in range(0, 300, 30):
        delivered(store, *[f"evt_{number}" for number in range(start, start + 30)])
    counts = []

    def work():
        counts.extend(Retention(store.database).prune(BEFORE, 7))

    together(*[work] * 4)
    left = prune(store)
    assert sum(count.events for count in counts) + left.events == 300
    assert sum(count.attempts for count in counts) + left.attempts == 10
    assert names(store) == []


@pytest.fixture
def impatient(database_url):
    """A second store on the same PostgreSQL, to which having to wait for a lock is an error."""
    url = database_url.replace("postgresql://", "postgresql+psycopg://")
    opened = open_store(f"{url}?options=-clock_timeout%3D2s", 2, HOUR)
    yield opened
    opened.close()


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_what_somebody_else_holds_is_passed_by_without_waiting(store, impatient):
    delivered(store, "held", "free")
    number = store.events.numbers()[0]
    with store.database.write() as connection:
        assert list(connection.scalars(HOLD_EVENTS, {"numbers": [number]})) == [number]
        assert prune(impatient).events == 1
        assert names(store) == ["held"]
    assert prune(store).events == 1


def test_events_that_come_in_and_replays_lose_nothing_to_a_pruning(store):
    """Old events are replayed while they are pruned: each is either gone, or there with its new work."""
    old = receive(store, *[asking(f"old {number}", {"n": "1"}) for number in range(200)])
    settle(store, ChangeState.REFUSED)
    busy = [True]

    def come_in():
        for number in range(40):
            store.events.add("stripe", [asking(f"young {number}", {"n": "1"})], {}, NOW)

    def replay():
        try:
            for start in reversed(range(0, 200, 5)):
                store.events.replay(old[start : start + 5])
                store.events.translate(by_payload, 10, NOW)
        finally:
            busy.clear()

    def work():
        while busy:
            prune(store, limit=3)

    together(come_in, replay, work, work)
    while store.events.translate(by_payload, 100, NOW):
        pass
    for number in set(old) & set(store.events.numbers()):
        ended, *again = [one.state for one in store.changes.of_event(number)]
        assert (ended, again) == (ChangeState.DROPPED, [ChangeState.PENDING])
    assert [name for name in names(store) if name.startswith("young")] == sorted(f"young {n}" for n in range(40))
    with store.database.read() as connection:
        orphans = connection.exec_driver_sql("SELECT count(*) FROM changes WHERE event NOT IN (SELECT id FROM events)")
        assert orphans.scalar() == 0
