"""What is counted in this process, and added up over all web processes when Prometheus asks.

`serve` gives each process a slot: files in memory that the next process in that slot continues, so that no counter
goes back when a process is killed, and the number of files stays the same. Without `serve` each process counts for
itself, unless PROMETHEUS_MULTIPROC_DIR is set: https://prometheus.github.io/client_python/multiprocess/
"""

from collections.abc import Mapping
from enum import StrEnum

from prometheus_client import CollectorRegistry, Counter, Gauge, multiprocess, values

from bridge.web.connection import Cut, State


class Outcome(StrEnum):
    """What became of a request to /webhooks/..."""

    STORED = "stored"
    #: Every event had come before.
    REPEAT = "repeat"
    #: Verified, and without an event.
    IGNORED = "ignored"
    HANDSHAKE = "handshake"
    #: HEAD or GET: a vendor looks whether the URL exists.
    SEEN = "seen"
    NOT_VERIFIED = "not_verified"
    #: Not verified, and answered as if it were, as the mapping file asks for.
    CAPTURED = "captured"
    NOT_THIS_SHAPE = "not_this_shape"
    #: The body ends early, or its chunks are broken.
    INCOMPLETE = "incomplete"
    COMPRESSED = "compressed"
    TOO_LARGE = "too_large"
    NOT_FOUND = "not_found"
    NOT_ALLOWED = "method_not_allowed"
    #: It is not HTTP as the server reads it: no source is known then.
    BAD_REQUEST = "bad_request"
    #: The source lacks its secret, or its mapping file cannot be used.
    CLOSED = "closed"
    #: The database does not answer.
    UNAVAILABLE = "unavailable"
    ERROR = "error"


def use_slot(slot: int) -> None:
    """Count in the files of this slot from now on. Call it before the first `Counters` of a process."""
    values.ValueClass = values.MultiProcessValue(lambda: slot)  # type: ignore[no-untyped-call]


class Counters:
    """Labels come from mapping files and enums alone: what a client sends never becomes one."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._webhooks = Counter(
            "bridge_webhooks",
            "Requests to /webhooks/ by source and outcome; an unknown path has an empty source.",
            ["source", "outcome"],
            registry=self.registry,
        )
        self._known: dict[tuple[str, Outcome], Counter] = {}
        self._cut = Counter(
            "bridge_connections_cut", "Connections that the server closed, by reason.", ["why"], registry=self.registry
        )
        self._connections = Gauge(
            "bridge_connections",
            "Open connections by state.",
            ["state"],
            registry=self.registry,
            multiprocess_mode="livesum",
        )
        for why in Cut:
            self._cut.labels(why)
        # What the last process in this slot had open is closed.
        self.connections({})

    def webhook(self, source: str, outcome: Outcome) -> None:
        found = self._known.get((source, outcome))
        if found is None:
            # Finding a series by its labels costs more than counting in it.
            found = self._known[source, outcome] = self._webhooks.labels(source, outcome)
        found.inc()

    def cut(self, why: Cut) -> None:
        self._cut.labels(why).inc()

    def connections(self, counted: Mapping[State, int]) -> None:
        for state in State:
            self._connections.labels(state).set(counted.get(state, 0))

    def of_all_processes(self) -> CollectorRegistry:
        """A registry to read from."""
        if not getattr(values.ValueClass, "_multiprocess", False):
            return self.registry
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return registry
