"""What holds back calls, shown and opened by an operator, on both databases."""

import json

import pytest

from bridge.bootstrap import now
from bridge.gates import Cause, Endpoint, GateState
from bridge.model import ChangeState, Wait
from bridge.store.entities import Mark, Settlement
from bridge.times import DAY, HOUR, SECOND
from tests.support.making import ENTITY_ID, asking, by_payload


@pytest.fixture
def breaker(run, store, database_url):
    return lambda *arguments, **given: run("breaker", *arguments, DATABASE_URL=database_url, COLUMNS="200", **given)


@pytest.fixture
def closed(store):
    """Everything is closed, and one entity waits for a permission."""
    state = GateState(now() + 50 * SECOND, Cause.LIMITED, "asked to wait 365 days", closings=3, width=1)
    store.gate.change(lambda *_: (state, None), now())
    store.endpoint_gates.change(Endpoint.CONTRACTS, lambda *_: (state, None), now())
    store.events.add("stripe", [asking("evt_1", {"tier": "gold"}, now())], {}, now())
    store.events.translate(by_payload, 10, now())
    (claim,) = store.entities.claim("ours", 1, now(), now() + HOUR)
    (change,) = store.entities.load(claim, now()).changes
    parked = {change.id: Mark(ChangeState.PARKED, "no permission", now() + HOUR)}
    told = {"error": "no permission for setValues", "waits_for": Wait.PERMISSION}
    store.entities.settle(claim, Settlement(states=parked, retry_at=now() + HOUR, tries=3, **told), now())
    return store


def test_open_gates_are_nothing_to_show(breaker):
    result = breaker("show")
    assert (result.exit_code, result.output) == (0, "all gates are open, and nothing waits\n")


def test_closed_gates_and_what_waits_are_shown_with_the_reason(breaker, closed):
    result = breaker("show")
    assert result.exit_code == 1
    for said in ("all calls: closed", "POST /v2/contracts/list: closed", "asked to wait 365 days", "no permission for"):
        assert said in result.output
    found = json.loads(breaker("show", "--format", "json").output)
    assert set(found["gates"]) == {"all calls", "POST /v2/contracts/list"}
    assert found["waiting"]["permission"] == {"count": 1, "reason": "no permission for setValues"}


def test_an_operator_opens_the_gates_and_what_waits_is_tried_at_once(breaker, closed):
    assert breaker("open", "--yes").exit_code == 0
    seen = closed.glance(now())
    assert seen.gates.all == GateState(next_call_at=seen.gates.all.next_call_at)
    assert seen.gates.endpoints == {}
    (claim,) = closed.entities.claim("ours", 1, now(), now() + HOUR)
    assert claim.entity_id == ENTITY_ID
    assert len(closed.entities.load(claim, now()).changes) == 1


def test_nothing_is_opened_unless_the_operator_agrees(breaker, closed):
    assert breaker("open", answer="n\n").exit_code == 1
    assert not closed.gate.state().is_wide_open


def test_waits_that_come_from_a_clock_that_was_ahead_are_corrected(store):
    store.events.add("stripe", [asking("evt_1", {"tier": "gold"}, now())], {}, now())
    store.events.translate(by_payload, 10, now())
    (claim,) = store.entities.claim("ours", 1, now() + DAY, now() + 2 * DAY)
    assert store.backlog.correct(now()) == 1
    assert store.entities.claim("theirs", 1, now() + 1, now() + SECOND)
    store.entities.settle(claim, Settlement(), now())
    (claim,) = store.entities.claim("ours", 1, now() + SECOND, now() + 2 * SECOND)
    store.entities.settle(claim, Settlement(retry_at=now() + 2 * DAY, tries=1), now())
    assert store.glance(now()).entity_due > now() + DAY
    assert store.backlog.correct(now()) == 1
    assert store.glance(now()).entity_due <= now()
