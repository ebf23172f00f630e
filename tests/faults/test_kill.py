"""Everything is killed in the middle of its work, and started again."""

import pytest

from tests.support.processes import until
from tests.support.sending import Sender, story

pytestmark = pytest.mark.slow


def test_kill_9_of_everything_at_half_loses_nothing_and_ends_with_the_newest(world, size):
    told = story(customers=20 * size, steps=5)
    world.sandbox("--latency-ms", "20")
    process, url = world.serve(
        WEB_CONCURRENCY="2", METRONOME_TIMEOUT_SECONDS="1", METRONOME_CONNECT_TIMEOUT_SECONDS="1"
    )
    port = url.rsplit(":", 1)[1]
    sender = Sender(url, told.events).start()

    def half():
        return len(sender.acknowledged) >= len(told.events) / 2

    until(half, process)
    process.kill()
    again, _ = world.serve(METRONOME_TIMEOUT_SECONDS="1", METRONOME_CONNECT_TIMEOUT_SECONDS="1", PORT=port)
    sender.finish()
    world.settled(told.expected, again)
    assert None in sender.refusals
    assert world.regressions() == []
