"""What becomes of webhooks and deliveries when log lines cannot be written."""

import shlex

import pytest
import requests

from tests.support.making import ENTITY_ID
from tests.support.postgres import free_port
from tests.support.processes import ours
from tests.support.stripe_events import customer_updated
from tests.whole.conftest import post

pytestmark = pytest.mark.slow

#: Where standard error goes: a full disk (ENOSPC), and a log collector that is gone (EPIPE).
GONE = ["2>/dev/full", "2> >(exec true)"]


def to(redirection, *command):
    return ["/bin/bash", "-c", f"exec {shlex.join(ours(*command))} {redirection}"]


def dropped(url):
    lines = requests.get(f"{url}/metrics", timeout=30).text.splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("bridge_log_lines_dropped_total "))


@pytest.mark.parametrize("redirection", GONE)
def test_a_bridge_that_cannot_log_takes_and_delivers_webhooks(sqlite_world, redirection):
    sqlite_world.sandbox()
    process, url = sqlite_world.serve(to(redirection, "serve"))
    assert requests.post(f"{url}/webhooks/stripe", json={}, timeout=30).status_code == 401
    for number in range(3):
        assert (
            post(url, customer_updated(f"evt_{number}", 1_795_341_600 + number, tier=f"gold-{number}")).status_code
            == 200
        )
    sqlite_world.wait_for(ENTITY_ID, {"tier": "gold-2", "name": "Acme"}, process)
    assert dropped(url) > 0
    assert requests.get(f"{url}/readyz", timeout=30).status_code == 200
    assert process.terminate() == 0


@pytest.mark.parametrize("redirection", GONE)
def test_a_worker_that_cannot_log_delivers_and_stops_as_it_should(sqlite_world, redirection):
    sqlite_world.sandbox()
    _, url = sqlite_world.serve(BRIDGE_DELIVERY="off")
    port = free_port()
    worker = sqlite_world.run(to(redirection, "worker"), BRIDGE_OPS_PORT=str(port))
    assert post(url, customer_updated(tier="gold")).status_code == 200
    sqlite_world.wait_for(ENTITY_ID, {"tier": "gold", "name": "Acme"}, worker)
    threads = requests.get(f"http://127.0.0.1:{port}/readyz", timeout=30).json()["threads"]
    assert threads["dispatcher"]["state"] == threads["ops"]["state"] == "alive"
    assert dropped(f"http://127.0.0.1:{port}") > 0
    assert worker.terminate() == 0
