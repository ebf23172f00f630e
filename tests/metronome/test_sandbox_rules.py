"""The sandbox's rules: which calls they match, what those get, and what a connection does."""

import http.client
import socket
from contextlib import contextmanager

import orjson
import pytest
from werkzeug.test import create_environ, run_wsgi_app

from bridge.metronome.rules import Asked, RuleBody
from bridge.metronome.sandbox import create_sandbox
from bridge.metronome.world import World
from tests.metronome.conftest import NOW
from tests.metronome.sandbox import ONE, TWO, Sandbox
from tests.metronome.server import answer, serving

SET, DELETE = "/v1/customFields/setValues", "/v1/customFields/deleteValues"
CONTRACTS = "/v2/contracts/list"
BODY = {"entity": "customer", "entity_id": ONE, "custom_fields": {"tier": "gold", "seats": "7"}}
SETTING = Asked("POST", SET, {}, BODY)
DELETING = Asked("POST", DELETE, {}, {"entity": "customer", "entity_id": ONE, "keys": ["tier"]})
LISTING = Asked("POST", CONTRACTS, {}, {"customer_id": ONE.upper()})
FINDING = Asked("GET", "/v1/customers", {"ingest_alias": ["cus_1"], "customer_ids": [TWO]}, {})
READING = Asked("GET", f"/v1/customers/{ONE}", {}, {})
NONSENSE = Asked("POST", SET, {}, {"entity": 7, "entity_id": None, "custom_fields": ["tier"], "keys": "tier"})
ALL = (SETTING, DELETING, LISTING, FINDING, READING, NONSENSE)

MATCHES = [
    ({}, ALL),
    ({"method": "get"}, (FINDING, READING)),
    ({"endpoint": SET}, (SETTING, NONSENSE)),
    ({"endpoint": "/v1/customers*"}, (FINDING, READING)),
    ({"endpoint": "/v1/customFields"}, ()),
    ({"entity": "customer"}, (SETTING, DELETING)),
    ({"entity_id": ONE}, (SETTING, DELETING, LISTING, READING)),
    ({"entity_id": TWO.upper()}, (FINDING,)),
    ({"key": "tier"}, (SETTING, DELETING)),
    ({"key": "colour"}, ()),
    ({"value": "gold"}, (SETTING,)),
    ({"key": "tier", "value": "gold"}, (SETTING,)),
    ({"key": "tier", "value": "7"}, ()),
    ({"query": {"ingest_alias": "cus_1"}}, (FINDING,)),
    ({"query": {"ingest_alias": "cus_2"}}, ()),
    ({"reused": True}, ()),
    ({"reused": False, "entity_id": ONE, "key": "seats"}, (SETTING,)),
]


@pytest.mark.parametrize(("conditions", "matched"), MATCHES, ids=str)
def test_a_rule_matches_when_all_its_conditions_hold(conditions, matched):
    rule = RuleBody().load({**conditions, "status": 403})
    assert tuple(one for one in ALL if rule.matches(one)) == matched


@pytest.fixture
def sandbox():
    return Sandbox()


@pytest.mark.parametrize("status", [401, 403, 409, 429, 500])
def test_a_rule_answers_what_it_matches_and_nothing_else(sandbox, status):
    sandbox.arrange(rules=[{"entity_id": ONE, "status": status, "message": "not you"}])
    assert sandbox.post(SET, BODY) == (status, {"message": "not you"})
    assert sandbox.held() == {}
    assert sandbox.set({"tier": "gold"}, entity_id=TWO) == 200
    assert [call["status"] for call in sandbox.get("/sandbox")[1]["calls"]] == [status, 200]


def test_a_rule_gives_its_headers_and_its_body(sandbox):
    headers = {"X-Metronome-Rate-Limit-Type": "customer", "Retry-After": "a year or so"}
    sandbox.arrange(rules=[{"status": 429, "headers": headers, "body": {"message": "slow", "code": "X"}}])
    response = sandbox.call("POST", SET, json=BODY)
    assert (response.status_code, response.json) == (429, {"message": "slow", "code": "X"})
    assert {name: response.headers[name] for name in headers} == headers


def test_a_body_that_is_text_is_sent_as_it_is(sandbox):
    sandbox.arrange(rules=[{"status": 200, "body": "<html>login</html>"}])
    response = sandbox.client.post(SET, json=BODY)
    assert (response.status_code, response.text, response.mimetype) == (200, "<html>login</html>", "text/html")


def test_a_rule_can_be_for_so_many_calls_and_the_next_one_counts_then(sandbox):
    sandbox.arrange(rules=[{"status": 500, "times": 2}, {"status": 503, "times": 1}])
    assert [sandbox.set({"tier": "gold"}) for _ in range(5)] == [500, 500, 503, 200, 200]
    shown = sandbox.get("/sandbox")[1]["rules"]
    assert [(rule["status"], rule["times"], rule["hits"]) for rule in shown] == [(500, 2, 2), (503, 1, 1)]


