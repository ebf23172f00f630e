"""drift, against a store and the sandbox over HTTP."""

import json

import pytest

from bridge import bootstrap
from bridge.errors import BridgeError, OperatorError
from bridge.times import to_iso
from tests.store.test_held import deliver
from tests.support.making import ENTITY_ID, NOW, OTHER_ID, asking, by_payload, change, translated
from tests.support.sandbox import TOKEN, serving_sandbox


@pytest.fixture
def sandbox():
    with serving_sandbox() as served:
        yield served


@pytest.fixture
def drift(run, store, database_url, sandbox):
    def invoke(*arguments, **given):
        environ = {"DATABASE_URL": database_url, "COLUMNS": "240", **sandbox.environ}
        return run("drift", *arguments, **{**environ, **given})

    return invoke


@pytest.fixture
def written(store, sandbox):
    """Two customers with two values each, as Metronome holds them."""
    values = {"tier": "gold", "plan": "pro"}
    for one in (ENTITY_ID, OTHER_ID):
        sandbox.world.add_customer({"id": one, "name": "Acme"}, NOW)
        sandbox.world.set_values("customer", one, values)
        store.events.add("stripe", [asking(f"evt_{one[0]}", {**values, "coupon": None}, NOW, one)], {}, NOW)
    store.events.translate(by_payload, 10, NOW)
    deliver(store)
    return sandbox.world


def test_no_drift_ends_with_zero_and_says_how_much_was_read(drift, written):
    result = drift()
    assert (result.exit_code, "no drift in 2 entities" in result.stdout) == (0, True)


def test_before_anything_was_written_there_is_no_drift(drift):
    assert (drift().exit_code, drift("--format", "json").exit_code) == (0, 0)


def test_drift_is_counted_first_and_ends_with_one_and_shows_no_value(drift, written):
    written.set_values("customer", ENTITY_ID, {"tier": "bronze-by-hand", "coupon": "X"})
    written.delete_values("customer", OTHER_ID, ["plan"])
    result = drift()
    assert result.exit_code == 1
    lines = [line.split() for line in result.stdout.splitlines()]
    assert lines[1] == ["customer", "2", "1", "1", "1", "0"]
    assert "not what was written: 3 keys of 2 entities" in result.stdout
    assert "by-hand" not in result.stdout
    assert "gold" not in result.stdout


def test_details_show_both_values_and_the_event(drift, written):
    written.set_values("customer", ENTITY_ID, {"tier": "[bold]by hand"})
    (line,) = [line for line in drift("--details").stdout.splitlines() if ENTITY_ID in line]
    for part in ("tier", "differs", "gold", "[bold]by hand", "stripe evt_9", "2026-11-22 10:00:00"):
        assert part in line


def test_it_is_read_by_programs(drift, written):
    written.set_values("customer", ENTITY_ID, {"coupon": "X"})
    found = json.loads(drift("--format", "json", "--details").stdout)
    (one,) = found.pop("differences")
    assert found == {
        "read": {"customer": 2},
        "keys": {"differs": 0, "missing": 0, "left": 1, "gone": 0},
        "moving": 0,
        "unsure": 0,
        "left_out": {},
        "unread": [],
    }
    assert one.pop("event") > 0
    assert one == {
        "entity": "customer",
        "entity_id": ENTITY_ID,
        "key": "coupon",
        "kind": "left",
        "ours": None,
        "theirs": "X",
        "unsure": False,
        "source": "stripe",
        "event_id": "evt_9",
        "occurred_at": to_iso(NOW),
        "set_at": to_iso(NOW),
    }
    assert "differences" not in json.loads(drift("--format", "json").stdout)


@pytest.mark.parametrize(
    ("arguments", "keys"),
    [
        (["--id", OTHER_ID], 1),
        (["--id", OTHER_ID.upper(), "--id", ENTITY_ID], 2),
        (["--entity", "customer"], 2),
        (["--source", "stripe"], 2),
    ],
)
def test_it_can_be_narrowed_down(drift, written, arguments, keys):
    for one in (ENTITY_ID, OTHER_ID):
        written.set_values("customer", one, {"tier": "x"})
    assert sum(json.loads(drift(*arguments, "--format", "json").stdout)["keys"].values()) == keys


@pytest.mark.parametrize("arguments", [["--id", "cus_1"], ["--entity", "charge"], ["--source", "nobody"]])
def test_what_was_never_written_is_an_error_and_not_no_drift(drift, written, arguments):
    result = drift(*arguments)
    assert isinstance(result.exception, BridgeError)
    assert "nothing was written yet that fits" in str(result.exception)


