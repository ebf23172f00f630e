import itertools
import threading
from contextlib import nullcontext
from types import SimpleNamespace

import pytest

from bridge import bootstrap
from bridge.bootstrap import now
from bridge.errors import StoreError
from bridge.gates import Cause, Endpoint, GateState
from bridge.mapping.documents import Problem
from bridge.mapping.files import Mappings
from bridge.model import Wait
from bridge.store.entities import Settlement
from bridge.times import SECOND
from tests.support.making import asking, by_payload
from tests.web.test_metrics import scraped


def test_a_live_process_says_so_even_if_its_store_is_away(client):
    client.bridge.close()
    assert client.get("/healthz").get_json() == {"status": "ok"}


def test_a_bridge_that_can_take_webhooks_is_ready(client):
    response = client.get("/readyz")
    assert response.status_code == 200
    body = response.get_json()
    assert (body["status"], body["store"], body["gate"]) == ("ready", "ok", {"state": "open"})
    assert body["mappings"]["stripe"]["state"] == "open"
    assert body["mappings"]["stripe"]["digest"] == client.bridge.mappings.sources["stripe"].digest


def test_a_bridge_whose_store_is_away_is_not_ready(client, monkeypatch):
    def fail(_database):
        raise StoreError("password=hunter2")

    monkeypatch.setattr("bridge.store.check", fail)
    response = client.get("/readyz")
    assert (response.status_code, response.get_json()["status"]) == (503, "not ready")
    assert "hunter2" not in response.text


def test_a_closed_gate_is_shown_and_does_not_stop_webhooks(client):
    closed = GateState(now() + 50 * SECOND, Cause.UNAUTHORIZED, "Metronome answered 401", width=1)
    client.bridge.store.gate.change(lambda _before, _now: (closed, None), now())
    response = client.get("/readyz")
    assert response.status_code == 200
    gate = response.get_json()["gate"]
    assert (gate["state"], gate["cause"], gate["reason"]) == ("closed", "token refused", "Metronome answered 401")


def test_a_source_without_its_secret_is_shown_as_closed(make_client):
    body = make_client(STRIPE_WEBHOOK_SECRET="").get("/readyz").get_json()
    assert body["mappings"]["stripe"]["state"] == "closed"
    assert body["mappings"]["stripe"]["unset"] == ["STRIPE_WEBHOOK_SECRET"]


def test_unknown_paths_have_the_one_error_shape(client):
    response = client.get("/nowhere")
    assert response.status_code == 404
    assert response.get_json()["error"]["code"] == "not_found"


def test_a_file_that_cannot_be_used_is_shown_beside_what_is_in_use(client):
    problem = Problem("mappings/stripe.yaml", 3, 1, "no key 'rule'")
    other = Problem("mappings/erp.yaml", 1, 1, "the file is empty")
    client.bridge.live.mappings = Mappings(client.bridge.live.sources, (problem, other))
    body = client.get("/readyz").get_json()
    assert body["mappings"]["stripe"]["state"] == "open"
    assert body["mappings"]["stripe"]["refused"] == ["mappings/stripe.yaml:3:1: no key 'rule'"]
    assert body["mappings"]["erp"]["state"] == "refused"
    assert body["digest"] == client.bridge.mappings.digest


def test_a_source_whose_file_is_gone_is_shown_to_stop_and_when(client):
    client.bridge.live.mappings = Mappings(client.bridge.live.sources, (), leaving={"stripe": 1_795_341_600_000_000})
    shown = client.get("/readyz").get_json()["mappings"]["stripe"]
    assert (shown["state"], shown["until"]) == ("leaving", "2026-11-22T10:00:00.000000Z")


def test_a_source_whose_file_was_never_good_asks_senders_to_come_back(client):
    client.bridge.live.mappings = Mappings({}, (Problem("mappings/erp.yaml", 1, 1, "the file is empty"),))
    response = client.post("/webhooks/erp", data=b"{}")
    assert (response.status_code, response.get_json()["error"]["code"]) == (503, "source_closed")
    assert client.post("/webhooks/crm", data=b"{}").status_code == 404


@pytest.fixture
def clock(client, monkeypatch):
    """The clock of heartbeats, which stands until it is set."""
    made = SimpleNamespace(now=bootstrap.steady())
    monkeypatch.setattr(client.bridge.supervisor, "clock", lambda: made.now)
    return made


@pytest.fixture
def hanging(client):
    """Starts threads that wait: in their loop, or with a job that they took."""
    free, stopping = threading.Event(), threading.Event()
    supervisor = client.bridge.supervisor

    def hang(name, *, lease=None):
        begun = threading.Event()

        def loop():
            with supervisor.busy() if lease else nullcontext():
                begun.set()
                free.wait()

        kind = name.partition("-")[0]
        supervisor.start(name, loop, stopping, longest_pause=1, kind=kind, lease=lease)
        assert begun.wait(30)

    yield hang
    stopping.set()
    free.set()


