"""The bridge is killed at each point where something begins, is about to be committed, or is done."""

import os

import pytest

from tests.faults.conftest import applied, failing, ids, introduce, only_in_ci, stored
from tests.faults.failpoints import FLAG, STEPS, moments
from tests.support.postgres import free_port
from tests.support.processes import PATIENCE_SECONDS, ours
from tests.support.sending import Sender, full_story

pytestmark = pytest.mark.slow

#: At home only the worst: between storing and answering, and between a call and its bookkeeping.
CHOSEN = tuple(STEPS) if os.environ.get("CI") else ("store", "settle")
ON_THE_WAY = [step for step in CHOSEN if step != "replay"]
#: What it takes to get there.
SETTINGS = {
    "gate": {"METRONOME_MAX_CALLS_PER_SECOND": "1000"},
    "prune": {"BRIDGE_RETENTION_DAYS": "0.00001"},
    "forget": {"BRIDGE_RETENTION_DAYS": "0.00001"},
}
REPLAY = ("replay", "--source", "stripe", "--yes")


@pytest.fixture
def points(request, database_url, tmp_path):
    """The points of one step, in the order in which they are reached, and the file that says that one was."""
    step, database = request.param, database_url.partition(":")[0]
    return [(f"{step}-{moment}", tmp_path / f"reached-{moment}") for moment in moments(step, database)]


def assert_crashed(process, flag):
    process.popen.wait(PATIENCE_SECONDS)
    assert flag.exists(), process.said


def assert_whole(world, told, *, pruned=False):
    """Nothing is lost, or there twice, or done by half, and no newer value gave way to an older one."""
    found = stored(world)
    assert set(found.values()) <= {1}
    assert pruned or set(found) == ids(told.events)
    assert all(rules == {"by id", "by alias"} for rules in applied(world).values())
    assert world.regressions("tier") == world.regressions("plan") == []


@pytest.mark.parametrize("points", ON_THE_WAY, indirect=True)
def test_crashes_one_after_the_other_lose_nothing_and_end_with_the_newest(full_world, points):
    """Whoever takes over from a process that was killed gets a little further, and is killed there."""
    told = full_story(customers=4, steps=4)
    introduce(full_world, told)
    port = str(free_port())
    sender = Sender(f"http://127.0.0.1:{port}", told.events, connections=4).start()
    for point, flag in points:
        settings = SETTINGS.get(point.split("-")[0], {})
        crashed = full_world.run(failing(point, "serve"), PORT=port, **settings, **{FLAG: str(flag)})
        assert_crashed(crashed, flag)
    running, _ = full_world.serve(PORT=port)
    sender.finish()
    full_world.settled(told.expected, running)
    assert_whole(full_world, told, pruned="BRIDGE_RETENTION_DAYS" in settings)


@only_in_ci
@pytest.mark.parametrize("points", ["replay"], indirect=True)
def test_crashes_of_a_replay_change_nothing_that_metronome_holds(full_world, points):
    told = full_story(customers=4, steps=4)
    introduce(full_world, told)
    running, url = full_world.serve()
    Sender(url, told.events).start().finish()
    for point, flag in points:
        assert_crashed(full_world.run(failing(point, *REPLAY), **{FLAG: str(flag)}), flag)
    again = full_world.run(ours(*REPLAY))
    assert again.popen.wait(PATIENCE_SECONDS) == 0, again.said
    full_world.settled(told.expected, running)
    assert_whole(full_world, told)
