"""Many replicas on one PostgreSQL behind a real load balancer: as one process, whichever of them come and go."""

import signal

import pytest
import requests

from bridge.bootstrap import now
from bridge.times import SECOND
from tests.conftest import missing
from tests.support.making import ENTITY_ID
from tests.support.nginx import NoNginxError
from tests.support.processes import ours, until
from tests.support.replicas import QUICK, Load, Replicas
from tests.support.sending import Sender, story
from tests.support.stripe_events import customer_updated, signed

pytestmark = [pytest.mark.slow, pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)]


@pytest.fixture
def replicas(world):
    world.sandbox("--latency-ms", "20")
    try:
        return Replicas(world)
    except NoNginxError as error:
        missing(str(error))


def post(url, event):
    return requests.post(f"{url}/webhooks/stripe", **signed(event), timeout=30)


def stored(world):
    """The ids of all events, as often as they are stored."""
    with world.store() as store:
        return sorted(event.event_id for event in store.events.find(limit=100_000))


def test_three_replicas_and_three_workers_come_to_what_one_process_comes_to(world, replicas, size):
    replicas.start(webs=3, workers=3)
    told = story(customers=30 * min(size, 4), steps=5)
    sender = Sender(replicas.url, told.events).start()
    sender.finish()
    world.settled(told.expected, replicas.balancer)
    assert sender.refusals == []
    assert stored(world) == sorted({event["id"] for event in told.events})
    assert world.regressions() == []


def test_replicas_killed_and_added_under_load_lose_nothing_and_end_with_the_newest(world, replicas, size):
    replicas.start(webs=2, workers=2)
    with Load(replicas.url) as load:
        load.goes_on()
        replicas.add_web(2)
        replicas.add_worker()
        for place in range(min(size, 3)):
            load.goes_on()
            replicas.webs[place].kill()
            replicas.workers.pop(0).kill()
            load.goes_on()
            replicas.add_worker()
            replicas.add_web(place)
        load.goes_on()
    world.settled(load.expected, replicas.balancer)
    assert load.refusals == []
    assert stored(world) == sorted(set(load.acknowledged))
    assert world.regressions() == []


def test_a_rolling_restart_under_load_refuses_nobody(world, replicas, size):
    """What a replica that stops can no longer answer, the load balancer hands to another."""
    replicas.start(webs=3, workers=2)
    with Load(replicas.url) as load:
        for place in range(min(size, 3)):
            load.goes_on()
            assert replicas.webs[place].terminate() == 0
            replicas.add_web(place)
        for _ in range(min(size, 2)):
            replicas.add_worker()
            assert replicas.workers.pop(0).terminate() == 0
        load.goes_on()
    world.settled(load.expected, replicas.balancer)
    assert load.refusals == []
    assert stored(world) == sorted(set(load.acknowledged))
    assert world.regressions() == []


def test_the_bridge_itself_answers_large_bodies_behind_the_load_balancer(world, replicas):
    replicas.start(webs=1, workers=1)
    event = customer_updated(tier="gold")
    event["data"]["object"]["notes"] = "x" * 900_000
    assert post(replicas.url, event).status_code == 200
    event["data"]["object"]["notes"] = "x" * 8_000_000
    answer = post(replicas.url, event)
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "request_entity_too_large")
    world.wait_for(ENTITY_ID, {"tier": "gold", "name": "Acme"})


def test_a_worker_paused_under_load_does_not_have_the_last_word(world, replicas):
    replicas.start(webs=2, workers=3)
    paused = replicas.workers[0].popen
    with Load(replicas.url) as load:
        load.goes_on()
        paused.send_signal(signal.SIGSTOP)
        with world.store() as store, store.database.read() as connection:
            leased_until = connection.exec_driver_sql("SELECT coalesce(max(leased_until), 0) FROM entities").scalar()

        def others_may_take_over():
            return now() > leased_until

        until(others_may_take_over, replicas.workers[1])
        load.goes_on()
        paused.send_signal(signal.SIGCONT)
        load.goes_on()
    world.settled(load.expected, replicas.workers[0])


def test_a_worker_paused_between_its_two_calls_does_not_have_the_last_word(world):
    """A budget makes it wait before the second, and it sleeps until another has written something newer."""
    world.sandbox()
    slow = {**QUICK, "METRONOME_MAX_CALLS_PER_SECOND": "0.5"}
    first = world.run(ours("worker"), **slow)
    _, url = world.serve(BRIDGE_DELIVERY="off")
    event = customer_updated("evt_1", 1_795_341_600, tier="silver")
    event["data"]["object"]["coupon"] = None
    assert post(url, event).ok

    def sleeps():
        """Both calls are paid for: the line is longer than one call makes it."""
        with world.store() as store:
            return store.gate.state().next_call_at > now() + 1.1 * SECOND / 0.5

    def removed():
        return any("deleteValues" in call["call"] for call in world.dump()["calls"])

    until(sleeps, first)
    first.popen.send_signal(signal.SIGSTOP)
    event = customer_updated("evt_2", 1_795_341_601, tier="gold")
    event["data"]["object"]["coupon"] = "SAVE"
    assert post(url, event).ok
    second = world.run(ours("worker"), **slow)
    newest = {"tier": "gold", "name": "Acme", "coupon": "SAVE"}
    world.wait_for(ENTITY_ID, newest, second)
    assert not removed()
    first.popen.send_signal(signal.SIGCONT)
    until(removed, first)
    world.settled({ENTITY_ID: newest}, first)
