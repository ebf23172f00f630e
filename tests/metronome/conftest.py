"""Servers and clients that are gone when a test ends, and an environment that says nothing about networks."""

import os
from contextlib import ExitStack

import pytest

from bridge.metronome.client import Client
from bridge.times import SECOND
from tests.metronome.server import serving

#: 2026-11-22T10:00:00Z
NOW = 1_795_341_600 * SECOND
TOKEN = "token-nobody-may-see"


@pytest.fixture(autouse=True)
def plain_network(monkeypatch, tmp_path):
    """No proxies, certificates or ~/.netrc of whoever runs the tests."""
    for name in os.environ:
        if name.lower().endswith("_proxy") or name in {"REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NETRC"}:
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.fixture
def serve():
    """Starts a server with a script of answers; the last one is repeated."""
    with ExitStack() as stack:
        yield lambda *script, context=None: stack.enter_context(serving(*script, context=context))


@pytest.fixture
def connect():
    """Makes a client; what this thread opened for it is closed."""
    made = []

    def make(url, *, token=TOKEN, timeout_seconds=10.0, clock=lambda: NOW):
        limits = {"connect_timeout_seconds": timeout_seconds, "timeout_seconds": timeout_seconds}
        client = Client(url, token, **limits, clock=clock)
        made.append(client)
        return client

    yield make
    for client in made:
        client.session().close()
