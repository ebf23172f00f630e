"""What is odd about Microsoft Graph: https://learn.microsoft.com/graph/change-notifications-delivery-webhooks

Its handshake is tested through the application: tests/web/test_handshakes.py.
"""

import json
from typing import Any

import pytest

from bridge.errors import NotThisShapeError, NotVerifiedError
from bridge.mapping.compiler import compile_source
from bridge.model import Event, Request
from bridge.senders import SENDERS
from bridge.times import SECOND

GRAPH = SENDERS["microsoft-graph"]
STATE = "a-state-of-ours"
NOW = 1795341600 * SECOND
NOTIFICATION = {
    "changeType": "updated",
    "clientState": STATE,
    "resource": "Groups/f0a5993b",
    "resourceData": {"@odata.type": "#Microsoft.Graph.Group", "id": "f0a5993b"},
    "subscriptionId": "7f105c7d",
    "tenantId": "84bd8158",
}


def unwrap(*notifications: Any, secrets: tuple[str, ...] = (STATE,), now: int = NOW) -> list[Event]:
    return GRAPH.unwrap(Request("POST", "/", {}, json.dumps({"value": notifications}).encode()), secrets, now)


def event(now: int = NOW, **changed: Any) -> Event:
    [found] = unwrap({**NOTIFICATION, **changed}, now=now)
    return found


def of_resource(**data: Any) -> dict[str, Any]:
    return {"resourceData": {**NOTIFICATION["resourceData"], **data}}


@pytest.mark.parametrize(
    "state", [None, "", "a-state-of-others", STATE.upper(), f"{STATE} ", [STATE], {"a": STATE}, 7, True]
)
def test_a_wrong_client_state_is_refused(state):
    with pytest.raises(NotVerifiedError, match="clientState"):
        event(clientState=state)


def test_an_empty_client_state_is_no_secret():
    for secrets in ((), ("",)):
        with pytest.raises(NotVerifiedError):
            unwrap({**NOTIFICATION, "clientState": ""}, secrets=secrets)


@pytest.mark.parametrize("notifications", [(), (7,), (None,), ([],), ("x",), ({},)])
def test_without_one_good_notification_the_request_is_refused(notifications):
    with pytest.raises(NotVerifiedError):
        unwrap(*notifications)


def test_one_wrong_client_state_does_not_cost_the_others():
    """Graph may send what several apps and tenants subscribed to in one request."""
    forged = {**NOTIFICATION, "clientState": "guessed", "resource": "Groups/forged", "id": "jane-4711"}
    first, dropped, last = unwrap(NOTIFICATION, forged, {**NOTIFICATION, "id": "2"})
    assert (first.problem, last.problem) == (None, None)
    assert dropped == Event(dropped.event_id, "unreadable", None, None, dropped.problem)
    assert dropped.problem == "value.1 does not have the configured clientState: it was not kept"
    assert "jane" not in dropped.event_id


def test_what_was_dropped_is_reported_once_however_often_it_comes():
    forged = {**NOTIFICATION, "clientState": "guessed"}
    reports = [unwrap(NOTIFICATION, forged, now=NOW + number)[1] for number in range(3)]
    assert len({report.event_id for report in reports}) == 1


def test_subscriptions_may_have_different_client_states():
    events = unwrap(NOTIFICATION, {**NOTIFICATION, "clientState": "another"}, secrets=(STATE, "another"))
    assert [one.problem for one in events] == [None, None]


@pytest.mark.parametrize("changed", [{}, {"changeType": 7.5}, {"subscriptionId": None}])
def test_the_client_state_is_not_kept(changed):
    """It is a password."""
    found = event(**changed)
    assert "clientState" not in found.payload
    assert STATE not in str(found)


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        ({}, "group.updated"),
        ({"changeType": "deleted"}, "group.deleted"),
        (of_resource(**{"@odata.type": "#microsoft.graph.chatMessage"}), "chatMessage.updated"),
        (of_resource(**{"@odata.type": "User"}), "user.updated"),
        (of_resource(**{"@odata.type": None}), "resource.updated"),
        ({"resourceData": None}, "resource.updated"),
        ({"resourceData": "x"}, "resource.updated"),
        ({"lifecycleEvent": "missed"}, "lifecycle.missed"),
        ({"lifecycleEvent": "subscriptionRemoved", "changeType": None}, "lifecycle.subscriptionRemoved"),
    ],
)
def test_the_type_is_that_of_the_resource_and_of_the_change(changed, name):
    assert event(**changed).event_type == name


@pytest.mark.parametrize(
    "changed",
    [
        {"id": "n-1"},
        of_resource(**{"@odata.etag": 'W/"1"'}),
        of_resource(sequenceNumber=636784480202455800),
        of_resource(eventTime="2026-11-22T09:00:00Z"),
    ],
)
def test_another_attempt_is_the_same_event_and_another_version_is_not(changed):
    renewed = {**changed, "subscriptionExpirationDateTime": "2026-12-01T00:00:00Z"}
    assert event(**changed).event_id == event(NOW + SECOND, **renewed).event_id
    other = {"id": "n-2"} if "id" in changed else of_resource(**{"@odata.etag": 'W/"2"'})
    assert event(**changed).event_id != event(**other).event_id
    assert event(**changed).event_id != event(**changed, subscriptionId="other").event_id


def test_changes_without_an_id_or_a_version_are_events_of_their_own():
    """The second change of a group may be all but the first one's repeat."""
    events = [*unwrap(NOTIFICATION, NOTIFICATION), *unwrap(NOTIFICATION, now=NOW + 1)]
    assert len({one.event_id for one in events}) == 3


@pytest.mark.parametrize(
    ("given", "found"),
    [("2026-11-22T10:00:00.0000000Z", NOW), ("2026-11-22T12:00:00+02:00", NOW), (None, None), (7, None)],
)
def test_a_time_is_that_of_the_resource_if_it_has_one(given, found):
    """The expiration of the subscription is none."""
    assert event(**of_resource(eventTime=given)).occurred_at == found


def test_a_time_that_is_none_is_kept_as_unreadable():
    assert (
        event(**of_resource(eventTime="soon")).problem
        == "resourceData.eventTime is not an ISO 8601 date or time, such as 2026-11-22 or 2026-11-22T10:00:00Z"
    )


@pytest.mark.parametrize("body", [b"[]", b"{}", b"null", b'{"value": {}}', b'{"value": null}', b"<xml>", b""])
def test_a_body_without_a_list_of_notifications_is_refused(body):
    with pytest.raises(NotThisShapeError):
        GRAPH.unwrap(Request("POST", "/", {}, body), [STATE], NOW)


def test_lint_warns_of_content_that_graph_does_not_send():
    text = """
sender: microsoft-graph
secrets: ["${SECRET}"]
rules:
  - name: r
    entity: customer
    lookup: {ingest_alias: resourceData.id}
    fields:
      type: resourceData."@odata.type"
      name: resourceData.displayName
      tier: extensions.tier
"""
    _, problems = compile_source("graph", "graph.yaml", text, lambda _: "secret")
    warned = [problem for problem in problems if "sends no" in problem.message]
    assert [problem.line for problem in warned] == [10, 11]
    assert "microsoft-graph sends no resourceData.displayName" in warned[0].message
