"""Servers and clients that are gone when a test ends, and an environment that says nothing about networks."""

import os
import subprocess
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


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """Makes a self-signed certificate for a name; gives its file and its key's."""

    def make(name):
        folder = tmp_path_factory.mktemp("certificate")
        certificate, key = folder / "certificate.pem", folder / "key.pem"
        command = ["openssl", "req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
        command += ["-subj", "/CN=metronome", "-addext", f"subjectAltName={name}", "-days", "2"]
        command += ["-out", str(certificate), "-keyout", str(key)]
        subprocess.run(command, check=True, capture_output=True)
        return certificate, key

    return make
