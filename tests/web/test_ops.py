"""The endpoints of a process that takes no webhooks."""

import threading

import pytest
import requests

from bridge.errors import OperatorError
from bridge.web import ops
from tests.support.postgres import free_port


@pytest.fixture
def serving(client):
    """Its URL."""
    stopping, servers = threading.Event(), []

    def begin(host="127.0.0.1", port=None):
        servers.append(ops.serve(client.bridge, host, port or free_port(), stopping))
        return f"http://{f'[{host}]' if ':' in host else host}:{servers[-1].server_port}"

    yield begin
    stopping.set()
    for server in servers:
        server.server_close()


def test_a_worker_can_be_asked_and_takes_no_webhooks(serving):
    url = serving()
    for path, status in {"/healthz": 200, "/readyz": 200, "/metrics": 200, "/webhooks/stripe": 404, "/x": 404}.items():
        assert requests.get(f"{url}{path}", timeout=30).status_code == status
    assert requests.get(f"{url}/readyz", timeout=30).json()["threads"]["ops"]["state"] == "alive"
    assert 'bridge_thread_up{thread="ops"} 1.0' in requests.get(f"{url}/metrics", timeout=30).text


def test_a_port_that_is_taken_is_named(serving):
    port = int(serving().rpartition(":")[2])
    with pytest.raises(OperatorError, match=f"BRIDGE_OPS_PORT: cannot listen on 127.0.0.1:{port}"):
        serving(port=port)


def test_it_listens_on_ipv6_too(serving):
    assert requests.get(f"{serving('::1')}/healthz", timeout=30).json() == {"status": "ok"}
