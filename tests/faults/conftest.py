import os
import sys
from collections import Counter

import pytest
from sqlalchemy import select

from bridge.store.tables import changes, events
from tests.support.processes import ending
from tests.support.sending import FULL, alias_of
from tests.support.world import World

#: Calls that end soon, and so leases that end soon.
SHORT = {"METRONOME_TIMEOUT_SECONDS": "0.4", "METRONOME_CONNECT_TIMEOUT_SECONDS": "0.3"}


#: For what a shorter test stands in for at home.
only_in_ci = pytest.mark.skipif(not os.environ.get("CI"), reason="takes its time: in CI")


@pytest.fixture
def world(tmp_path, database_url):
    made = World(tmp_path, database_url)
    with ending(made.processes):
        yield made


@pytest.fixture(scope="session")
def size():
    """How much a fault test takes on: a little at home, ten times as much in CI."""
    return 10 if os.environ.get("CI") else 1


@pytest.fixture(scope="session")
def shared_sandbox(tmp_path_factory):
    """A sandbox for tests that are not about Metronome's faults: each has customers of its own."""
    made = World(tmp_path_factory.mktemp("sandbox"), "sqlite:///unused.db")
    with ending(made.processes):
        yield made.sandbox()


@pytest.fixture
def full_world(world, shared_sandbox):
    """A bridge with the mapping FULL. Its leases end soon."""
    (world.folder / "mappings" / "stripe.yaml").write_text(FULL)
    world.environ |= SHORT | {"METRONOME_BASE_URL": shared_sandbox}
    return world


def failing(point, *command):
    """A command of the bridge that is struck when it comes to a point: see failpoints.py."""
    return [sys.executable, "-m", "tests.faults.failpoints", point, *command]


def introduce(world, told):
    """Have Metronome know the customers of a story by their aliases."""
    customers = [{"name": "Acme", "id": one, "ingest_aliases": [alias_of(one)]} for one in told.expected]
    world.control(customers=customers)


def stored(world):
    """How often each event is in the store, by its id."""
    with world.store() as store, store.database.read() as connection:
        return Counter(connection.scalars(select(events.c.event_id)))


def applied(world):
    """The rules that have made a change, by the number of the event; events without a change have none."""
    with world.store() as store, store.database.read() as connection:
        rules = {number: set() for number in connection.scalars(select(events.c.id))}
        for number, rule in connection.execute(select(changes.c.event, changes.c.rule)):
            rules[number].add(rule)
    return rules


def ids(told):
    return {event["id"] for event in told}