def test_an_answer_can_be_lost_after_the_call_took_effect(sandbox):
    sandbox.arrange(rules=[{"status": 502, "apply": True}])
    assert sandbox.set({"tier": "gold"}) == 502
    assert sandbox.held() == {"tier": "gold"}
    assert sandbox.get("/sandbox")[1]["statuses"] == {"502": 1}


def test_rules_come_before_the_token(sandbox):
    sandbox.arrange(rules=[{"endpoint": CONTRACTS, "status": 403}])
    assert sandbox.post(CONTRACTS, {"customer_id": ONE}, authorization=None)[0] == 403
    assert sandbox.post(SET, BODY, authorization=None)[0] == 401


def test_rules_are_replaced_and_cleared(sandbox):
    sandbox.arrange(rules=[{"status": 500}])
    sandbox.arrange(faults={"enforce_keys": False})
    assert sandbox.set({"tier": "gold"}) == 500
    sandbox.arrange(rules=[{"status": 503}])
    assert sandbox.set({"tier": "gold"}) == 503
    assert sandbox.arrange(rules=[])["rules"] == []
    assert sandbox.set({"tier": "gold"}) == 200
    sandbox.arrange(rules=[{"status": 503}])
    assert sandbox.arrange(reset=True)["rules"] == []


@pytest.mark.parametrize("status", [409, 400])
def test_a_conflict_is_answered_as_switched(sandbox, status):
    sandbox.arrange(faults={"conflict_status": status})
    sandbox.add_key("tier", unique=True)
    assert [sandbox.set({"tier": "gold"}, entity_id=one) for one in (ONE, TWO)] == [200, status]
    assert "unique" in sandbox.post(SET, {**BODY, "entity_id": TWO})[1]["message"]


# On real connections.


def answered_by(app):
    """A script for `tests.metronome.server`: unlike werkzeug's own server it keeps connections."""

    def send(handler):
        seen = handler.server.seen[-1]
        headers = {name: value for name, value in seen.headers.items() if name != "content-length"}
        environ = create_environ(seen.target, method=seen.method, headers=headers, data=seen.body)
        content, status, answered = run_wsgi_app(app, {**environ, "werkzeug.socket": handler.connection}, buffered=True)
        answer(int(status.split()[0]), b"".join(content), {"Content-Type": answered["Content-Type"]})(handler)

    return send


@contextmanager
def running(*rules):
    world = World()
    world.set_rules(RuleBody(many=True).load(rules))
    with serving(answered_by(create_sandbox(world, clock=lambda: NOW))) as server:
        yield server.server_port, world


@pytest.fixture
def connect():
    made = []

    def make(port):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        made.append(connection)
        return connection

    yield make
    for connection in made:
        connection.close()


def call(connection):
    connection.request("POST", SET, orjson.dumps(BODY), {"Authorization": "Bearer any"})
    response = connection.getresponse()
    response.read()
    return response.status


@pytest.mark.parametrize("fault", ["close", "reset"])
def test_a_connection_ends_before_any_byte(connect, fault):
    with running({"fault": fault, "times": 1}) as (port, world):
        with pytest.raises(ConnectionError):
            call(connect(port))
        assert call(connect(port)) == 200
        assert dict(world.statuses) == {0: 1, 200: 1}


def test_only_connections_that_are_used_again_may_be_chosen(connect):
    with running({"fault": "reset", "reused": True}) as (port, world):
        connection = connect(port)
        assert call(connection) == 200
        with pytest.raises(ConnectionError):
            call(connection)
        assert call(connect(port)) == 200
        assert world.hits == [1]


def test_a_connection_is_closed_without_having_said_so(connect):
    with running({"close_after_ms": 1}) as (port, _):
        connection = connect(port)
        assert call(connection) == 200
        assert connection.sock is not None, "the answer said that it would be closed"
        assert connection.sock.recv(1) == b""


STARTS = {
    "drip_head": b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Drip: xxx",
    "drip_body": b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n   ",
    "endless_head": b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Endless: xxx",
    "endless_body": b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n   ",
    "interim": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n",
}


@pytest.mark.parametrize(("fault", "start"), STARTS.items(), ids=STARTS)
def test_an_answer_has_no_end(fault, start):
    with running({"fault": fault, "pace_ms": 1}) as (port, _), socket.create_connection(("127.0.0.1", port)) as caller:
        caller.settimeout(5)
        content = orjson.dumps(BODY)
        caller.sendall(f"POST {SET} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(content)}\r\n\r\n".encode() + content)
        seen = b""
        while len(seen) < len(start):
            seen += caller.recv(len(start) - len(seen))
        assert seen == start


def test_silence_lasts_until_the_caller_hangs_up(connect):
    with running({"fault": "hang"}) as (port, world):
        connection = connect(port)
        connection.timeout = 0.2
        with pytest.raises(TimeoutError):
            call(connection)
        assert dict(world.statuses) == {0: 1}
