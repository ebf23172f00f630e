"""A real backfill beside a real bridge: killed, stopped, kept waiting, and in nobody's way."""

import csv
import gzip
import random
import signal
import uuid

import pytest

from tests.faults.conftest import stored
from tests.support.making import ENTITY_ID
from tests.support.processes import PATIENCE_SECONDS, ours, until
from tests.support.sending import FIRST_SECOND
from tests.support.stripe_events import customer_updated
from tests.whole.conftest import post

pytestmark = pytest.mark.slow

HEADER = ("data.object.metadata.metronome_id", "data.object.metadata.tier", "data.object.name", "changed")
COMMAND = ("--type", "customer.updated", "--time-column", "changed")


def export(world, customers, steps, name="export.csv"):
    """A file of rows in no order, and what Metronome must hold at its end."""
    ids = [str(uuid.UUID(int=number + 1)) for number in range(customers)]
    rows = [(one, step, "Acme", FIRST_SECOND - 10_000 + step) for step in range(steps) for one in ids]
    random.shuffle(rows)
    with (gzip.open if name.endswith(".gz") else open)(world.folder / name, "wt", newline="") as file:
        csv.writer(file).writerows([HEADER, *rows])
    return len(rows), {one: {"tier": str(steps - 1), "name": "Acme"} for one in ids}


def feed(world, name="export.csv", *options):
    return world.run(ours("backfill", "stripe", name, *COMMAND, *options))


def count(world):
    return len(stored(world))


def test_a_backfill_that_is_killed_again_and_again_ends_with_everything_once(world, size):
    name = "export.csv.gz"
    rows, expected = export(world, 20 * size, 60, name)
    world.sandbox()
    bridge, _ = world.serve()
    for part in (1, 2, 3):
        process = feed(world, name, "--rate", "1500")

        def is_under_way(part=part):
            return count(world) >= part * rows // 4

        until(is_under_way)
        process.kill()
        assert count(world) < rows, "it was too quick to be killed"
    last = feed(world, name)
    assert last.popen.wait(PATIENCE_SECONDS) == 0, last.said
    assert sorted(stored(world).values()) == [1] * rows
    world.settled(expected, bridge)
    assert world.regressions() == []


def test_a_webhook_does_not_wait_for_the_end_of_a_backfill(world, size):
    export(world, 1500 * size, 1)
    world.sandbox("--latency-ms", "50")
    bridge, url = world.serve(BRIDGE_DELIVERY_THREADS="2", METRONOME_MAX_CALLS_PER_SECOND="40")
    process = feed(world, "export.csv", "--queue", "20")

    def is_under_way():
        return count(world) >= 40

    until(is_under_way, process)
    assert post(url, customer_updated("evt_live", FIRST_SECOND, tier="live")).status_code == 200
    world.wait_for(ENTITY_ID, {"tier": "live", "name": "Acme"}, bridge)
    assert process.popen.poll() is None, process.said
    assert count(world) < 1500 * size


def test_a_backfill_that_is_stopped_says_how_to_go_on(world):
    """Nobody delivers, so it waits, and says for what."""
    rows, _ = export(world, 10, 50)
    for sign in (signal.SIGINT, signal.SIGTERM):
        process = feed(world)

        def waits(process=process):
            return "waiting until a running bridge" in process.said

        until(waits, process)
        process.popen.send_signal(sign)
        assert process.popen.wait(PATIENCE_SECONDS) == 1
        assert "stopped: the same command goes on" in process.said
        assert "Traceback" not in process.said
        assert 0 < count(world) < rows
    again = feed(world, "export.csv", "--queue", "0")
    assert again.popen.wait(PATIENCE_SECONDS) == 0
    assert sorted(stored(world).values()) == [1] * rows
