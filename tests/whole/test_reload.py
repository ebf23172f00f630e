"""Mapping files are changed under running processes."""

import os
import re
import signal
from pathlib import Path

import pytest
import requests

from tests.support.bridges import STRIPE
from tests.support.making import ENTITY_ID
from tests.support.processes import ours, until
from tests.support.stripe_events import customer_updated
from tests.whole.conftest import post

pytestmark = pytest.mark.slow

UPPER = STRIPE.replace("tier: data.object.metadata.tier", "tier: upper(data.object.metadata.tier)")


def children(parent):
    """The processes that a process has started."""
    return [int(one) for one in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]


def catches(process, number):
    (caught,) = re.findall(r"SigCgt:\s*(\w+)", Path(f"/proc/{process}/status").read_text())
    return bool(int(caught, 16) >> (number - 1) & 1)


def listens(child):
    """Whether a process that gunicorn has forked has its own handlers, and no longer the master's."""
    return catches(child, signal.SIGHUP) and not catches(child, signal.SIGCHLD)


def ready(url):
    return requests.get(f"{url}/readyz", timeout=10).json()


def test_a_changed_file_is_taken_up_by_web_and_worker_processes(sqlite_world):
    world = sqlite_world
    assert UPPER != STRIPE
    world.sandbox()
    worker = world.run(ours("worker"), BRIDGE_RELOAD_SECONDS="0.05")
    web, url = world.serve(BRIDGE_DELIVERY="off", BRIDGE_RELOAD_SECONDS="0.05")
    before = ready(url)["digest"]

    def delivers():
        return "delivers to" in worker.said

    until(delivers, worker)
    (world.folder / "mappings" / "stripe.yaml").write_text(UPPER)

    def taken_up():
        return ready(url)["digest"] != before and "mapping taken up" in worker.said

    until(taken_up, web)
    assert post(url, customer_updated(tier="gold")).status_code == 200
    world.wait_for(ENTITY_ID, {"tier": "GOLD", "name": "Acme"}, worker)
    with world.store() as store:
        (change,) = store.changes.of_event(1)
        assert change.digest == ready(url)["mappings"]["stripe"]["digest"]


def test_on_sighup_every_process_looks_at_once_and_none_ends(sqlite_world):
    world = sqlite_world
    world.sandbox()
    worker = world.run(ours("worker"), BRIDGE_RELOAD_SECONDS="0")
    web, url = world.serve(BRIDGE_DELIVERY="off", BRIDGE_RELOAD_SECONDS="0", WEB_CONCURRENCY="2")

    def all_listen():
        return sum(map(listens, children(web.popen.pid))) == 2 and catches(worker.popen.pid, signal.SIGHUP)

    until(all_listen, worker)
    before = ready(url)["digest"]
    (world.folder / "mappings" / "stripe.yaml").write_text(UPPER)
    for process in (web, worker):
        process.popen.send_signal(signal.SIGHUP)

    def all_have_it():
        seen = {ready(url)["digest"] for _ in range(20)}
        return before not in seen and "mapping taken up" in worker.said

    until(all_have_it, web)
    assert "was sent SIGHUP" not in web.said
    assert post(url, customer_updated(tier="gold")).status_code == 200
    world.wait_for(ENTITY_ID, {"tier": "GOLD", "name": "Acme"}, worker)
    assert (web.terminate(), worker.terminate()) == (0, 0)


def test_a_broken_file_stops_nothing_not_even_when_a_process_has_to_be_replaced(sqlite_world):
    world = sqlite_world
    world.sandbox()
    erp = world.folder / "mappings" / "erp.yaml"
    erp.write_text(STRIPE)
    process, url = world.serve(BRIDGE_RELOAD_SECONDS="0.05")
    erp.write_text("sender: [")

    def refused():
        return ready(url)["mappings"]["erp"].get("refused")

    assert "erp.yaml:1:" in until(refused, process)[0]
    assert ready(url)["mappings"]["erp"]["state"] == "open"
    # The master stays; it starts another process, which has never seen a good file.
    (child,) = children(process.popen.pid)
    os.kill(child, signal.SIGKILL)

    def replaced():
        try:
            return child not in children(process.popen.pid) and ready(url)["mappings"]["erp"]["state"] == "refused"
        except requests.RequestException:
            return False

    until(replaced, process)
    assert post(url, customer_updated(tier="gold")).status_code == 200
    world.wait_for(ENTITY_ID, {"tier": "gold", "name": "Acme"}, process)
    answer = requests.post(f"{url}/webhooks/erp", data=b"{}", timeout=10)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "source_closed")
