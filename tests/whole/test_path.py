"""The whole path over real HTTP, through real processes, on both databases."""

import itertools
import random
import sys
from pathlib import Path

import pytest
import requests

from tests.support.making import ENTITY_ID
from tests.support.processes import ours, until
from tests.support.stripe_events import customer_updated, signed
from tests.whole.conftest import post

pytestmark = pytest.mark.slow


def test_a_signed_webhook_becomes_custom_field_values(world):
    world.sandbox()
    process, url = world.serve()
    assert post(url, customer_updated(tier="gold")).status_code == 200
    world.wait_for(ENTITY_ID, {"tier": "gold", "name": "Acme"}, process)
    assert "gold" not in process.said
    assert "token-of-the-test" not in process.said


def test_shuffled_and_repeated_events_end_in_the_newest_value(world):
    world.sandbox("--latency-ms", "5")
    process, url = world.serve(WEB_CONCURRENCY="2")
    ids = [f"{number:08x}{ENTITY_ID[8:]}" for number in range(5)]
    events = [
        customer_updated(f"evt_{number}_{step}", 1_795_341_600 + step, metronome_id=one, tier=str(step))
        for step, (number, one) in itertools.product(range(12), enumerate(ids))
    ]
    sequence = events + random.sample(events, 10)
    random.shuffle(sequence)
    for event in sequence:
        assert post(url, event).status_code == 200
    for one in ids:
        world.wait_for(one, {"tier": "11", "name": "Acme"}, process)


def test_web_and_worker_processes_share_the_work_through_the_database(world):
    world.sandbox()
    worker = world.run(ours("worker"))
    web, url = world.serve(BRIDGE_DELIVERY="off")
    assert post(url, customer_updated(tier="gold")).status_code == 200
    world.wait_for(ENTITY_ID, {"tier": "gold", "name": "Acme"}, worker)
    assert worker.terminate() == 0
    post(url, customer_updated("evt_2", 1_795_341_700, tier="silver"))
    second = world.run(ours("worker"))
    world.wait_for(ENTITY_ID, {"tier": "silver", "name": "Acme"}, second)
    assert web.terminate() == 0


@pytest.mark.parametrize(
    "options", [(), ("--worker-class", "bridge.web.server.Worker", "--threads", "32")], ids=["sync", "ours"]
)
def test_plain_gunicorn_serves_and_delivers(world, options):
    world.sandbox()
    command = [sys.executable, "-m", "gunicorn", "--no-control-socket", *options, "wsgi:app"]
    process, url = world.serve(command)
    assert post(url, customer_updated(tier="gold")).status_code == 200
    world.wait_for(ENTITY_ID, {"tier": "gold", "name": "Acme"}, process)
    assert process.terminate() == 0


def connected(port):
    """Whether anybody has a connection to a local port: https://www.kernel.org/doc/html/latest/networking/proc_net_tcp.html"""
    established, lines = "01", Path("/proc/net/tcp").read_text().splitlines()[1:]
    remotes = ((line.split()[2], line.split()[3]) for line in lines)
    return any(remote.endswith(f":{port:04X}") and state == established for remote, state in remotes)


def test_a_stop_finishes_the_call_in_flight(world):
    """A slow call is under way when the order to stop comes: its outcome is remembered, and it is not made again."""
    sandbox = world.sandbox("--latency-ms", "1500")
    process, url = world.serve()
    post(url, customer_updated(tier="gold"))

    def in_flight():
        return connected(int(sandbox.rsplit(":", 1)[1]))

    until(in_flight, process)
    assert process.terminate() == 0
    assert world.held(ENTITY_ID) == {"tier": "gold", "name": "Acme"}
    again, _ = world.serve()
    assert again.terminate() == 0
    assert len(world.dump()["calls"]) == 1


def test_a_body_that_is_too_large_is_answered_413_over_http(sqlite_world):
    sqlite_world.sandbox()
    _, url = sqlite_world.serve()
    given = signed(b'{"x": "' + b"y" * (10 << 20) + b'"}')
    assert requests.post(f"{url}/webhooks/stripe", **given, timeout=30).status_code == 413
    given["data"] = iter([given["data"]])
    assert requests.post(f"{url}/webhooks/stripe", **given, timeout=30).status_code == 413
    given = signed(customer_updated("evt_in_chunks"))
    given["data"] = iter([given["data"][:10], given["data"][10:]])
    assert requests.post(f"{url}/webhooks/stripe", **given, timeout=30).status_code == 200
    assert post(url, customer_updated()).status_code == 200