def test_a_process_with_a_thread_that_hangs_asks_to_be_restarted(client, clock, hanging):
    hanging("janitor")
    assert client.get("/healthz").status_code == 200
    clock.now += 61 * SECOND
    response = client.get("/healthz")
    assert response.status_code == 503
    assert response.get_json() == {"status": "stuck", "threads": {"janitor": 61.0}}
    assert client.get("/readyz").status_code == 200


def test_a_process_whose_dispatcher_hangs_is_not_ready(client, clock, hanging):
    hanging("dispatcher")
    assert client.get("/readyz").get_json()["threads"]["dispatcher"]["state"] == "alive"
    clock.now += 61 * SECOND
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.get_json()["delivery"] == "no thread works: dispatcher"


def test_a_process_is_ready_while_one_delivery_thread_works(client, clock, hanging):
    hanging("delivery-1", lease=30)
    clock.now += 31 * SECOND
    hanging("delivery-2", lease=30)
    assert client.get("/readyz").status_code == 200
    assert scraped(client)["bridge_delivery_threads_stuck",] == 1
    clock.now += 31 * SECOND
    response = client.get("/readyz")
    assert (response.status_code, response.get_json()["delivery"]) == (503, "no thread works: delivery")
    assert client.get("/healthz").status_code == 200
    found = scraped(client)
    assert found["bridge_delivery_threads_stuck",] == 2
    assert found["bridge_thread_heartbeat_age_seconds", "delivery-1"] == 62
    assert found["bridge_thread_up", "delivery-1"] == 0


def test_heartbeats_go_on_while_the_store_is_away(make_client, monkeypatch):
    """A database that is away must not have processes restarted."""
    client = make_client(METRONOME_API_TOKEN="token", BRIDGE_DELIVERY_THREADS="2")
    bridge = client.bridge
    beats = []
    enough = threading.Event()

    def away():
        beats.append(bridge.supervisor.hearts["dispatcher"].beat_at)
        if len(beats) == 3:
            enough.set()
        raise StoreError("away")

    monkeypatch.setattr("bridge.pipeline.worker.STORE_PAUSE_SECONDS", 0.001)
    worker = bootstrap.build_worker(bridge)
    monkeypatch.setattr(worker, "step", away)
    clock = itertools.count(0, SECOND)
    monkeypatch.setattr(bridge.supervisor, "clock", lambda: next(clock))
    worker.start()
    try:
        assert enough.wait(30)
    finally:
        assert worker.stop(30)
    assert beats == sorted(set(beats))


def test_threads_of_a_bridge_that_delivers_are_all_supervised(make_client):
    client = make_client(METRONOME_API_TOKEN="token", BRIDGE_DELIVERY_THREADS="2")
    bridge = client.bridge
    reloader = bootstrap.build_reloader(bridge, delivers=True)
    worker = bootstrap.build_worker(bridge)
    reloader.start()
    worker.start()
    bridge.store.signal.announce()
    try:
        shown = set(client.get("/readyz").get_json()["threads"])
        ours = {thread.name for thread in threading.enumerate() if thread.name.startswith("bridge-")}
        assert {f"bridge-{name}" for name in shown} == ours
        assert {"dispatcher", "delivery-1", "delivery-2", "janitor", "reloader"} <= shown
    finally:
        reloader.stop()
        assert worker.stop(30)


def test_a_closed_endpoint_and_a_missing_permission_are_shown(client):
    store = client.bridge.store
    closed = GateState(now() + 50 * SECOND, Cause.FORBIDDEN, "Metronome answered 403", width=1)
    store.endpoint_gates.change(Endpoint.CONTRACTS, lambda *_: (closed, None), now())
    store.events.add("stripe", [asking("evt_1", {"tier": "gold"})], {}, now())
    store.events.translate(by_payload, 1, now())
    (claim,) = store.entities.claim("ours", 1, now(), now() + SECOND)
    told = {"error": "no permission", "waits_for": Wait.PERMISSION}
    store.entities.settle(claim, Settlement(retry_at=now() + SECOND, **told), now())
    body = client.get("/readyz").get_json()
    assert body["gate"] == {"state": "open"}
    assert body["endpoints"]["POST /v2/contracts/list"]["cause"] == "permission missing"
    assert body["waiting"] == {"permission": {"count": 1, "reason": "no permission"}}
    found = scraped(client)
    assert (found["bridge_endpoint_gate_open", "contracts"], found["bridge_endpoint_gate_open", "setValues"]) == (0, 1)
    assert (found["bridge_waiting", "permission"], found["bridge_waiting", "rate limit"]) == (1, 0)
