"""The sandbox's token and faults, what it shows, how its scene is set, and its command."""

import re

import orjson
import pytest
from click.testing import CliRunner

from bridge.cli import commands
from bridge.cli import sandbox as command
from bridge.cli.sandbox import populate
from bridge.errors import OperatorError
from bridge.metronome.world import MAX_CALLS, Faults, World
from bridge.times import SECOND, to_iso
from tests.metronome.conftest import NOW
from tests.metronome.sandbox import ONE, TWO, Sandbox

SET = "/v1/customFields/setValues"
BODY = {"entity": "customer", "entity_id": ONE, "custom_fields": {"tier": "gold"}}
ACME = {"name": "Acme", "id": ONE, "ingest_aliases": ["cus_1"]}


@pytest.fixture
def sandbox():
    return Sandbox()


@pytest.mark.parametrize(
    ("token", "authorization", "status"),
    [
        (None, "Bearer any", 200),
        (None, "bearer other", 200),
        (None, None, 401),
        (None, "", 401),
        (None, "Bearer", 401),
        (None, "Bearer ", 401),
        (None, "any", 401),
        (None, "Basic YTpi", 401),
        ("right", "Bearer right", 200),
        ("right", "BEARER right", 200),
        ("right", None, 401),
        ("right", "Bearer wrong", 401),
        ("right", "Bearer Right", 401),
        ("right", "Bearer righ", 401),
        ("right", "Bearer rightly", 401),
        ("right", "Bearer größe", 401),
        ("right", "Basic right", 401),
    ],
)
def test_a_call_needs_the_token(token, authorization, status):
    sandbox = Sandbox(token)
    answered, body = sandbox.post(SET, BODY, authorization=authorization)
    assert answered == status
    assert set(body) == (set() if status == 200 else {"message"})
    assert sandbox.held() == ({"tier": "gold"} if status == 200 else {})


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_every_path_of_the_api_needs_the_token(method):
    sandbox = Sandbox("right")
    paths = {rule.rule for rule in sandbox.client.application.url_map.iter_rules() if method in rule.methods}
    assert len(paths) > 2
    for path in paths - {"/sandbox"}:
        assert sandbox.call(method, re.sub("<.*>", ONE, path)).status_code == 401


def test_a_bad_token_is_told_before_a_bad_body():
    assert Sandbox("right").post(SET, {})[0] == 401


def test_an_outage_answers_every_call(sandbox):
    sandbox.arrange(faults={"outage": True})
    assert sandbox.post(SET, BODY, authorization=None)[0] == 503
    assert sandbox.get("/v1/customers")[0] == 503
    assert sandbox.held() == {}
    sandbox.arrange(faults={"outage": False})
    assert sandbox.post(SET, BODY)[0] == 200


def test_an_error_rate_of_one_answers_every_call(sandbox):
    sandbox.arrange(faults={"error_rate": 1})
    assert {sandbox.set({"tier": "gold"}) for _ in range(20)} == {500}
    assert sandbox.held() == {}
    sandbox.arrange(faults={"error_rate": 0})
    assert {sandbox.set({"tier": "gold"}) for _ in range(20)} == {200}


def statuses(sandbox, seconds, calls):
    sandbox.clock.now += round(seconds * SECOND)
    return [sandbox.set({"tier": "gold"}) for _ in range(calls)]


def test_a_rate_limit_lets_through_so_many_calls_a_second(sandbox):
    sandbox.arrange(faults={"rate_limit": 3})
    assert statuses(sandbox, 0, 5) == [200, 200, 200, 429, 429]
    assert statuses(sandbox, 1 / 3 + 0.001, 2) == [200, 429]
    assert statuses(sandbox, 1, 4) == [200, 200, 200, 429]
    assert statuses(sandbox, 3600, 4) == [200, 200, 200, 429]


def test_a_rate_limit_may_be_less_than_one_call_a_second(sandbox):
    sandbox.arrange(faults={"rate_limit": 0.5})
    assert statuses(sandbox, 0, 2) == [200, 429]
    assert statuses(sandbox, 1, 1) == [429]
    assert statuses(sandbox, 1.001, 2) == [200, 429]


def test_a_limited_call_is_told_when_to_come_back(sandbox):
    sandbox.arrange(faults={"rate_limit": 1})
    answers = [sandbox.call("POST", SET, json=BODY) for _ in range(2)]
    assert [(one.status_code, one.headers.get("Retry-After")) for one in answers] == [(200, None), (429, "1")]


def test_faults_are_switched_one_by_one(sandbox):
    sandbox.arrange(faults={"outage": True})
    shown = sandbox.arrange(faults={"enforce_keys": True, "rate_limit": 2.5})["faults"]
    assert shown == {
        "latency_ms": 0,
        "rate_limit": 2.5,
        "error_rate": 0,
        "outage": True,
        "enforce_keys": True,
        "enforce_customers": False,
        "conflict_status": 409,
    }


