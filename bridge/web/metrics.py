"""GET /metrics: what Prometheus may want to watch, as it is at that moment, and what the web processes have counted.

It does not matter which of them answers: what they count is added up, and everything else is in the database.
"""

from collections.abc import Iterator

import structlog
from flask import Blueprint, Response, current_app
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from bridge.bootstrap import Bridge, now
from bridge.errors import StoreError
from bridge.mapping.files import Mappings
from bridge.store import Store
from bridge.web import parts

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
    gate = store.gate.state()
    is_open = GaugeMetricFamily(
        "bridge_gate_open", "Whether calls to Metronome may be made.", 1 if gate.is_open(now()) else 0
    )
    yield from (events, changes, is_open)
