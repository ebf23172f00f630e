import threading
from types import SimpleNamespace

import pytest
import structlog
from structlog.testing import capture_logs

from bridge import bootstrap
from bridge.errors import StoreError
from bridge.pipeline import janitor as module
from bridge.pipeline.janitor import PAUSE_SECONDS, REST_SECONDS, STEP, Janitor
from bridge.store.retention import Pruned
from bridge.times import DAY
from tests.support.bridges import build
from tests.support.clock import Clock
from tests.support.making import ENTITY_ID, NOW, asking


class FakeRetention:
    """Prunes in the steps that a test lays out, one list a pass. An error in it is raised."""

    def __init__(self, *passes):
        self.passes = list(passes)
        self.asked = []
        self.taken = 0
        self.shrunk = 0
        self.small = True

    def prune(self, before, limit):
        self.asked.append((before, limit))
        for step in self.passes.pop(0) if self.passes else []:
            if isinstance(step, Exception):
                raise step
            self.taken += 1
            yield step

    def shrink_log(self):
        self.shrunk += 1
        return self.small


class FakeWait:
    """Writes down how long it was to wait, and says stop when it was asked often enough."""

    def __init__(self, stop_at=10**9):
        self.stop_at = stop_at
        self.waited = []

    def __call__(self, seconds):
        self.waited.append(seconds)
        return len(self.waited) >= self.stop_at


@pytest.fixture
def logged(monkeypatch):
    """What the janitor logs, whatever the level."""
    with capture_logs() as lines:
        monkeypatch.setattr(module, "log", structlog.wrap_logger(None, wrapper_class=structlog.stdlib.BoundLogger))
        yield lines


def janitor(retention, clock=None):
    return Janitor(retention, keep_for=90 * DAY, clock=clock or Clock())


def test_it_goes_round_every_minute_until_it_is_stopped():
    retention, wait = FakeRetention(), FakeWait(stop_at=4)
    janitor(retention).run(wait)
    assert wait.waited == [REST_SECONDS] * 4
    assert len(retention.asked) == 3


def test_what_is_older_than_the_retention_goes_by_the_clock_of_each_pass():
    retention, clock = FakeRetention(), Clock()
    ours = janitor(retention, clock)
    ours.clean(FakeWait())
    clock.advance(DAY)
    ours.clean(FakeWait())
    assert retention.asked == [(NOW - 90 * DAY, STEP), (NOW - 89 * DAY, STEP)]


def test_it_pauses_after_each_step_until_nothing_is_left():
    wait = FakeWait()
    janitor(FakeRetention([Pruned(200), Pruned(0), Pruned(3)])).clean(wait)
    assert wait.waited == [PAUSE_SECONDS] * 3


def test_a_stop_ends_a_pass_after_the_step_it_is_in():
    retention = FakeRetention([Pruned(200)] * 10)
    janitor(retention).run(FakeWait(stop_at=3))
    assert retention.taken == 2


def test_one_line_says_what_a_pass_removed(logged):
    janitor(FakeRetention([Pruned(200), Pruned(7), Pruned(0, 12)])).clean(FakeWait())
    assert logged == [{"event": "pruned", "log_level": "info", "events": 207, "attempts": 12}]


def test_each_pass_keeps_the_log_of_sqlite_small_and_says_if_that_fails(logged):
    retention = FakeRetention([Pruned()])
    janitor(retention).clean(FakeWait())
    assert (retention.shrunk, logged) == (1, [])
    retention.small = False
    Janitor(retention, keep_for=None, clock=Clock()).clean(FakeWait())
    assert retention.shrunk == 2
    assert [line["log_level"] for line in logged] == ["warning"]


def test_a_pass_that_removes_nothing_says_nothing(logged):
    janitor(FakeRetention([Pruned()])).clean(FakeWait())
    assert logged == []


@pytest.mark.parametrize("error", [StoreError("the database does not work"), ZeroDivisionError()], ids=type)
def test_what_fails_is_logged_and_tried_again_with_the_next_pass(logged, error):
    retention = FakeRetention([Pruned(200), error], [Pruned(5)])
    janitor(retention).run(FakeWait(stop_at=5))
    said = [(line["event"], line.get("events")) for line in logged]
    trouble = "store unavailable" if isinstance(error, StoreError) else "janitor failed"
    assert said == [(trouble, None), ("pruned", 200), ("pruned", 5)]


def test_a_pruned_event_that_is_sent_again_changes_nothing(pipeline):
    first, second = asking("evt_1", {"tier": "gold"}, NOW), asking("evt_2", {"tier": "silver"}, NOW + 1)
    pipeline.receive(first, second)
    pipeline.deliver()
    pipeline.clock.advance(91 * DAY)
    janitor(pipeline.store.retention, pipeline.clock).clean(FakeWait())
    assert pipeline.store.events.numbers() == []
    calls = len(pipeline.metronome.calls)
    for again in (second, first):
        pipeline.receive(again)
        pipeline.deliver()
    assert len(pipeline.metronome.calls) == calls
    assert pipeline.metronome.held == {ENTITY_ID: {"tier": "silver"}}
    assert (pipeline.state("evt_1"), pipeline.state("evt_2")) == ("superseded", "delivered")


@pytest.fixture
def build_worker(tmp_path, sqlite_template):
    """A worker as the bridge builds it, on a database of its own."""
    built = []

    def make(**environ):
        path = tmp_path / "bridge.db"
        path.write_bytes(sqlite_template.read_bytes())
        bridge = build(tmp_path, f"sqlite:///{path}", METRONOME_API_TOKEN="token", **environ)
        built.append(bridge)
        return bootstrap.build_worker(bridge)

    yield make
    for bridge in built:
        bridge.close()


def test_the_worker_runs_the_janitor_and_stops_it(build_worker):
    worker = build_worker(BRIDGE_RETENTION_DAYS="0.5")
    assert worker.janitor.keep_for == DAY // 2
    worker.start()
    assert "bridge-janitor" in [thread.name for thread in threading.enumerate()]
    assert worker.stop(20)
    assert "bridge-janitor" not in [thread.name for thread in threading.enumerate()]


def test_a_retention_of_0_keeps_everything(build_worker):
    worker = build_worker(BRIDGE_RETENTION_DAYS="0")
    assert worker.janitor.keep_for is None
    assert list(worker.janitor.prune()) == []


def test_events_are_kept_for_ninety_days_if_nobody_says_otherwise(build_worker):
    assert build_worker().janitor.keep_for == 90 * DAY


def test_a_clock_that_leads_makes_nothing_look_old(store, monkeypatch):
    monkeypatch.setattr(bootstrap, "now", lambda: NOW)
    janitor = bootstrap.build_janitor(SimpleNamespace(retention_days=90), store, lambda: NOW + 400 * DAY)
    assert janitor.clock() == NOW
    janitor = bootstrap.build_janitor(SimpleNamespace(retention_days=90), store, lambda: NOW - DAY)
    assert janitor.clock() == NOW - DAY
