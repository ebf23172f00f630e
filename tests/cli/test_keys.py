"""keys plan and keys apply, against the sandbox over HTTP."""

import json

import pytest

from bridge.errors import BridgeError, OperatorError
from tests.support.bridges import STRIPE
from tests.support.sandbox import TOKEN, serving_sandbox

LIST, ADD = "/v1/customFields/listKeys", "/v1/customFields/addKey"
#: What the mapping of `run` sets.
KEYS = ["coupon", "name", "tier"]


@pytest.fixture
def sandbox():
    with serving_sandbox() as served:
        yield served


@pytest.fixture
def keys(run, sandbox, tmp_path):
    def invoke(*arguments, **given):
        environ = {"DATABASE_URL": f"sqlite:///{tmp_path}/none.db", "COLUMNS": "200", **sandbox.environ}
        return run("keys", *arguments, **{**environ, **given})

    return invoke


def allow(sandbox, *names, unique=False, entity="customer"):
    for name in names:
        sandbox.world.add_key(entity, name, unique=unique)


def names(sandbox):
    return sorted(key for _, key in sandbox.world.keys)


def test_plan_says_what_is_missing_and_who_sets_it_and_ends_with_one(keys, sandbox):
    allow(sandbox, "name", "old")
    result = keys("plan")
    assert result.exit_code == 1
    lines = [line.split() for line in result.stdout.splitlines()]
    assert ["missing", "customer", "tier", "no", "stripe:", "customer"] in lines
    assert ["unused", "customer", "old", "no", "no", "rule"] in lines
    assert "2 missing, 0 with another uniqueness, 1 unused, 1 as declared" in result.stdout
    assert sandbox.called(ADD) == []


def test_plan_ends_with_zero_if_nothing_is_missing_whatever_is_unused_or_differs(keys, sandbox):
    allow(sandbox, "name", "coupon", "old")
    allow(sandbox, "tier", unique=True)
    result = keys("plan")
    assert result.exit_code == 0
    assert "no (in Metronome: yes)" in result.stdout


def test_plan_is_read_by_programs(keys, sandbox):
    allow(sandbox, "name", "old")
    allow(sandbox, "tier", unique=True)
    found = json.loads(keys("plan", "--format", "json").stdout)
    rules = [{"source": "stripe", "rule": "customer"}]
    assert found == {
        "missing": [{"entity": "customer", "key": "coupon", "enforce_uniqueness": False, "rules": rules}],
        "differing": [{"entity": "customer", "key": "tier", "enforce_uniqueness": False, "rules": rules}],
        "unused": [{"entity": "customer", "key": "old", "enforce_uniqueness": False}],
        "fitting": 1,
    }


def test_all_pages_of_the_list_are_read(keys, sandbox):
    allow(sandbox, *(f"a{number:03}" for number in range(250)), *KEYS)
    assert keys("plan").exit_code == 0
    assert len(sandbox.called(LIST)) == 3


def test_apply_adds_what_is_missing_as_it_is_declared_once_that_was_confirmed(keys, run, sandbox):
    (run.folder / "stripe.yaml").write_text(
        STRIPE.replace("tier: data.object.metadata.tier", "tier: {path: data.object.metadata.tier, unique: true}")
    )
    allow(sandbox, "old")
    refused = keys("apply", answer="n\n")
    assert (refused.exit_code, names(sandbox)) == (1, ["old"])
    assert "add 3 keys" in refused.stderr
    result = keys("apply", answer="y\n")
    assert result.exit_code == 0
    assert "3 added, 0 there already, 0 refused" in result.stdout
    assert names(sandbox) == ["coupon", "name", "old", "tier"]
    assert [key for (_, key), unique in sandbox.world.keys.items() if unique] == ["tier"]


def test_applying_twice_adds_nothing_and_asks_nothing(keys, sandbox):
    keys("apply", "--yes")
    result = keys("apply")
    assert (result.exit_code, "0 missing" in result.stdout) == (0, True)
    assert len(sandbox.called(ADD)) == 3


