"""Behind a proxy that ends TLS, a sender that signs its URL is verified by the URL that it called."""

import json
import time

import pytest
import requests

from tests.conftest import missing
from tests.senders.vendors import hubspot_signature
from tests.support import nginx
from tests.support.postgres import free_port
from tests.support.processes import answers, until
from tests.support.tls_proxy import INNER_NAME, PUBLIC_NAME, tls_proxy

pytestmark = pytest.mark.slow

SECRET = "client-secret-of-the-app"
MAPPING = """
sender: hubspot
secrets: ["${HUBSPOT_CLIENT_SECRET}"]
rules:
  - name: company
    entity: customer
    lookup: {ingest_alias: objectId}
    occurred_at: occurredAt
    fields: {tier: properties.tier}
"""
PUBLIC_URL = f"https://{PUBLIC_NAME}"
#: As HubSpot calls it, and as it signs it: some characters decoded, others not.
CALLED = "/webhooks/hubspot?to=a%3Ab%2Fc%3fd&who=me%40home&text=x%20y%26z%3D1%253A"
SIGNED = "/webhooks/hubspot?to=a:b/c?d&who=me@home&text=x%20y%26z%3D1%253A"
CHANGE = {
    "eventId": 3181526859,
    "subscriptionId": 2881778,
    "portalId": 62515,
    "occurredAt": 1795341600123,
    "subscriptionType": "company.propertyChange",
    "attemptNumber": 0,
    "objectId": 13812345678,
    "propertyName": "tier",
    "propertyValue": "Gold für immer",
}


@pytest.fixture
def call(sqlite_world, tmp_path):
    """Posts a signed request through a proxy to a bridge with the given settings, and gives the answer."""
    (tmp_path / "mappings" / "hubspot.yaml").write_text(MAPPING)

    def call(signed_url, **environ):
        port = free_port()
        sqlite_world.serve(HUBSPOT_CLIENT_SECRET=SECRET, BRIDGE_DELIVERY="off", PORT=str(port), **environ)
        proxy = tls_proxy(tmp_path / "proxy", port)
        process = sqlite_world.run(proxy.command)

        def answered():
            try:
                return requests.get(f"{proxy.url}/readyz", verify=proxy.certificate, timeout=5).ok
            except requests.ConnectionError:
                return False

        until(answered, process)
        body, timestamp = json.dumps([CHANGE], ensure_ascii=False).encode(), str(time.time_ns() // 1_000_000)
        headers = {
            "Host": PUBLIC_NAME,
            "Content-Type": "application/json",
            "X-HubSpot-Request-Timestamp": timestamp,
            "X-HubSpot-Signature-v3": hubspot_signature("v3", SECRET, body, signed_url, milliseconds=timestamp),
        }
        return requests.post(proxy.url + CALLED, data=body, headers=headers, verify=proxy.certificate, timeout=30)

    return call


def stored(world):
    with world.store() as store:
        return [event.payload["properties"] for event in store.events.find()]


def test_the_public_url_that_was_signed_is_verified(call, sqlite_world):
    answer = call(PUBLIC_URL + SIGNED, BRIDGE_PUBLIC_URL=PUBLIC_URL)
    assert (answer.status_code, answer.content) == (200, b"{}")
    assert stored(sqlite_world) == [{"tier": "Gold für immer"}]


@pytest.mark.parametrize("environ", [{}, {"BRIDGE_PUBLIC_URL": f"https://{INNER_NAME}"}])
def test_without_the_public_url_the_same_request_is_refused(call, sqlite_world, environ):
    """The proxy tells the name in X-Forwarded-Host, as anybody could."""
    answer = call(PUBLIC_URL + SIGNED, **environ)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "not_verified")
    assert stored(sqlite_world) == []


def test_a_signature_for_the_name_inside_is_refused(call, sqlite_world):
    """What a bridge that believes the Host header would take for the URL."""
    answer = call(f"http://{INNER_NAME}{SIGNED}", BRIDGE_PUBLIC_URL=PUBLIC_URL)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "not_verified")
    assert stored(sqlite_world) == []


def test_the_proxy_of_the_docs_lets_in_webhooks_alone_and_hands_on_every_answer(sqlite_world, tmp_path):
    """A server that closes while nginx still sends would be a 502."""
    process, inner = sqlite_world.serve(BRIDGE_DELIVERY="off", BRIDGE_TRUSTED_PROXIES="127.0.0.1")
    port = free_port()
    try:
        proxy = sqlite_world.run(nginx.command(tmp_path / "nginx", port, [int(inner.rpartition(":")[2])]))
    except nginx.NoNginxError as error:
        missing(str(error))
    url = f"http://127.0.0.1:{port}"
    answers(f"{url}/webhooks/stripe", proxy)
    assert [requests.get(f"{url}/{path}", timeout=30).status_code for path in ("metrics", "readyz", "")] == [404] * 3
    for size in (2 << 20, 30 << 20):
        answer = requests.post(f"{url}/webhooks/stripe", data=b"x" * size, timeout=30)
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "request_entity_too_large")
    answer = requests.post(f"{url}/webhooks/x", data=b"x" * (30 << 20), timeout=30)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
    answer = requests.post(f"{url}/webhooks/stripe", data=b"{}", headers={"X-Forwarded-For": "203.0.113.7"}, timeout=30)
    assert answer.status_code == 401
    assert "address=203.0.113.7" in process.said
