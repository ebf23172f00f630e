"""A running process and its mapping files: what it takes up, what it says, and events that came too early for it."""

import pytest
import structlog
from structlog.testing import capture_logs

from bridge.mapping.live import Folder, Live
from bridge.model import EventState
from bridge.pipeline import reload as module
from bridge.pipeline.reload import Reloader, adopt
from bridge.pipeline.translate import translate
from bridge.times import MINUTE
from tests.mapping.making import SECRETS
from tests.support.making import NOW, event

TEXT = """\
sender: stripe
secrets: ["${SECRET}"]
rules:
  - {name: r, entity: customer, id: id, fields: {tier: tier}}
"""


class Clock:
    def __init__(self):
        self.now = NOW

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def adopted():
    return []


@pytest.fixture
def reloader(tmp_path, clock, adopted):
    folder = tmp_path / "mappings"
    folder.mkdir()
    (folder / "stripe.yaml").write_text(TEXT)
    watched = Folder(folder, SECRETS.get)
    return Reloader(
        Live(watched.load()),
        watched,
        clock=clock,
        every_seconds=0,
        grace=MINUTE,
        adopt=adopted.append,
    )


@pytest.fixture
def lines(monkeypatch):
    """What is logged."""
    with capture_logs() as said:
        monkeypatch.setattr(module, "log", structlog.wrap_logger(None, wrapper_class=structlog.stdlib.BoundLogger))
        yield said


def test_what_became_of_a_file_is_said_with_its_digest_and_its_problems(reloader, lines):
    (reloader.folder.path / "crm.yaml").write_text(TEXT)
    (reloader.folder.path / "stripe.yaml").write_text(TEXT.replace("sender: stripe", "sender: strip"))
    reloader.look(at_once=True)
    taken, refused = lines
    assert (taken["event"], taken["source"], taken["log_level"]) == ("mapping taken up", "crm", "info")
    assert taken["digest"] == reloader.live.sources["crm"].digest
    assert (refused["event"], refused["source"], refused["log_level"]) == ("mapping refused", "stripe", "error")
    assert "did you mean 'stripe'?" in refused["problems"][0]


def test_a_source_that_loses_its_file_is_said_to_stop_and_when(reloader, clock, lines):
    (reloader.folder.path / "crm.yaml").write_text(TEXT)
    reloader.look(at_once=True)
    lines.clear()
    (reloader.folder.path / "crm.yaml").unlink()
    reloader.look(at_once=True)
    clock.now += MINUTE
    reloader.look()
    assert [line["event"] for line in lines] == [
        "mapping file gone: its source stops",
        "source stopped: it has no mapping file",
    ]
    assert lines[0]["until"].startswith("2026-")


def test_an_unreadable_folder_is_said_once_and_changes_nothing(reloader, lines):
    (reloader.folder.path / "stripe.yaml").unlink()
    reloader.folder.path.rmdir()
    reloader.look()
    reloader.look()
    assert [line["event"] for line in lines] == ["mappings unreadable: those in use stay"]
    assert "stripe" in reloader.live.sources


def test_sources_that_are_new_to_the_process_are_taken_up(reloader, adopted):
    (reloader.folder.path / "crm.yaml").write_text(TEXT)
    (reloader.folder.path / "stripe.yaml").write_text(TEXT.replace("name: r", "name: other"))
    reloader.look(at_once=True)
    assert adopted == [["crm"]]


def test_events_that_came_before_their_mapping_are_translated_once_it_is_there(store, reloader):
    """Replicas get a new file at different times: one stores the first event, another may translate it too early."""
    early = event("evt_early", payload={"id": "99594816-e8a5-4bca-be21-8d1de0f45120", "tier": "gold"})
    store.events.add("crm", [early], {}, NOW)
    store.events.translate(lambda found: translate(found, reloader.live.sources), 10, NOW)
    assert store.events.counts()[EventState.FAILED] == 1
    (reloader.folder.path / "crm.yaml").write_text(TEXT)
    reloader.look(at_once=True)
    assert adopt(store, ["stripe", "crm"]) == 1
    store.events.translate(lambda found: translate(found, reloader.live.sources), 10, NOW)
    (found,) = store.events.find(source="crm")
    assert (found.state, found.digest) == (EventState.TRANSLATED, reloader.live.sources["crm"].digest)
    assert adopt(store, ["stripe", "crm"]) == 0


def test_events_that_failed_for_another_reason_are_left_to_their_operator(store, reloader):
    store.events.add("stripe", [event("evt_1", payload={"tier": "gold"})], {}, NOW)
    store.events.translate(lambda found: translate(found, reloader.live.sources), 10, NOW)
    assert adopt(store, ["stripe"]) == 0
    assert store.events.counts()[EventState.FAILED] == 1


def test_a_change_remembers_the_mapping_that_made_it(store, reloader):
    path = reloader.folder.path / "stripe.yaml"
    given = {"id": "99594816-e8a5-4bca-be21-8d1de0f45120", "tier": "gold", "plan": "pro"}
    store.events.add("stripe", [event("evt_1", payload=given)], {}, NOW)
    digests = []
    for text in (TEXT, TEXT.replace("tier: tier", "tier: plan")):
        path.write_text(text)
        reloader.look(at_once=True)
        digests.append(reloader.live.sources["stripe"].digest)
        (found,) = store.events.find(source="stripe")
        store.events.replay([found.id])
        store.events.translate(lambda one: translate(one, reloader.live.sources), 10, NOW)
    assert [change.digest for change in store.changes.of_event(found.id)] == digests
    assert digests[0] != digests[1]