def test_kinds_that_are_not_read_are_named_with_the_reason(drift, store):
    for entity in ("charge", "contract"):
        store.events.add("stripe", [asking(entity, {})], {}, NOW)
        made = change({"tier": "gold"}, entity=entity)
        store.events.translate(lambda _, made=made: translated(made), 10, NOW)
    deliver(store)
    result = drift()
    assert result.exit_code == 0
    assert "charge: 1 not read: Metronome's API does not give" in result.stdout
    assert "contract: 1 not read" in result.stdout
    assert "--contracts" in result.stdout
    found = json.loads(drift("--contracts", "--format", "json").stdout)
    assert (list(found["left_out"]), found["unread"][0]["entity"]) == (["charge"], "contract")


def test_repair_asks_first_with_numbers_and_marks_nothing_without_a_yes(drift, store, written):
    written.set_values("customer", ENTITY_ID, {"tier": "x", "plan": "y"})
    result = drift("--repair", answer="n\n")
    assert (result.exit_code, "write 2 keys of 1 entity again?" in result.stderr) == (1, True)
    assert not any(field.doubted for field in store.entities.fields_of("customer", ENTITY_ID).values())


def test_repair_marks_what_differs_for_the_running_bridge(drift, store, written):
    written.set_values("customer", ENTITY_ID, {"tier": "x"})
    result = drift("--repair", "--yes")
    assert (result.exit_code, "the running bridge will have written" in result.stderr) == (0, True)
    fields = store.entities.fields_of("customer", ENTITY_ID)
    assert [key for key, field in fields.items() if field.doubted] == ["tier"]
    again = drift("--repair")
    assert (again.exit_code, "just being delivered, and left out: 1 key" in again.stdout) == (0, True)


def test_what_cannot_be_repaired_still_ends_with_one(drift, written):
    written.set_values("customer", ENTITY_ID, {"tier": "x"})
    del written.customers[OTHER_ID]
    assert drift("--repair", "--yes").exit_code == 1


def test_the_budget_of_the_bridge_holds_over_it_too(drift, store, written):
    drift(METRONOME_MAX_CALLS_PER_SECOND="5")
    assert store.gate.state().next_call_at > 0


@pytest.mark.parametrize(
    ("environ", "kind", "complaint"),
    [
        ({"METRONOME_API_TOKEN": ""}, OperatorError, "METRONOME_API_TOKEN is not set"),
        ({"METRONOME_API_TOKEN": "wrong"}, OperatorError, "METRONOME_API_TOKEN is refused"),
        ({"METRONOME_BASE_URL": "{url}/elsewhere"}, BridgeError, "customers cannot be listed: Metronome answered 404"),
    ],
)
@pytest.mark.usefixtures("written")
def test_what_must_be_corrected_first_is_named(drift, sandbox, environ, kind, complaint):
    result = drift(**{name: value.format(url=sandbox.url) for name, value in environ.items()})
    assert isinstance(result.exception, kind)
    assert complaint in str(result.exception)
    assert TOKEN not in str(result.exception)


@pytest.fixture
def unsure(store, written):
    """The database was restored, and Metronome holds something newer of one key."""
    written.set_values("customer", ENTITY_ID, {"tier": "newer"})
    list(store.holdings.make_unsure())
    return written


def test_what_is_unsure_is_shown(drift, unsure):
    assert "unsure since a restore, until written again: 6 keys" in drift().stdout
    (line,) = [line for line in drift("--details").stdout.splitlines() if ENTITY_ID in line]
    assert "differs, unsure" in line
    found = json.loads(drift("--format", "json", "--details").stdout)
    assert (found["unsure"], found["differences"][0]["unsure"]) == (6, True)


def test_what_is_unsure_is_not_repaired_without_a_word_whose_value_counts(drift, store, unsure):
    result = drift("--repair", "--yes")
    assert result.exit_code == 1
    assert "1 key is unsure and not repaired" in result.stderr
    assert "--from metronome" in result.stderr
    assert not store.entities.fields_of("customer", ENTITY_ID)["tier"].doubted
    assert store.glance(NOW).next_due() is None


def test_metronomes_value_is_remembered_and_nothing_is_written(drift, store, unsure):
    asked = drift("--repair", "--from", "metronome", answer="n\n")
    assert (asked.exit_code, "remember Metronome's values of 1 key of 1 entity?" in asked.stderr) == (1, True)
    before = store.entities.fields_of("customer", ENTITY_ID)["tier"]
    assert drift("--repair", "--from", "metronome", "--yes").exit_code == 0
    after = store.entities.fields_of("customer", ENTITY_ID)["tier"]
    assert (after.value, after.stamp, after.unsure) == ("newer", before.stamp, False)
    assert store.glance(NOW).next_due() is None
    assert drift().exit_code == 0


def test_ours_is_written_again_if_it_counts(drift, store, unsure):
    assert drift("--repair", "--from", "ours", "--yes").exit_code == 0
    held = store.entities.fields_of("customer", ENTITY_ID)["tier"]
    assert (held.value, held.doubted, held.unsure) == ("gold", True, False)
    assert store.glance(bootstrap.now()).next_due() is not None


def test_whose_value_counts_is_only_said_with_a_repair(drift):
    assert drift("--from", "ours").exit_code == 2
