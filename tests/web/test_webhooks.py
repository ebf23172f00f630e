import json

import pytest

from bridge.errors import StoreError
from bridge.model import EventState
from tests.support.bridges import STRIPE
from tests.support.stripe_events import customer_updated, signed

URL = "/webhooks/stripe"


def shape(response):
    """The one shape of errors: its code."""
    body = response.get_json()
    assert set(body) == {"error"}
    assert set(body["error"]) == {"code", "message", "request_id"}
    assert body["error"]["request_id"] == response.headers["X-Request-Id"]
    return body["error"]["code"]


def test_a_signed_event_is_acknowledged_and_stored(client):
    response = client.post(URL, **signed(customer_updated()))
    assert (response.status_code, response.data, response.content_type) == (200, b"{}", "application/json")
    (found,) = client.bridge.store.events.find()
    assert (found.event_id, found.state) == ("evt_1", EventState.RECEIVED)
    assert "stripe-signature" not in found.headers


def test_a_repeated_event_is_acknowledged_and_not_stored_again(client):
    for _ in range(3):
        assert client.post(URL, **signed(customer_updated())).status_code == 200
    assert len(client.bridge.store.events.find()) == 1


def test_an_event_that_no_rule_wants_is_acknowledged_and_kept(client):
    assert client.post(URL, **signed(customer_updated() | {"type": "invoice.paid"})).status_code == 200
    assert len(client.bridge.store.events.find()) == 1


def test_what_is_not_verified_is_refused_and_not_stored(client):
    response = client.post(URL, data=json.dumps(customer_updated()))
    assert (response.status_code, shape(response)) == (401, "not_verified")
    assert client.bridge.store.events.find() == []


def test_a_sender_that_waits_to_be_asked_is_asked(make_client):
    mapping = """
sender: basic
secrets: ["${STRIPE_WEBHOOK_SECRET}"]
options: {event_id: id, event_time: at}
rules: [{name: r, entity: customer, id: id, fields: {a: b}}]
"""
    client = make_client({"zuora": mapping}, STRIPE_WEBHOOK_SECRET="user:pass")
    response = client.post("/webhooks/zuora", data=b"{}")
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"].startswith("Basic realm=")
    assert client.post("/webhooks/zuora", json={"id": "1", "at": 1795341600}, auth=("user", "pass")).status_code == 200


def test_an_unknown_source_is_not_found(client):
    response = client.post("/webhooks/unknown", **signed(customer_updated()))
    assert (response.status_code, shape(response)) == (404, "not_found")


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
def test_other_methods_are_refused(client, method):
    response = client.open(URL, method=method)
    assert (response.status_code, shape(response)) == (405, "method_not_allowed")
    assert "POST" in response.headers["Allow"]


@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_a_vendor_that_looks_whether_the_url_exists_is_told_so(make_client, method):
    """https://developers.intercom.com/docs/webhooks/setting-up-webhooks: a HEAD request validates the URL.

    The secret may only be known afterwards.
    """
    for client in (make_client(), make_client(STRIPE_WEBHOOK_SECRET="")):
        response = client.open(URL, method=method)
        assert (response.status_code, response.data) == (200, b"")
        assert client.open("/webhooks/unknown", method=method).status_code == 404
        assert client.bridge.store.events.find() == []


def test_a_source_is_found_with_a_slash_at_its_end(client):
    assert client.post(f"{URL}/", **signed(customer_updated())).status_code == 200
    assert len(client.bridge.store.events.find()) == 1
    assert client.head(f"{URL}/").status_code == 200


@pytest.mark.parametrize(
    "path", ["/webhooks//stripe", "//webhooks/stripe", "/webhooks/", "/webhooks", "/webhooks/a/b", "/"]
)
@pytest.mark.parametrize("method", ["POST", "GET"])
def test_a_path_that_leads_nowhere_is_not_found_and_never_redirected(client, path, method):
    response = client.open(path, method=method, data=b"{}")
    assert (response.status_code, shape(response)) == (404, "not_found")


@pytest.mark.parametrize("coding", ["gzip", "br", "deflate, gzip"])
def test_a_compressed_body_is_refused_with_the_reason(client, coding):
    given = signed(customer_updated())
    given["headers"]["Content-Encoding"] = coding
    response = client.post(URL, **given)
    assert (response.status_code, shape(response)) == (415, "unsupported_media_type")
    assert "Content-Encoding" in response.get_json()["error"]["message"]
    given["headers"]["Content-Encoding"] = "identity"
    assert client.post(URL, **given).status_code == 200


def test_a_body_that_is_too_large_is_told_the_limit_and_its_setting(make_client):
    client = make_client(BRIDGE_MAX_BODY_BYTES="2048")
    response = client.post(URL, **signed(b"x" * 2049))
    assert (response.status_code, shape(response)) == (413, "request_entity_too_large")
    assert "2048" in response.get_json()["error"]["message"]
    assert "BRIDGE_MAX_BODY_BYTES" in response.get_json()["error"]["message"]


