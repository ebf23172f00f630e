"""GET /metrics: what Prometheus may want to watch, as it is at that moment, and what the web processes have counted.

It does not matter which of them answers: what they count is added up, and everything else is in the database.
"""

from collections.abc import Iterator

import structlog
from flask import Blueprint, Response, current_app
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from bridge.bootstrap import Bridge, now
from bridge.errors import StoreError
from bridge.gates import Endpoint, GateState
from bridge.mapping.files import Mappings
from bridge.model import Wait
from bridge.store import Store
from bridge.store.counters import DATED_BY_RECEIPT
from bridge.web import parts
from bridge.web.vitals import of_process

log = structlog.get_logger()
blueprint = Blueprint("metrics", __name__)


@blueprint.get("/metrics")
def metrics() -> Response:
    registry = CollectorRegistry()
    registry.register(Figures(current_app.extensions["bridge"]))
    text = generate_latest(registry) + generate_latest(parts.counters().of_all_processes())
    return Response(text, content_type=CONTENT_TYPE_LATEST)


class Figures(Collector):
    def __init__(self, bridge: Bridge) -> None:
        self.bridge = bridge

    def collect(self) -> Iterator[Metric]:
        yield from of_mappings(self.bridge.mappings)
        yield from of_process(self.bridge.supervisor)
        up = GaugeMetricFamily("bridge_store_up", "Whether the database answers.")
        try:
            found = list(of_store(self.bridge.store))
        except StoreError as error:
            log.warning("store unavailable", path="/metrics", error=str(error))
            found = []
        up.add_metric([], 1 if found else 0)
        yield up
        yield from found


def of_mappings(mappings: Mappings) -> Iterator[Metric]:
    """What this process uses: replicas that differ in a digest have not all taken up the same files."""
    used = InfoMetricFamily("bridge_mapping", "The mapping files in use.", labels=["source"])
    is_open = GaugeMetricFamily("bridge_source_open", "Whether a source takes webhooks.", labels=["source"])
    leaves = GaugeMetricFamily(
        "bridge_source_stops_timestamp_seconds", "When a source stops whose mapping file is gone.", labels=["source"]
    )
    refused = GaugeMetricFamily(
        "bridge_mapping_problems", "Errors in a mapping file that is not used as it is.", labels=["source"]
    )
    for name, source in mappings.sources.items():
        used.add_metric([name], {"digest": source.digest})
        is_open.add_metric([name], 0 if source.unset else 1)
        refused.add_metric([name], len(mappings.refused.get(name, ())))
    for name, problems in mappings.refused.items():
        if name not in mappings.sources:
            refused.add_metric([name], len(problems))
    for name, until in mappings.leaving.items():
        leaves.add_metric([name], until / 1e6)
    yield from (used, is_open, refused, leaves)


def of_store(store: Store) -> Iterator[Metric]:
    """Raises StoreError."""
    events = GaugeMetricFamily("bridge_events", "Events by state: at most 500 are counted.", labels=["state"])
    for event_state, count in store.events.counts().items():
        events.add_metric([event_state], count)
    changes = GaugeMetricFamily("bridge_changes", "Changes by state: at most 500 are counted.", labels=["state"])
    for change_state, count in store.changes.counts().items():
        changes.add_metric([change_state], count)
    dated = CounterMetricFamily(
        "bridge_dated_by_receipt",
        "Changes whose own time lies in the future, so that it was not used.",
        labels=["source"],
    )
    for source, number in sorted(store.counters.of(DATED_BY_RECEIPT).items()):
        dated.add_metric([source], number)
    yield from (events, changes, dated)
    yield from of_gates(store)


def of_gates(store: Store) -> Iterator[Metric]:
    """Raises StoreError."""
    at = now()
    yield GaugeMetricFamily(
        "bridge_gate_open", "Whether calls to Metronome may be made.", 1 if store.gate.state().is_open(at) else 0
    )
    states = store.endpoint_gates.states()
    endpoints = GaugeMetricFamily(
        "bridge_endpoint_gate_open", "Whether calls of one endpoint of Metronome may be made.", labels=["endpoint"]
    )
    for endpoint in Endpoint:
        endpoints.add_metric([endpoint], 1 if states.get(endpoint, GateState()).is_open(at) else 0)
    waiting = GaugeMetricFamily(
        "bridge_waiting",
        "Entities and lookups that wait for something else than time: at most 500 of each are counted.",
        labels=["for"],
    )
    counts = store.backlog.waiting()
    for what in Wait:
        waiting.add_metric([what], counts.get(what, 0))
    yield from (endpoints, waiting)
