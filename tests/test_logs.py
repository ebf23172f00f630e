"""What log lines hold, and what they must not."""

import io
import sys

import pytest
import structlog

from bridge import logs
from bridge.errors import StoreError
from bridge.store import open_store
from bridge.times import HOUR
from tests.support.making import NOW, event

SECRET = "whsec_live_abc"
EMAIL = "jane@acme.example"


@pytest.fixture(params=["text", "json"])
def written(request, monkeypatch):
    """What has been logged since."""
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    logs.configure(request.param, "info")
    yield stream.getvalue
    structlog.reset_defaults()


def fail(secret):
    return len(secret) / 0


def test_an_exception_is_logged_without_what_variables_held(written):
    try:
        fail(SECRET)
    except ZeroDivisionError:
        structlog.get_logger().exception("unexpected")
    assert "ZeroDivisionError" in written()
    assert SECRET not in written()


def test_what_the_database_does_not_take_is_logged_without_it(written, tmp_path):
    store = open_store(f"sqlite:///{tmp_path}/no-tables.db", 2, HOUR)
    told = event(payload={"email": EMAIL})
    try:
        store.events.add("stripe", [told], {}, NOW)
    except StoreError:
        structlog.get_logger().exception("unexpected")
    store.close()
    assert "no such table" in written()
    assert EMAIL not in written()
