from bridge.bootstrap import now
from bridge.errors import StoreError
from bridge.mapping.documents import Problem
from bridge.mapping.files import Mappings
from bridge.model import Cause, GateState
from bridge.times import HOUR


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
    closed = GateState(now() + HOUR, Cause.UNAUTHORIZED, "Metronome answered 401", width=1)
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