FORM = """
sender: none
options: {i_understand_anyone_can_post: true}
rules: [{name: r, entity: customer, id: id, fields: {a: b}}]
"""


@pytest.mark.parametrize("sent", [b"", b"id=1&tier=go", b'{"id": 1}'])
def test_a_body_shorter_than_announced_is_refused_whatever_its_sender_could_read_of_it(make_client, sent):
    """Half a form is a form: stored, the whole one would be dropped as its repeat."""
    client = make_client({"form": FORM})
    response = client.post("/webhooks/form", data=sent, environ_overrides={"CONTENT_LENGTH": str(len(sent) + 2)})
    assert (response.status_code, shape(response)) == (400, "incomplete_body")
    assert client.bridge.store.events.find() == []


def test_an_error_of_the_log_is_answered_503(client, monkeypatch):
    def fail(*_args, **_given):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("bridge.web.answers.log.error", fail, raising=False)
    monkeypatch.setattr("bridge.web.answers.tell", fail)
    response = client.post(URL, data=b"{}")
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "30"
    assert response.get_json()["error"]["code"] == "internal"


def test_a_source_without_its_secret_asks_to_come_back_later(make_client):
    client = make_client(STRIPE_WEBHOOK_SECRET="")
    response = client.post(URL, **signed(customer_updated()))
    assert (response.status_code, shape(response)) == (503, "source_closed")
    assert response.headers["Retry-After"] == "30"


def test_a_store_that_is_away_asks_to_come_back_later(client, monkeypatch):
    def fail(*_args, **_given):
        raise StoreError("the database does not work: OperationalError: disk full")

    monkeypatch.setattr(client.bridge.store.events, "add", fail)
    response = client.post(URL, **signed(customer_updated()))
    assert (response.status_code, shape(response)) == (503, "store_unavailable")
    assert response.headers["Retry-After"] == "30"
    assert "disk" not in response.text


def test_a_bug_asks_to_come_back_later_and_shows_nothing_of_itself(client, monkeypatch):
    def fail(*_args, **_given):
        raise ZeroDivisionError("whsec_test")

    monkeypatch.setattr(client.bridge.store.events, "add", fail)
    response = client.post(URL, **signed(customer_updated()))
    assert (response.status_code, shape(response)) == (503, "internal")
    assert response.headers["Retry-After"] == "30"
    assert "whsec" not in response.text
    assert "Zero" not in response.text


def test_a_request_id_is_kept_if_it_is_a_decent_one(client):
    given = signed(customer_updated())
    given["headers"]["X-Request-Id"] = "req-42.a:b"
    assert client.post(URL, **given).headers["X-Request-Id"] == "req-42.a:b"
    given["headers"]["X-Request-Id"] = "x" * 200
    assert len(client.post(URL, **given).headers["X-Request-Id"]) == 32
    assert client.bridge.store.events.find()[0].headers["x-request-id"] == "req-42.a:b"


def test_each_sender_gets_the_answer_that_it_waits_for(make_client):
    mapping = """
sender: salesforce
secrets: ["${STRIPE_WEBHOOK_SECRET}"]
rules: [{name: r, entity: customer, lookup: {salesforce_account_id: sObject.Id}, fields: {a: sObject.Name}}]
"""
    client = make_client({"salesforce": mapping}, STRIPE_WEBHOOK_SECRET="s")
    source = client.bridge.mappings.sources["salesforce"]
    body = source.sender.compose({"Id": "04l", "sObject": {"type": "Account", "Id": "001", "Name": "Acme"}})
    response = client.post("/webhooks/salesforce?secret=s", data=body, content_type="text/xml")
    assert response.status_code == 200
    assert response.content_type == "text/xml; charset=utf-8"
    assert b"<Ack>true</Ack>" in response.data
    assert response.headers["X-Content-Type-Options"] == "nosniff"


CAPTURING = STRIPE.replace("rules:", "on_unverified: {block}\nrules:")


@pytest.mark.parametrize(("block", "status"), [("capture", 401), ("{acknowledge: true}", 200)])
def test_while_a_source_is_set_up_what_is_refused_is_kept(make_client, block, status):
    client = make_client({"stripe": CAPTURING.replace("{block}", block)})
    response = client.post(URL, **signed(customer_updated(), secret="whsec_of-somebody-else"))
    assert response.status_code == status
    (kept,) = client.bridge.store.captures.find("stripe")
    assert "no signature matches" in kept.reason
    assert client.bridge.store.events.find() == []
    assert client.post(URL, **signed(customer_updated())).status_code == 200
    assert len(client.bridge.store.events.find()) == 1
