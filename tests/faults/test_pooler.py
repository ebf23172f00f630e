"""Real processes behind a real pgbouncer in transaction mode."""

import pytest

from tests.conftest import missing
from tests.support.pgbouncer import NoPgbouncerError, pgbouncer
from tests.support.processes import ours
from tests.support.sending import Sender, story

pytestmark = [pytest.mark.slow, pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)]


@pytest.fixture
def pooled_world(world, shared_sandbox, database_url):
    """A bridge whose database is behind a pgbouncer with four sessions."""
    try:
        with pgbouncer(database_url, "transaction") as url:
            world.environ |= {"METRONOME_BASE_URL": shared_sandbox, "DATABASE_URL": url}
            yield world
    except NoPgbouncerError as error:
        missing(str(error))


def test_hundreds_of_webhooks_are_taken_and_delivered_behind_a_pooler(pooled_world, size):
    told = story(customers=60 * size, steps=5)
    process, url = pooled_world.serve(WEB_CONCURRENCY="2", BRIDGE_DATABASE_POOLER="transaction")
    sender = Sender(url, told.events, connections=16).start()
    sender.finish()
    assert sender.refusals == []
    pooled_world.settled(told.expected, process)
    assert pooled_world.regressions() == []
    assert "store unavailable" not in process.said


def test_a_pooler_that_is_not_named_stops_the_start_with_the_setting_to_set(pooled_world):
    process = pooled_world.run(ours("serve"))
    assert process.popen.wait(60) == 3
    assert "set BRIDGE_DATABASE_POOLER=transaction" in process.said
