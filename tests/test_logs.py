"""What log lines hold, and what they must not."""

import io
import os
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


def test_text_from_outside_does_nothing_to_a_terminal(written):
    structlog.get_logger().error("refused", reason="\x1b]0;owned\x07\x9b2J\u202e", path="/\x1b[2J", found=["\x1b[2J"])
    line = written().rstrip("\n")
    assert not set(line) & set("\x1b\x07\x9b\u202e\n")
    assert "\\u009b2J\\u202e" in line


@pytest.mark.parametrize("odd", ["\ud800", 1 << 70, {1: 2}, float("nan")])
def test_a_value_that_json_cannot_hold_is_logged_all_the_same(written, odd):
    structlog.get_logger().error("unexpected", value=odd)
    assert "unexpected" in written()


def test_a_value_that_cannot_be_shown_costs_its_line_alone(written):
    class Odd:
        def __repr__(self):
            raise RuntimeError

    before = logs.dropped()
    structlog.get_logger().error("unexpected", value=Odd())
    structlog.get_logger().error("next")
    assert "next" in written()
    assert logs.dropped() == before + 1


def test_a_reader_that_takes_nothing_delays_one_line_and_stops_nothing(monkeypatch):
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as stream, os.fdopen(reading, "rb"):
        monkeypatch.setattr(logs, "PATIENCE_MS", 10)
        lines = logs.Lines(stream)
        for _ in range(200):
            lines.msg("x" * 1000)
        assert 0 < lines.dropped < 200
        os.read(reading, 1 << 16)
        before = lines.dropped
        lines.msg("heard again")
        assert lines.dropped == before


@pytest.mark.parametrize("gone", ["/dev/full", "closed pipe", "closed stream"])
def test_a_line_that_cannot_be_written_is_dropped_and_counted(gone, monkeypatch):
    reading, writing = os.pipe()
    os.close(reading)
    descriptor = os.open(gone, os.O_WRONLY) if gone == "/dev/full" else os.dup(writing)
    os.close(writing)
    with os.fdopen(descriptor, "w") as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        logs.configure("json", "info")
        if gone == "closed stream":
            stream.close()
        structlog.get_logger().error("unexpected")
        assert logs.dropped() == 1
    structlog.reset_defaults()
