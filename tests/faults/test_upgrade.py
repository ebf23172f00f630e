"""The tables are upgraded while the version before runs, under load, and replicas of both versions run side by side."""

import io
import subprocess
import tarfile
import uuid

import psycopg
import pytest

from tests.conftest import ROOT, missing
from tests.support.making import ENTITY_ID
from tests.support.nginx import NoNginxError
from tests.support.processes import PATIENCE_SECONDS, ending, ours
from tests.support.replicas import Load, Replicas
from tests.support.stripe_events import customer_updated
from tests.support.world import World
from tests.whole.conftest import post

pytestmark = pytest.mark.slow


def git(*arguments):
    """What git says. Skips the test where there is no git, or no such history."""
    try:
        return subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("the version before is in git's history, and here is none")


@pytest.fixture(scope="session")
def before(tmp_path_factory):
    """What makes a process one of the version before the newest migration."""
    newest = max((ROOT / "bridge/store/migrations/versions").glob("*.py"))
    commit = git("log", "--diff-filter=A", "--format=%H", "-1", "--", str(newest)).decode().strip()
    if not commit:
        pytest.skip(f"{newest.name} is not committed yet")
    folder = tmp_path_factory.mktemp("before")
    with tarfile.open(fileobj=io.BytesIO(git("archive", f"{commit}^", "bridge"))) as archive:
        archive.extractall(folder, filter="data")
    return {"PYTHONPATH": str(folder)}


@pytest.fixture
def old_world(tmp_path, postgres, before):
    """A database as the version before makes it."""
    name = f"bridge_{uuid.uuid4().hex}"
    with psycopg.connect(f"{postgres}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        made = World(tmp_path, f"{postgres}/{name}")
        with ending(made.processes):
            assert finished(made.run(ours("upgrade"), **before)) == 0
            yield made
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def finished(process):
    """Its exit code, once it has ended by itself."""
    return process.popen.wait(PATIENCE_SECONDS)


def test_an_upgrade_under_load_loses_nothing_while_both_versions_run(old_world, before):
    old_world.sandbox("--latency-ms", "20")
    try:
        replicas = Replicas(old_world, places=2)
    except NoNginxError as error:
        missing(str(error))
    old_worker = replicas.add_worker(**before)
    replicas.add_web(0, **before)
    with Load(replicas.url) as load:
        load.goes_on()
        upgrade = old_world.run(ours("upgrade"))
        assert finished(upgrade) == 0, upgrade.said
        assert "now (before: " in upgrade.said
        load.goes_on()
        new_worker = replicas.add_worker()
        replicas.add_web(1)
        load.goes_on()
        assert replicas.webs[0].terminate() == 0
        assert old_worker.terminate() == 0
        load.goes_on()
    old_world.settled(load.expected, new_worker)
    with old_world.store() as store:
        assert sorted(event.event_id for event in store.events.find(limit=100_000)) == sorted(set(load.acknowledged))
    assert set(load.refusals) <= {503}
    assert old_world.regressions() == []


@pytest.mark.parametrize("command", ["serve", "worker"])
def test_the_new_version_does_not_start_on_old_tables_and_says_what_to_do(old_world, command):
    process = old_world.run(ours(command))
    assert finished(process) != 0
    assert "run `metronome-bridge upgrade`" in process.said


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_the_old_version_starts_and_delivers_on_new_tables(world, before):
    world.sandbox()
    process, url = world.serve(**before)
    assert post(url, customer_updated(tier="gold")).ok
    world.wait_for(ENTITY_ID, {"tier": "gold", "name": "Acme"}, process)
    assert process.terminate() == 0