def test_apply_never_changes_a_key_that_is_there(keys, sandbox):
    allow(sandbox, *KEYS, "old", unique=True)
    result = keys("apply", "--yes")
    assert (result.exit_code, sandbox.called(ADD)) == (0, [])
    assert "only by removing a key, and all its values with it" in result.stdout


def test_a_key_that_somebody_adds_meanwhile_is_fine(keys, sandbox, monkeypatch):
    add = sandbox.world.add_key

    def twice(entity, key, *, unique):
        if key == "tier":
            add(entity, key, unique=unique)
        add(entity, key, unique=unique)

    monkeypatch.setattr(sandbox.world, "add_key", twice)
    result = keys("apply", "--yes", "--format", "json")
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert {what: [one["key"] for one in made] for what, made in found.items()} == {
        "added": ["coupon", "name"],
        "there already": ["tier"],
        "refused": [],
    }


def test_a_key_that_metronome_refuses_is_named_with_its_words_and_holds_back_no_other(keys, sandbox, monkeypatch):
    add = sandbox.world.add_key

    def choosy(entity, key, *, unique):
        # A status of which nobody has said what it means here.
        if key == "name":
            add(entity, "tier", unique=unique)
        add(entity, key, unique=unique)

    allow(sandbox, "tier")
    monkeypatch.setattr(sandbox.world, "add_key", choosy)
    result = keys("apply", "--yes")
    assert result.exit_code == 1
    assert "refused: name of customer: Metronome answered 409" in result.stdout
    assert names(sandbox) == ["coupon", "tier"]


def test_faults_that_pass_are_waited_for(keys, sandbox, monkeypatch):
    slept = []
    monkeypatch.setattr("time.sleep", slept.append)
    answers = iter([503, 200])
    check = sandbox.world.check_faults

    def fail_once(now):
        sandbox.world.faults = type(sandbox.world.faults)(outage=next(answers, 200) == 503)
        check(now)

    monkeypatch.setattr(sandbox.world, "check_faults", fail_once)
    assert keys("plan").exit_code == 1
    assert len([seconds for seconds in slept if seconds]) == 1, "the sandbox sleeps for nothing"


def test_neither_a_database_nor_a_secret_is_needed_and_no_file_is_made(keys, tmp_path):
    result = keys("plan", STRIPE_WEBHOOK_SECRET="")
    assert (result.exit_code, result.stderr) == (1, "")
    assert not (tmp_path / "none.db").exists()


def test_a_database_without_tables_is_no_obstacle_but_said(keys, tmp_path):
    (tmp_path / "none.db").touch()
    result = keys("plan")
    assert result.exit_code == 1
    assert "holds for this command alone" in result.stderr


def test_the_budget_of_the_bridge_holds_over_keys_too(keys, store, database_url):
    assert keys("plan", DATABASE_URL=database_url, METRONOME_MAX_CALLS_PER_SECOND="5").exit_code == 1
    assert store.gate.state().next_call_at > 0


@pytest.mark.parametrize(
    ("environ", "kind", "complaint"),
    [
        ({"METRONOME_API_TOKEN": ""}, OperatorError, "METRONOME_API_TOKEN is not set"),
        ({"METRONOME_API_TOKEN": "wrong"}, OperatorError, "METRONOME_API_TOKEN is refused"),
        ({"METRONOME_BASE_URL": "{url}/elsewhere"}, BridgeError, "cannot be listed: Metronome answered 404"),
    ],
)
def test_what_must_be_corrected_first_is_named(keys, sandbox, environ, kind, complaint):
    result = keys("plan", **{name: value.format(url=sandbox.url) for name, value in environ.items()})
    assert isinstance(result.exception, kind)
    assert complaint in str(result.exception)
    assert TOKEN not in str(result.exception)


def test_wrong_mapping_files_are_named_before_anybody_is_asked(keys, run, sandbox):
    (run.folder / "stripe.yaml").write_text("sender: strpe")
    result = keys("plan")
    assert isinstance(result.exception, OperatorError)
    assert "stripe.yaml:1:9" in str(result.exception)
    assert sandbox.called(LIST) == []
