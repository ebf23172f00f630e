"""The machine's clock is set back while the bridge runs, and while it does not."""

import itertools
import sys
import uuid

import pytest
import requests

from bridge.times import HOUR
from tests.faults.clocks import OFFSET
from tests.faults.conftest import SHORT
from tests.support.processes import until
from tests.support.world import World

pytestmark = pytest.mark.slow

#: Its events have no time of their own: they count as having happened when they are received.
UNDATED = """
sender: token
secrets: [secret-of-the-test]
options: {event_id: id, event_type: type}
rules:
  - name: customer
    events: [customer.updated]
    entity: customer
    id: customer
    fields: {tier: tier}
"""


class Machine:
    """One with a clock that can be set, and a sender of events that come one after the other."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.offset = world.folder / "offset"
        self.customers = [str(uuid.uuid4()) for _ in range(3)]
        self.numbers = itertools.count()
        self.newest = {}
        (world.folder / "mappings" / "stripe.yaml").unlink()
        (world.folder / "mappings" / "undated.yaml").write_text(UNDATED)
        world.environ |= SHORT | {OFFSET: str(self.offset)}
        self.set_clock(0)

    def set_clock(self, offset):
        """In one step, so that nobody reads half a number."""
        new = self.offset.with_suffix(".new")
        new.write_text(str(offset))
        new.replace(self.offset)

    def serve(self):
        return self.world.serve([sys.executable, "-m", "tests.faults.clocks", "serve"])

    def send(self, url, times):
        for _ in range(times):
            for one in self.customers:
                tier = str(next(self.numbers))
                event = {"id": f"evt_{tier}", "type": "customer.updated", "customer": one, "tier": tier}
                headers = {"Authorization": "Bearer secret-of-the-test"}
                answer = requests.post(f"{url}/webhooks/undated", json=event, headers=headers, timeout=30)
                assert answer.status_code == 200
                self.newest[one] = {"tier": tier}

    def settled(self, process):
        self.world.settled(self.newest, process)
        assert self.world.regressions() == []


@pytest.fixture
def machine(world):
    return Machine(world)


def test_what_is_received_after_the_clock_was_set_back_is_newer(machine, shared_sandbox):
    machine.world.environ["METRONOME_BASE_URL"] = shared_sandbox
    process, url = machine.serve()
    for hours in (0, -1, -2):
        machine.set_clock(hours * HOUR)
        machine.send(url, 3)
        machine.settled(process)
    assert process.terminate() == 0
    machine.set_clock(-3 * HOUR)
    again, url = machine.serve()
    machine.send(url, 3)
    machine.settled(again)


def test_retries_and_leases_go_on_by_a_clock_that_was_set_back(machine):
    """A process that has failures to repeat and calls under way is killed, and starts again in the past."""
    world = machine.world
    world.sandbox("--latency-ms", "300")
    process, url = machine.serve()
    machine.send(url, 1)

    def in_flight():
        return world.dump()["calls"]

    until(in_flight, process)
    world.control(faults={"outage": True})
    machine.send(url, 1)

    def refused():
        return world.dump()["statuses"].get("503")

    until(refused, process)
    process.kill()
    machine.set_clock(-HOUR)
    again, url = machine.serve()
    machine.send(url, 1)
    world.control(faults={"outage": False})
    machine.settled(again)
