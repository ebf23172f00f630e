"""What /metrics tells of the process that answers: its threads, and the log lines that it could not write."""

from collections.abc import Iterator

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric

from bridge import logs
from bridge.supervisor import State, Supervisor


def of_process(supervisor: Supervisor) -> Iterator[Metric]:
    age = GaugeMetricFamily(
        "bridge_thread_heartbeat_age_seconds",
        "Since the last heartbeat of a thread of this process or, while it is busy, since it took its job.",
        labels=["thread"],
    )
    works = GaugeMetricFamily("bridge_thread_up", "Whether a thread of this process works.", labels=["thread"])
    restarts = CounterMetricFamily(
        "bridge_thread_restarts", "How often a thread of this process ended and was started again.", labels=["thread"]
    )
    pulses = supervisor.pulses()
    for pulse in pulses:
        age.add_metric([pulse.name], pulse.age)
        works.add_metric([pulse.name], pulse.state.works)
        restarts.add_metric([pulse.name], pulse.restarts)
    stuck = sum(pulse.state is State.STUCK for pulse in pulses)
    yield from (age, works, restarts)
    yield GaugeMetricFamily(
        "bridge_delivery_threads_stuck",
        "Delivery threads of this process that are busy for longer than a lease.",
        stuck,
    )
    yield CounterMetricFamily(
        "bridge_log_lines_dropped",
        "Log lines that this process could not write: a full disk, or no reader.",
        logs.dropped(),
    )
