"""Transactions are tried again when that may help, and never take effect twice."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import psycopg
import pytest
from sqlalchemy.engine import make_url

from bridge.errors import StoreError, TryAgainError
from bridge.model import Attempt, ChangeState, Outcome, Verdict
from bridge.store import open_store
from bridge.store.entities import Doubt, Mark, Settlement
from bridge.times import HOUR, SECOND
from tests.support.cutting import Cut, cutting_proxy
from tests.support.making import ENTITY_ID, NOW, asking, by_payload

on_postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)

SAID = Attempt("set", ("tier",), Outcome(Verdict.ACCEPTED, 200, "OK"), NOW, 1, (1,))


def put(store, *events):
    store.events.add("stripe", events, {}, NOW)
    while store.events.translate(by_payload, 100, NOW):
        pass


def customer(number):
    return f"{number:08d}{ENTITY_ID[8:]}"


def claimed(store, limit=1, lease="ours"):
    return store.entities.claim(lease, limit, NOW, NOW + 30 * SECOND)


def count_up(store):
    """Closes the gate once more: a repeated COMMIT would count twice."""
    return store.gate.change(lambda state, _: (replace(state, closings=state.closings + 1), state.closings + 1), NOW)


def execute(url, statement):
    with psycopg.connect(url, autocommit=True) as connection:
        return (
            connection.execute(statement).fetchall()
            if statement.startswith("SELECT")
            else connection.execute(statement)
        )


@pytest.fixture
def cut_store(database_url):
    """A store behind a proxy that loses connections while they commit."""
    url = make_url(database_url)
    with cutting_proxy(url.port) as proxy:
        store = open_store(
            url.set(drivername="postgresql+psycopg", port=proxy.port).render_as_string(hide_password=False), 4, HOUR
        )
        yield store, proxy
        store.close()


@on_postgresql
def test_two_transactions_that_stand_in_each_others_way_both_succeed(store):
    put(store, asking("evt_1", {"tier": "gold"}))
    meet, tries = threading.Barrier(2), []

    def update(*tables):
        def step(connection):
            first, second = tables
            connection.exec_driver_sql(f"UPDATE {first}")
            tries.append(first)
            if len(tries) <= 2:
                meet.wait(30)
            connection.exec_driver_sql(f"UPDATE {second}")

        store.database.transact(step)

    gate, entities = "gate SET closings = closings + 1", "entities SET tries = tries + 1"
    with ThreadPoolExecutor(2) as threads:
        for one in [threads.submit(update, gate, entities), threads.submit(update, entities, gate)]:
            one.result()
    assert len(tries) > 2
    assert store.gate.state().closings == 2
    assert claimed(store)[0].tries == 2


@on_postgresql
def test_a_connection_that_is_ended_in_the_middle_of_a_transaction_costs_nothing(store, database_url):
    ended = []

    def step(connection):
        connection.exec_driver_sql("UPDATE gate SET closings = closings + 1")
        if not ended:
            pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
            ended.append(execute(database_url, f"SELECT pg_terminate_backend({pid})"))
        return connection.exec_driver_sql("SELECT closings FROM gate").scalar_one()

    assert store.database.transact(step) == 1
    assert store.gate.state().closings == 1


@on_postgresql
def test_what_fails_again_and_again_fails_in_the_end(store, database_url):
    def step(connection):
        pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
        execute(database_url, f"SELECT pg_terminate_backend({pid})")
        connection.exec_driver_sql("SELECT 1")

    with pytest.raises(TryAgainError):
        store.database.transact(step)
    with pytest.raises(TryAgainError):
        store.database.transact_one(step)


def test_a_mistake_is_not_tried_again(store):
    tries = []

    def step(connection):
        tries.append(1)
        connection.exec_driver_sql("SELECT nonsense FROM gate")

    with pytest.raises(StoreError):
        store.database.transact(step)
    assert len(tries) == 1


@on_postgresql
@pytest.mark.parametrize("cut", Cut)
def test_a_commit_whose_answer_is_lost_takes_effect_exactly_once(cut_store, cut):
    store, proxy = cut_store
    assert count_up(store) == 1
    proxy.armed = cut
    assert count_up(store) == 2
    assert proxy.cuts == 1
    assert store.gate.state().closings == 2


@on_postgresql
@pytest.mark.parametrize("cut", Cut)
def test_a_delivery_whose_commit_is_lost_is_settled_once_and_has_not_lost_its_lease(cut_store, cut):
    store, proxy = cut_store
    put(store, asking("evt_1", {"tier": "gold"}))
    (ours,) = claimed(store)
    work = store.entities.load(ours, NOW)
    proxy.armed = cut
    states = {change.id: Mark(ChangeState.DELIVERED) for change in work.changes}
    assert store.entities.settle(ours, Settlement(attempts=(SAID,), states=states), NOW)
    assert proxy.cuts == 1
    assert len(store.entities.attempts_of("customer", ENTITY_ID)) == 1
    assert claimed(store, lease="theirs") == []
    assert not store.entities.settle(ours, Settlement(attempts=(SAID,)), NOW)


@on_postgresql
@pytest.mark.parametrize("cut", Cut)
def test_a_claim_whose_answer_is_lost_leaves_nothing_under_a_lease_without_a_worker(cut_store, cut):
    store, proxy = cut_store
    put(store, *(asking(f"evt_{n}", {"tier": "gold"}, customer=customer(n)) for n in range(5)))
    proxy.trigger, proxy.armed = b"UPDATE entities SET lease", cut
    assert len(claimed(store, 3)) == 3
    assert proxy.cuts == 1
    assert len(claimed(store, 10, lease="theirs")) == 2


@on_postgresql
@pytest.mark.parametrize("cut", Cut)
def test_every_kind_of_write_survives_a_lost_commit(cut_store, cut):
    store, proxy = cut_store

    def lost(act):
        proxy.armed = cut
        result = act()
        assert proxy.armed is None
        return result

    store.events.add("stripe", [asking("evt_1", {"tier": "gold"})], {}, NOW)
    assert lost(lambda: store.events.translate(by_payload, 10, NOW)) == 1
    (number,) = store.events.numbers()
    assert len(store.changes.of_event(number)) == 1
    assert lost(lambda: store.events.replay([number])) == 1
    assert store.events.translate(by_payload, 10, NOW) == 1
    assert [one.state for one in store.changes.of_event(number)] == [ChangeState.DROPPED, ChangeState.PENDING]
    lost(lambda: store.entities.doubt([Doubt("customer", ENTITY_ID, ("tier",), NOW)]))
    (ours,) = claimed(store)
    assert ours.doubts == 1
    change = store.changes.of_event(number)[-1]
    store.entities.settle(ours, Settlement(states={change.id: Mark(ChangeState.REFUSED, "no")}), NOW)
    assert lost(lambda: store.letters.drop([number])) == 1
    assert lost(lambda: [one.events for one in store.retention.prune(NOW + HOUR, 10)]) == [1, 0][:1]
    assert store.events.numbers() == []


@pytest.mark.slow
def test_sixty_settlements_beside_replays_fail_none(store):
    """Each marks the changes of its entity in groups, and a replay drops them event by event."""
    put(store, *(asking(f"evt_{n}_{m}", {"n": str(m)}, NOW + m, customer(n)) for n in range(60) for m in range(12)))
    numbers = store.events.numbers()
    claims = claimed(store, 60)
    assert len(claims) == 60
    done = threading.Event()

    def settle(claim):
        changes = store.entities.load(claim, NOW).changes
        # The newest are delivered first: marks come in an order of their own.
        states = {one.id: Mark(ChangeState.DELIVERED if one.id % 2 else ChangeState.SUPERSEDED) for one in changes}
        return store.entities.settle(claim, Settlement(states=states, retry_at=NOW + HOUR), NOW)

    def replay():
        times = 0
        while not done.is_set() or not times:
            assert store.events.replay(numbers) == len(numbers)
            times += 1

    with ThreadPoolExecutor(9) as threads:
        replays = [threads.submit(replay) for _ in range(2)]
        try:
            assert all(threads.map(settle, claims))
        finally:
            done.set()
        for one in replays:
            one.result()


@on_postgresql
@pytest.mark.slow
def test_backends_that_are_ended_again_and_again_fail_no_write(store, database_url):
    put(store, *(asking(f"evt_{n}", {"tier": "gold"}, customer=customer(n)) for n in range(200)))
    claims = claimed(store, 200)
    done, killed = threading.Event(), []

    def kill():
        with psycopg.connect(database_url, autocommit=True, application_name="killer") as connection:
            while not done.wait(0.15):
                killed.extend(
                    connection.execute(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
                        " AND application_name = 'metronome-bridge' ORDER BY random() LIMIT 1"
                    )
                )

    def work(claim):
        work = store.entities.load(claim, NOW)
        states = {one.id: Mark(ChangeState.DELIVERED) for one in work.changes}
        settled = store.entities.settle(claim, Settlement(attempts=(SAID,), states=states), NOW)
        count_up(store)
        return settled

    with ThreadPoolExecutor(5) as threads:
        killing = threads.submit(kill)
        try:
            assert all(threads.map(work, claims))
        finally:
            done.set()
        killing.result()
    assert killed
    assert store.gate.state().closings == 200
    assert all(len(store.entities.attempts_of("customer", customer(n))) == 1 for n in range(200))
    assert claimed(store, 200, lease="theirs") == []


@on_postgresql
@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
def test_the_isolation_level_is_ours_whatever_the_database_sets(database_url, level):
    name = make_url(database_url).database
    execute(database_url, f"ALTER DATABASE {name} SET default_transaction_isolation = '{level}'")
    assert execute(database_url, "SELECT current_setting('transaction_isolation')") == [(level,)]
    store = open_store(database_url.replace("postgresql", "postgresql+psycopg", 1), 8, HOUR)
    try:
        for access in (store.database.read, store.database.write, store.database.write_one):
            with access() as connection:
                assert connection.exec_driver_sql("SHOW transaction_isolation").scalar() == "read committed"
        meet = threading.Barrier(8)

        def act(_):
            # Each step reads before it waits for the others: a snapshot of the whole transaction would be stale then.
            def step(connection):
                connection.exec_driver_sql("SELECT count(*) FROM gate")
                tries.append(1)
                if len(tries) <= 8:
                    meet.wait(30)
                connection.exec_driver_sql("UPDATE gate SET closings = closings + 1")

            store.database.transact(step)

        tries = []
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(act, range(8)))
        assert len(tries) == 8
        assert store.gate.state().closings == 8
    finally:
        store.close()
