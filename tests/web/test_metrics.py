"""What Prometheus gets, read by Prometheus' own parser."""

from types import SimpleNamespace

from prometheus_client.parser import text_string_to_metric_families

from bridge import bootstrap
from bridge.bootstrap import log_dating, now
from bridge.errors import StoreError
from bridge.gates import Cause, GateState
from bridge.mapping.documents import Problem
from bridge.mapping.files import Mappings
from bridge.model import Event
from bridge.pipeline.translate import translate
from bridge.times import HOUR, SECOND
from tests.support.making import NOW, event
from tests.support.stripe_events import customer_updated


def scraped(client):
    """Name and labels -> value."""
    response = client.get("/metrics")
    assert response.status_code == 200
    families = text_string_to_metric_families(response.text)
    return {(one.name, *sorted(one.labels.values())): one.value for family in families for one in family.samples}


def test_the_mappings_in_use_are_told_by_their_digests(client):
    digest = client.bridge.mappings.sources["stripe"].digest
    found = scraped(client)
    assert found["bridge_mapping_info", digest, "stripe"] == 1
    assert found["bridge_source_open", "stripe"] == 1
    assert found["bridge_mapping_problems", "stripe"] == 0


def test_a_source_without_its_secret_is_not_open(make_client):
    assert scraped(make_client(STRIPE_WEBHOOK_SECRET=""))["bridge_source_open", "stripe"] == 0


def test_files_that_are_refused_or_gone_can_be_alarmed_on(client):
    problems = (
        Problem("m/stripe.yaml", 1, 1, "no"),
        Problem("m/erp.yaml", 1, 1, "no"),
        Problem("m/erp.yaml", 2, 1, "no"),
    )
    client.bridge.live.mappings = Mappings(
        client.bridge.live.sources, problems, leaving={"stripe": 1_795_341_600_000_000}
    )
    found = scraped(client)
    assert (found["bridge_mapping_problems", "stripe"], found["bridge_mapping_problems", "erp"]) == (1, 2)
    assert found["bridge_source_stops_timestamp_seconds", "stripe"] == 1_795_341_600


def test_changes_that_are_dated_by_receipt_are_counted_over_all_processes(client, monkeypatch):
    lines = []
    monkeypatch.setattr(bootstrap, "log", SimpleNamespace(warning=lambda text, **given: lines.append((text, given))))
    store, sources = client.bridge.store, client.bridge.live.sources
    for name, ahead in (("evt_1", 0), ("evt_2", 9 * HOUR), ("evt_3", 9 * HOUR)):
        payload = {**customer_updated(), "id": name}
        store.events.add("stripe", [Event(name, "customer.updated", payload, now() + ahead)], {}, now())
        store.events.translate(lambda one: log_dating(one, translate(one, sources)), 1, now())
    assert [(text, given["number"]) for text, given in lines] == [("dated by receipt", 2), ("dated by receipt", 3)]
    assert scraped(client)["bridge_dated_by_receipt_total", "stripe"] == 2
    assert store.events.find()[0].reason.startswith("rule 'customer' was dated by receipt: its time lies ")


def test_the_queue_and_the_gate_are_told(client):
    client.bridge.store.events.add("stripe", [event("evt_1"), event("evt_2")], {}, NOW)
    found = scraped(client)
    assert found["bridge_events", "received"] == 2
    assert found["bridge_changes", "pending"] == 0
    assert (found["bridge_store_up",], found["bridge_gate_open",]) == (1, 1)
    closed = GateState(now() + 50 * SECOND, Cause.UNAUTHORIZED, "Metronome answered 401", width=1)
    client.bridge.store.gate.change(lambda _before, _now: (closed, None), now())
    assert scraped(client)["bridge_gate_open",] == 0


def test_a_store_that_is_away_is_told_and_nothing_is_made_up(client, monkeypatch):
    client.bridge.close()
    monkeypatch.setattr("bridge.web.metrics.of_store", away)
    found = scraped(client)
    assert found["bridge_store_up",] == 0
    assert not any(name.startswith("bridge_events") for name, *_ in found)


def away(_store):
    raise StoreError("the database does not work")
