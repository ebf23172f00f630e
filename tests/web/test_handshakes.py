"""What vendors want to read before they send any event, through the whole application."""

import pytest

from tests.support.stripe_events import SECRET

GRAPH = """
sender: microsoft-graph
secrets: ["${STRIPE_WEBHOOK_SECRET}"]
rules: [{name: r, entity: customer, lookup: {ingest_alias: resourceData.id}, fields: {a: changeType}}]
"""
TOKEN = """
sender: token
secrets: ["${STRIPE_WEBHOOK_SECRET}"]
rules: [{name: r, entity: customer, id: a, fields: {a: b}}]
"""
URL = "/webhooks/graph"
#: As Graph sends it, and as it wants to read it.
SENT, READ = "Validation%3A+Testing%20client+application", "Validation: Testing client application"


@pytest.fixture
def graph(make_client):
    return make_client({"graph": GRAPH, "other": TOKEN})


def test_the_token_of_a_new_subscription_is_answered_as_plain_text_and_not_stored(graph):
    response = graph.post(f"{URL}?validationToken={SENT}", content_type="text/plain; charset=utf-8")
    assert (response.status_code, response.text) == (200, READ)
    assert response.mimetype == "text/plain"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert graph.bridge.store.events.find() == []


@pytest.mark.parametrize("body", [b"", b"{}", b"<html>", b'{"value": []}'])
def test_whatever_comes_with_the_token_is_not_looked_at(graph, body):
    assert graph.post(f"{URL}?validationToken=abc", data=body).text == "abc"
    assert graph.bridge.store.events.find() == []


def test_a_token_that_looks_like_a_page_is_plain_text_all_the_same(graph):
    response = graph.post(f"{URL}?validationToken=%3Cscript%3Ealert(1)%3C%2Fscript%3E")
    assert response.headers["Content-Type"].startswith("text/plain")
    assert response.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "token", ["", "x" * 2049, "a%0D%0ASet-Cookie%3A+x", "a%00", "%c3%a9", "%ff", "a%09b", "%E2%80%AE"]
)
def test_a_token_that_graph_would_not_send_is_refused_and_not_repeated(graph, token):
    response = graph.post(f"{URL}?validationToken={token}")
    assert (response.status_code, response.get_json()["error"]["code"]) == (400, "not_this_shape")
    assert "x" * 100 not in response.text
    assert "Set-Cookie" not in response.headers


def test_the_longest_token_is_answered(graph):
    assert graph.post(f"{URL}?validationToken={'x' * 2048}").text == "x" * 2048


@pytest.mark.parametrize("url", ["/webhooks/nobody", "/webhooks/other", "/healthz", "/webhooks/"])
def test_nobody_else_answers_a_token(graph, url):
    response = graph.post(f"{url}?validationToken=abcdef")
    assert response.status_code in (401, 404, 405)
    assert "abcdef" not in response.text


def test_a_source_without_its_secret_answers_no_token(make_client):
    client = make_client({"graph": GRAPH}, STRIPE_WEBHOOK_SECRET="")
    response = client.post(f"{URL}?validationToken=abcdef")
    assert response.status_code == 503
    assert "abcdef" not in response.text


def test_a_token_is_repeated_to_post_alone(graph):
    response = graph.get(f"{URL}?validationToken=abcdef")
    assert (response.status_code, response.data) == (200, b"")


def test_notifications_need_their_client_state_and_are_answered_at_once(graph):
    notification = {"subscriptionId": "s", "changeType": "updated", "resource": "groups/1", "resourceData": {"id": "1"}}
    response = graph.post(URL, json={"value": [{**notification, "clientState": "guessed"}]})
    assert (response.status_code, response.get_json()["error"]["code"]) == (401, "not_verified")
    assert graph.bridge.store.events.find() == []
    response = graph.post(URL, json={"value": [{**notification, "clientState": SECRET}]})
    assert (response.status_code, response.data) == (200, b"{}")
    [event] = graph.bridge.store.events.find()
    assert event.event_type == "resource.updated"
    assert SECRET not in str(event.payload)


def test_one_wrong_client_state_does_not_cost_the_others_and_leaves_nothing_of_itself(graph):
    notification = {"subscriptionId": "s", "changeType": "updated", "resource": "groups/1", "resourceData": {"id": "1"}}
    good = [{**notification, "id": number, "clientState": SECRET} for number in ("n-1", "n-2")]
    forged = {**notification, "id": "n-3", "clientState": "guessed", "resource": "groups/forged"}
    response = graph.post(URL, json={"value": [good[0], forged, good[1]]})
    assert response.status_code == 200
    found = {event.event_type: event for event in graph.bridge.store.events.find()}
    assert len(graph.bridge.store.events.find()) == 3
    assert found["unreadable"].payload is None
    assert "forged" not in str(graph.bridge.store.events.find())