def test_everything_is_shown(sandbox):
    sandbox.arrange(customers=[ACME], contracts=[{"customer_id": ONE, "id": TWO}])
    sandbox.add_key("tier", unique=True)
    sandbox.set({"tier": "gold"})
    sandbox.set({"tier": "gold"}, entity_id=TWO)
    sandbox.get("/v1/customers?ingest_alias=cus_1&limit=1")
    shown = sandbox.get("/sandbox", authorization=None)[1]
    key = {"entity": "customer", "key": "tier", "enforce_uniqueness": True}
    assert shown["values"] == [{"entity": "customer", "entity_id": ONE, "custom_fields": {"tier": "gold"}}]
    assert shown["keys"] == [key]
    assert [(one["id"], one["custom_fields"]) for one in shown["customers"]] == [(ONE, {"tier": "gold"})]
    assert [(one["id"], one["customer_id"]) for one in shown["contracts"]] == [(TWO, ONE)]
    assert shown["statuses"] == {"200": 3, "409": 1}
    at = to_iso(NOW)
    assert shown["calls"] == [
        {"at": at, "call": "POST /v1/customFields/addKey", "status": 200, **key},
        {"at": at, "call": f"POST {SET}", "status": 200, **BODY},
        {"at": at, "call": f"POST {SET}", "status": 409, **BODY, "entity_id": TWO},
        {"at": at, "call": "GET /v1/customers?ingest_alias=cus_1&limit=1", "status": 200},
    ]


def test_a_call_that_failed_is_remembered_too(sandbox):
    sandbox.post(SET, {})
    sandbox.post(SET, BODY, authorization=None)
    sandbox.arrange(faults={"outage": True})
    sandbox.post(SET, BODY)
    assert [call["status"] for call in sandbox.get("/sandbox")[1]["calls"]] == [400, 401, 503]


def test_calls_are_remembered_up_to_a_point_and_counted_beyond():
    world = World()
    for number in range(MAX_CALLS + 5):
        world.remember(f"GET /{number}", {}, 200, NOW)
    dump = world.dump()
    assert len(dump["calls"]) == MAX_CALLS
    assert dump["calls"][-1]["call"] == f"GET /{MAX_CALLS + 4}"
    assert dump["statuses"] == {"200": MAX_CALLS + 5}


def test_the_token_is_not_shown():
    sandbox = Sandbox("right-token")
    sandbox.post(SET, BODY, authorization="Bearer right-token")
    assert b"right-token" not in orjson.dumps(sandbox.get("/sandbox")[1])


def test_reset_forgets_everything(sandbox):
    fresh = sandbox.get("/sandbox")[1]
    sandbox.arrange(customers=[ACME], contracts=[{"customer_id": ONE}])
    sandbox.add_key("tier")
    sandbox.set({"tier": "gold"})
    sandbox.arrange(faults={"outage": True, "rate_limit": 1})
    assert sandbox.arrange(reset=True) == fresh
    assert sandbox.arrange(reset=True, customers=[ACME], faults={"outage": True})["faults"]["outage"]
    assert sandbox.get("/sandbox")[1]["customers"][0]["id"] == ONE


def test_reset_does_not_let_the_sandbox_go(sandbox):
    sandbox.arrange(reset=True)
    sandbox.set({"tier": "gold"})
    assert sandbox.held() == {"tier": "gold"}


BAD_SCENES = [
    {"colour": "red"},
    {"reset": "perhaps"},
    {"faults": []},
    {"faults": {"outage": "perhaps"}},
    {"faults": {"outtage": True}},
    {"faults": {"latency_ms": -1}},
    {"faults": {"latency_ms": 60_001}},
    {"faults": {"rate_limit": -1}},
    {"faults": {"error_rate": 1.1}},
    {"faults": {"error_rate": "often"}},
    {"faults": {"conflict_status": 418}},
    {"rules": {}},
    {"rules": [{}]},
    {"rules": [{"entity": "customer"}]},
    {"rules": [{"status": 200}, {"status": 199}]},
    {"rules": [{"status": "429"}]},
    {"rules": [{"state": 429}]},
    {"rules": [{"fault": "sleepy"}]},
    {"rules": [{"status": 429, "times": 0}]},
    {"rules": [{"status": 429, "headers": {"Retry-After": "1\r\nX: y"}}]},
    {"rules": [{"status": 429, "headers": {"Retry After": "1"}}]},
    {"rules": [{"delay_ms": 600_001}]},
    {"rules": [{"fault": "hang", "message": "never sent"}]},
    {"customers": {}},
    {"customers": [{}]},
    {"customers": [ACME, {"id": TWO}]},
    {"customers": [{**ACME, "id": "cus_1"}]},
    {"contracts": [{}]},
    {"contracts": [{"customer_id": "cus_1"}]},
    {"faults": {"outage": True}, "reset": True, "contracts": [{"customer_id": ONE}, 7]},
    [],
    "reset",
]


