"""Drift end to end: real processes, a value changed behind our back, and the running bridge that puts it right."""

import subprocess

import pytest
import requests

from tests.support.making import ENTITY_ID
from tests.support.processes import ours
from tests.support.stripe_events import customer_updated
from tests.whole.conftest import post

pytestmark = pytest.mark.slow


def command(world, *arguments):
    given = {"env": world.environ, "cwd": world.folder, "capture_output": True, "text": True}
    return subprocess.run(ours(*arguments), check=False, **given)


def test_a_value_that_was_changed_behind_our_back_is_found_and_put_right_by_the_running_bridge(world):
    world.sandbox("--enforce-keys")
    assert command(world, "keys", "plan").returncode == 1
    assert command(world, "keys", "apply", "--yes").returncode == 0
    assert command(world, "keys", "plan").returncode == 0
    world.control(customers=[{"name": "Acme", "id": ENTITY_ID}])
    process, url = world.serve()
    post(url, customer_updated("evt_1", 1_795_341_600, tier="gold"))
    written = {"tier": "gold", "name": "Acme"}
    world.wait_for(ENTITY_ID, written, process)
    world.settled({ENTITY_ID: written}, process)
    assert command(world, "drift").returncode == 0
    meddle(world, tier="by hand", coupon="SUMMER")
    found = command(world, "drift", "--details")
    assert found.returncode == 1
    assert "1 key of 1 entity" in found.stdout, found
    assert "stripe evt_1" in found.stdout
    repaired = command(world, "drift", "--repair", "--yes")
    assert repaired.returncode == 0, repaired
    world.wait_for(ENTITY_ID, {**written, "coupon": "SUMMER"}, process)
    world.settled({ENTITY_ID: {**written, "coupon": "SUMMER"}}, process)


def meddle(world, **values):
    """As somebody else, with a token of theirs."""
    body = {"entity": "customer", "entity_id": ENTITY_ID, "custom_fields": values}
    headers = {"Authorization": f"Bearer {world.environ['METRONOME_API_TOKEN']}"}
    url = f"{world.environ['METRONOME_BASE_URL']}/v1/customFields/setValues"
    assert requests.post(url, json=body, headers=headers, timeout=10).ok
