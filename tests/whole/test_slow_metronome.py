"""A Metronome that never finishes an answer, as `serve` sees it."""

import time

import pytest

from tests.support.processes import until
from tests.support.stripe_events import ENTITY_ID, customer_updated
from tests.whole.conftest import post

pytestmark = pytest.mark.slow

TIMEOUTS = {"METRONOME_CONNECT_TIMEOUT_SECONDS": "1", "METRONOME_TIMEOUT_SECONDS": "2"}
#: Both timeouts, the second it takes to stop everything else, and the patience of a loaded machine.
GENEROUS = 15


def test_calls_that_do_not_end_by_themselves_are_made_again_and_hold_up_no_stop(sqlite_world):
    sqlite_world.sandbox()
    faults = ["drip_head", "endless_head", "interim", "endless_body", "close", "reset"]
    rules = [{"fault": fault, "pace_ms": 50, "times": 1} for fault in faults]
    page = {"status": 200, "body": "<html>log in</html>", "times": 1}
    blocked = {"status": 403, "body": "<html>firewall</html>", "times": 1}
    moved = {"status": 307, "headers": {"Location": "http://169.254.169.254/"}, "times": 1}
    sqlite_world.control(rules=[*rules, page, blocked, moved])
    process, url = sqlite_world.serve(**TIMEOUTS)
    assert post(url, customer_updated(tier="gold")).status_code == 200
    sqlite_world.wait_for(ENTITY_ID, {"tier": "gold", "name": "Acme"}, process)
    assert [rule["hits"] for rule in sqlite_world.dump()["rules"]] == [1] * 9

    sqlite_world.control(rules=[{"fault": "drip_head", "pace_ms": 50}])
    assert post(url, customer_updated("evt_2", tier="silver", created=1_795_341_601)).status_code == 200
    until(lambda: sqlite_world.dump()["rules"][0]["hits"], process)
    began = time.monotonic()
    assert process.terminate() == 0
    assert time.monotonic() - began < GENEROUS