@pytest.mark.parametrize("scene", BAD_SCENES, ids=str)
def test_a_bad_scene_changes_nothing(sandbox, scene):
    sandbox.set({"tier": "gold"})
    before = sandbox.get("/sandbox")[1]
    status, body = sandbox.post("/sandbox", scene)
    assert (status, set(body)) == (400, {"message"})
    assert sandbox.get("/sandbox")[1] == before


@pytest.mark.parametrize("content", [b"{reset}", b"null", b"\xff"])
def test_a_scene_that_is_no_json_object_is_refused(sandbox, content):
    assert sandbox.call("POST", "/sandbox", data=content).status_code == 400


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/v1/nothing", 404),
        ("POST", "/v1/customFields/getValues", 404),
        ("POST", f"{SET}/", 404),
        ("GET", SET, 405),
        ("DELETE", "/v1/customers", 405),
    ],
)
def test_a_path_that_is_not_offered_is_told_as_any_error(sandbox, method, path, status):
    response = sandbox.call(method, path)
    assert response.status_code == status
    assert set(response.json) == {"message"}


# The command.


@pytest.fixture
def scene_file(tmp_path):
    def write(content):
        path = tmp_path / "scene.json"
        path.write_bytes(content if isinstance(content, bytes) else orjson.dumps(content))
        return path

    return write


def test_a_file_sets_the_scene(scene_file):
    world = World()
    path = scene_file(
        {
            "customers": [ACME],
            "contracts": [{"customer_id": ONE}],
            "faults": {"enforce_keys": True},
            "rules": [{"status": 403}],
        }
    )
    populate(world, path)
    assert [rule.status for rule in world.rules] == [403]
    assert list(world.customers) == [ONE]
    assert [contract["customer_id"] for contract in world.contracts.values()] == [ONE]
    assert world.faults == Faults(enforce_keys=True)


BAD_FILES = [
    (b"", ":1:1: not JSON"),
    (b'{"customers":\n [}', ":2:3: not JSON"),
    (b"\xff\xfe", "not JSON"),
    (b"name: Acme", ":1:"),
    (b"[]", "not valid"),
    (b'{"customer": []}', "customer"),
    (b'{"customers": [{"id": "x"}]}', "name"),
    (orjson.dumps({"customers": [ACME, {**ACME, "id": TWO}]}), "ingest aliases"),
]


@pytest.mark.parametrize(("content", "said"), BAD_FILES)
def test_a_bad_file_is_told_by_name(scene_file, content, said):
    path = scene_file(content)
    with pytest.raises(OperatorError) as caught:
        populate(World(), path)
    assert str(caught.value).startswith(str(path))
    assert said in str(caught.value)


def test_the_command_serves_what_its_options_say(scene_file, monkeypatch):
    served = []
    monkeypatch.setattr(command, "serve", lambda make_app, **options: served.append((make_app(), options)))
    options = ["--data", str(scene_file({"customers": [ACME]})), "--token", "right", "--port", "9999"]
    result = CliRunner().invoke(commands, ["sandbox", *options, "--enforce-keys", "--rate-limit", "5"])
    assert result.exit_code == 0, result.output
    ((app, given),) = served
    assert (given["host"], given["port"], given["processes"]) == ("127.0.0.1", 9999, 1)
    caller = app.test_client()
    shown = caller.get("/sandbox").json
    assert [customer["id"] for customer in shown["customers"]] == [ONE]
    assert (shown["faults"]["enforce_keys"], shown["faults"]["rate_limit"]) == (True, 5)
    answers = [caller.get("/v1/customers", headers={"Authorization": f"Bearer {one}"}) for one in ("right", "wrong")]
    assert [answered.status_code for answered in answers] == [200, 401]


@pytest.mark.parametrize(
    "options",
    [
        ["--data", "nothing.json"],
        ["--data", "."],
        ["--port", "0"],
        ["--error-rate", "2"],
        ["--rate-limit", "-1"],
        ["--latency-ms", "-1"],
    ],
    ids=str,
)
def test_an_option_that_cannot_be_is_refused(options):
    assert CliRunner().invoke(commands, ["sandbox", *options]).exit_code == 2


def test_the_command_does_not_start_with_a_bad_file(scene_file):
    result = CliRunner().invoke(commands, ["sandbox", "--data", str(scene_file(b"["))])
    assert isinstance(result.exception, OperatorError)
