"""What Metronome is asked, by all replicas together: no more than the budget, and little while it will not answer."""

import uuid
from datetime import datetime

import pytest
import requests

from bridge.bootstrap import now
from bridge.model import Event
from bridge.pipeline.gatekeeper import FORBIDDEN_FROM
from bridge.times import SECOND
from tests.support.processes import answers, ours, until
from tests.support.replicas import QUICK
from tests.support.stripe_events import customer_updated

pytestmark = pytest.mark.slow

RATE = 40
#: Threads of one worker: as many calls may be on their way when the gate closes.
THREADS = 4


@pytest.fixture
def waiting(world):
    """Puts events of so many customers into the store, and gives what Metronome must hold of them at the end."""

    def put(customers):
        ids = [str(uuid.uuid4()) for _ in range(customers)]
        told = [
            Event(f"evt_{one}", "customer.updated", customer_updated(metronome_id=one, tier="1"), now()) for one in ids
        ]
        with world.store() as store:
            store.events.add("stripe", told, {}, now())
        return {one: {"tier": "1", "name": "Acme"} for one in ids}

    return put


@pytest.fixture
def start(world):
    """Starts workers: three on PostgreSQL, and two on one SQLite file."""

    def begin(**environ):
        number = 3 if world.environ["DATABASE_URL"].startswith("postgresql") else 2
        environ |= {"BRIDGE_DELIVERY_THREADS": str(THREADS), **QUICK}
        return [world.run(ours("worker"), **environ) for _ in range(number)]

    return begin


def statuses(world):
    """How many calls were answered how."""
    return {int(status): count for status, count in world.dump()["statuses"].items()}


def closings(running):
    """How often the gate has closed: each time one process says so."""
    return sum(process.said.count("gate closed") for process in running)


def departures(world):
    """When calls were made, in seconds."""
    with world.store() as store, store.database.read() as connection:
        return sorted(at / SECOND for at in connection.exec_driver_sql("SELECT started_at FROM attempts").scalars())


def arrivals(world):
    """When calls came to Metronome, in seconds."""
    return sorted(datetime.fromisoformat(call["at"]).timestamp() for call in world.dump()["calls"])


def excess(times, shortest):
    """By how many calls the worst stretch of `shortest` seconds or more is above the budget, 5% and one call."""
    return max(
        number - (RATE * max(shortest, last - first) * 1.05 + 1)
        for begin, first in enumerate(times)
        for number, last in enumerate(times[begin:], 1)
    )


def test_the_budget_holds_over_all_replicas(world, waiting, start, size):
    """Where a call is on its way for a while, as on a busy machine, a second of arrivals is no second of departures."""
    world.sandbox()
    expected = waiting(120 * min(size, 3))
    running = start(METRONOME_MAX_CALLS_PER_SECOND=str(RATE))
    world.settled(expected, running[0])
    assert excess(departures(world), 1) <= 0
    assert excess(arrivals(world), 2) <= 0


def test_a_limit_met_by_one_replica_stops_all_of_them(world, waiting, start, size):
    """Each time the gate closes, only what is on its way is still refused: a call for each thread, at most."""
    world.sandbox("--rate-limit", "30")
    expected = waiting(60 * min(size, 3))
    running = start()
    world.settled(expected, running[0])
    assert 1 <= statuses(world)[429] <= len(running) * THREADS * closings(running)


def test_a_refused_token_stops_all_replicas_and_blames_nobody(world, waiting, start):
    url = world.sandbox("--token", "another")
    expected = waiting(40)
    running = start()
    _, web = world.serve(BRIDGE_DELIVERY="off")

    def shut():
        gate = requests.get(f"{web}/readyz", timeout=10).json()["gate"]
        return gate["state"] == "closed" and gate["cause"] == "token refused"

    def alarmed():
        return any("gate closed" in process.said and "token refused" in process.said for process in running)

    until(shut, running[0])
    until(alarmed, running[0])
    made = sum(statuses(world).values())
    # Each replica sees so many refused before it holds that against the endpoint, and asks once about the token.
    assert made <= len(running) * (FORBIDDEN_FROM + THREADS + 1) + closings(running)
    sandbox = world.processes[0]
    sandbox.end()
    port = url.rsplit(":", 1)[1]
    answers(f"{url}/sandbox", world.run(ours("sandbox", "--port", port, "--token", "token-of-the-test")))
    world.settled(expected, running[0])


def test_an_outage_is_probed_by_one_call_at_a_time_and_blames_nobody(world, waiting, start):
    """Until the gate closes each replica may fail four times, and with what is on its way; then each probe may fail."""
    world.sandbox("--outage")
    expected = waiting(40)
    running = start()

    def probed():
        return closings(running) >= 4

    until(probed, running[0])
    made = statuses(world)[503]
    assert made <= len(running) * (4 + THREADS) + closings(running)
    world.control(faults={"outage": False})
    world.settled(expected, running[0])
    with world.store() as store:
        counts = store.changes.counts()
    assert (counts["refused"], counts["parked"]) == (0, 0)
