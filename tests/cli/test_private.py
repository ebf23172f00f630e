"""Who can read the files that the bridge writes: all of them may hold payloads."""

import os
import stat

import pytest

from bridge import private
from bridge.model import Capture, Request
from bridge.store import open_store
from bridge.times import HOUR
from tests.support.making import NOW, event


@pytest.fixture(autouse=True)
def generous():
    """A umask that takes nothing away."""
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_every_file_of_sqlite_is_its_owners_alone(tmp_path):
    store = open_store(f"sqlite:///{tmp_path}/bridge.db", 2, HOUR)
    store.upgrade()
    store.events.add("stripe", [event()], {}, NOW)
    store.signal.wait(0.01)
    modes = {path.name: oct(mode(path)) for path in tmp_path.iterdir()}
    store.close()
    assert modes == dict.fromkeys(["bridge.db", "bridge.db-wal", "bridge.db-shm", "bridge.db.lock"], "0o600")


def test_a_database_that_is_there_keeps_the_mode_that_its_owner_gave_it(tmp_path):
    path = tmp_path / "bridge.db"
    path.touch()
    path.chmod(0o640)
    store = open_store(f"sqlite:///{path}", 2, HOUR)
    store.upgrade()
    store.close()
    assert mode(path) == 0o640


def test_a_file_that_is_written_over_becomes_private_and_a_device_stays_as_it_is(tmp_path):
    path = tmp_path / "old"
    path.write_text("longer than what follows")
    path.chmod(0o644)
    private.write(path, b"new")
    assert (path.read_bytes(), mode(path)) == (b"new", 0o600)
    private.write("/dev/null", b"new")


def test_a_capture_that_becomes_a_file_is_its_owners_alone(run, store, database_url, tmp_path):
    request = Request("POST", "/webhooks/stripe", {}, b"{}")
    store.captures.add(Capture("stripe", NOW, "no signature matches", (), request, is_whole=True), 20)
    number = store.captures.find("stripe")[0].id
    assert run("diagnose", "stripe", "--fixture", number, tmp_path / "x.http", DATABASE_URL=database_url).exit_code == 0
    assert mode(tmp_path / "x.http") == 0o600


def test_a_draft_with_an_example_is_its_owners_alone(run, put, tmp_path):
    put("event.json", '{"id": "evt_1", "type": "customer.updated", "data": {"object": {"email": "jane@acme.example"}}}')
    assert run("suggest", "event.json", "--sender", "hmac", "--all", "-o", "draft.yaml").exit_code == 0
    assert mode(tmp_path / "draft.yaml") == 0o600
