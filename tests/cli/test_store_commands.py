"""Commands that look into the store, on both databases."""

import json

import pytest

from bridge.errors import BridgeError, StoreError
from bridge.model import EventState
from bridge.store.events import Translated
from bridge.store.held import Scope
from bridge.times import DAY, SECOND, to_iso
from tests.pipeline.conftest import Pipeline
from tests.support.making import ENTITY_ID, NOW, asking, by_payload, event


@pytest.fixture
def on_store(run, store, database_url):
    """Runs a command on the store."""

    def invoke(*arguments, **given):
        return run(*arguments, DATABASE_URL=database_url, COLUMNS="200", **given)

    return invoke


@pytest.fixture
def filled(store):
    store.events.add("stripe", [asking("evt_1", {"tier": "gold"})], {}, NOW)
    store.events.translate(by_payload, 10, NOW)
    store.events.add("hubspot", [event("h1", problem="objectId is null")], {}, NOW)
    store.events.add("hubspot", [event("h2")], {}, NOW)
    store.events.translate(lambda _: Translated(EventState.IGNORED, "no rule applies", "d"), 10, NOW)
    return store


def test_events_are_listed_the_newest_first(on_store, filled):
    result = on_store("events", "list")
    assert result.exit_code == 0
    assert [result.output.index(name) for name in ("h2", "h1", "evt_1")] == sorted(
        result.output.index(name) for name in ("h2", "h1", "evt_1")
    )


def test_events_can_be_picked_and_read_by_programs(on_store, filled):
    result = on_store("events", "list", "--source", "hubspot", "--state", "failed", "--json")
    (line,) = result.output.splitlines()
    found = json.loads(line)
    assert (found["event_id"], found["state"], found["reason"]) == ("h1", "failed", "objectId is null")
    assert "payload" not in found


def test_an_event_is_shown_with_its_changes_and_its_payload_only_if_asked_for(on_store, filled):
    number = filled.events.numbers(source="stripe")[0]
    result = on_store("events", "show", number)
    assert "set tier = gold" in result.output
    assert '"customer"' not in result.output
    assert '"customer"' in on_store("events", "show", number, "--payload").output


def test_what_a_sender_says_is_no_markup(on_store, store):
    store.events.add("stripe", [event("e[/2]", problem="join('-', [data.id, data.name]) is missing")], {}, NOW)
    number = str(store.events.find()[0].id)
    for arguments in (["events", "list"], ["events", "show", number], ["dead-letters", "list"]):
        result = on_store(*arguments)
        assert result.exit_code == 0
        assert "e[/2]" in result.output
        assert "join('-', [data.id, data.name]) is missing" in result.output


@pytest.mark.parametrize(
    "arguments", [["events", "show"], ["events", "list", "--before"], ["dead-letters", "drop"], ["replay"]]
)
def test_a_number_that_no_database_holds_is_refused(on_store, store, arguments):
    result = on_store(*arguments, str(1 << 63))
    assert result.exit_code == 2
    assert "is not in the range" in result.output


def test_an_event_that_is_not_there_is_an_error(on_store, filled):
    assert isinstance(on_store("events", "show", 999).exception, BridgeError)


def test_replay_by_filter_asks_first(on_store, filled):
    result = on_store("replay", "--source", "hubspot", answer="n\n")
    assert result.exit_code == 1
    assert "replay 2 events?" in result.output
    assert filled.events.numbers(state=EventState.RECEIVED) == []


def test_replay_puts_events_back_to_be_translated(on_store, filled):
    result = on_store("replay", "--source", "hubspot", "--yes")
    assert result.exit_code == 0
    assert "2 of 2 events will be translated again" in result.output
    assert len(filled.events.numbers(state=EventState.RECEIVED)) == 2


def test_replay_of_one_needs_no_confirmation(on_store, filled):
    number = filled.events.numbers(source="stripe")[0]
    assert on_store("replay", number).exit_code == 0
    assert filled.events.numbers(state=EventState.RECEIVED) == [number]


@pytest.mark.parametrize("arguments", [[], ["1", "--source", "stripe"]])
def test_replay_wants_to_know_which(on_store, filled, arguments):
    assert on_store("replay", *arguments).exit_code == 2


def test_replay_of_nothing_is_an_error(on_store, filled):
    assert isinstance(on_store("replay", "--source", "nobody").exception, BridgeError)


def test_dead_letters_are_listed_with_what_is_wrong_with_them(on_store, filled):
    result = on_store("dead-letters", "list")
    assert result.exit_code == 0
    assert "h1" in result.output
    assert "objectId is null" in result.output
    assert "evt_1" not in result.output
    (line,) = on_store("dead-letters", "list", "--json").output.splitlines()
    assert json.loads(line)["why"] == ["objectId is null"]


def test_dead_letters_are_counted_by_source(on_store, filled):
    lines = on_store("dead-letters", "count").output.splitlines()
    assert [line.split()[:2] for line in lines[1:]] == [["hubspot", "1"], ["all", "1"]]
    assert on_store("dead-letters", "count", "--source", "stripe").output.splitlines()[1].split() == ["all", "0"]


def test_dead_letters_are_replayed_once_that_was_confirmed(on_store, filled):
    number = filled.events.numbers(state=EventState.FAILED)[0]
    filled.events.add("hubspot", [event("h3", problem="objectId is null")], {}, NOW)
    refused = on_store("dead-letters", "replay", "--all", answer="n\n")
    assert (refused.exit_code, "replay 2 dead letters?" in refused.output) == (1, True)
    assert filled.events.numbers(state=EventState.RECEIVED) == []
    assert on_store("dead-letters", "replay", number).exit_code == 0
    assert filled.events.numbers(state=EventState.RECEIVED) == [number]


def test_dropping_asks_even_for_one(on_store, filled):
    number = filled.events.numbers(state=EventState.FAILED)[0]
    assert on_store("dead-letters", "drop", number, answer="n\n").exit_code == 1
    assert filled.events.get(number).state == EventState.FAILED
    assert "1 of 1" in on_store("dead-letters", "drop", "--source", "hubspot", "--yes").output
    assert filled.events.get(number).state == EventState.IGNORED


@pytest.mark.parametrize("arguments", [[], ["1", "--all"], ["--source", "stripe", "--all"], ["1", "--type", "x"]])
@pytest.mark.parametrize("verb", ["replay", "drop"])
def test_dead_letters_want_to_be_named_in_one_way(on_store, filled, verb, arguments):
    assert on_store("dead-letters", verb, *arguments).exit_code == 2


def test_dead_letters_that_are_not_there_are_an_error(on_store, filled):
    assert isinstance(on_store("dead-letters", "drop", "--since", "2090-01-01").exception, BridgeError)


def test_upgrade_says_which_version_it_made(run, tmp_path):
    url = f"sqlite:///{tmp_path}/new.db"
    assert "(before: none)" in run("upgrade", DATABASE_URL=url).output
    assert "(before" not in run("upgrade", DATABASE_URL=url).output


def test_commands_refuse_a_database_without_tables(run, tmp_path):
    result = run("events", "list", DATABASE_URL=f"sqlite:///{tmp_path}/new.db")
    assert isinstance(result.exception, StoreError)
    assert "metronome-bridge upgrade" in str(result.exception)


@pytest.fixture
def stuck(store):
    """A key that a time far in the future holds, and what it has superseded."""
    pipeline = Pipeline(store)
    pipeline.receive(asking("evt_far", {"tier": "gold", "seats": "5"}, NOW + 9999 * DAY))
    pipeline.deliver()
    pipeline.receive(asking("evt_later", {"tier": "silver"}, NOW + SECOND))
    pipeline.deliver()
    assert pipeline.metronome.held[ENTITY_ID]["tier"] == "gold"
    return pipeline


def test_a_key_that_is_released_is_set_by_the_next_event_whatever_its_time(on_store, stuck):
    result = on_store("fields", "release", "--entity", "customer", "--id", ENTITY_ID, "--key", "tier", "--yes")
    assert result.exit_code == 0, result.output
    assert "1 key freed" in result.output
    held = stuck.store.entities.fields_of("customer", ENTITY_ID)
    assert (held["tier"].value, held["tier"].stamp) == ("gold", (0, 0, 0))
    assert held["seats"].stamp.occurred_at == NOW + 9999 * DAY
    calls = len(stuck.metronome.calls)
    stuck.deliver()
    assert len(stuck.metronome.calls) == calls
    stuck.receive(asking("evt_next", {"tier": "bronze"}, NOW - DAY))
    stuck.deliver()
    assert stuck.metronome.held[ENTITY_ID] == {"tier": "bronze", "seats": "5"}


def test_what_is_released_is_shown_and_asked_first_and_stands_in_log_and_history(on_store, stuck):
    asked = on_store("fields", "release", "--ahead", answer="n\n")
    assert asked.exit_code == 1
    assert all(text in asked.output for text in (ENTITY_ID, "tier", "gold", "2054-04-08", "free 2 keys"))
    assert stuck.store.entities.fields_of("customer", ENTITY_ID)["tier"].stamp.occurred_at > NOW
    done = on_store("fields", "release", "--ahead", answer="y\n")
    assert "2 keys freed" in done.output
    assert "key released" in done.output
    number = stuck.store.events.numbers()[0]
    assert "tier: an operator freed the key" in on_store("events", "show", str(number)).output
    assert on_store("fields", "release", "--ahead", "--yes").exit_code == 1


def test_keys_to_release_are_picked_by_source_and_key_and_never_all_by_accident(on_store, stuck):
    assert on_store("fields", "release", "--yes").exit_code == 2
    assert on_store("fields", "release", "--entity", "customer", "--yes").exit_code == 2
    assert on_store("fields", "release", "--source", "hubspot", "--yes").exit_code == 1
    assert "2 keys freed" in on_store("fields", "release", "--source", "stripe", "--yes").output


def test_fields_are_shown_with_what_decides_who_may_set_them(on_store, stuck):
    lines = on_store("fields", "show", "--key", "seats", "--json").output.splitlines()
    (found,) = map(json.loads, lines)
    assert (found["key"], found["value"], found["stamped"]) == ("seats", "5", to_iso(NOW + 9999 * DAY))
    assert "seats" in on_store("fields", "show").output


def test_a_key_that_an_event_has_set_meanwhile_is_not_released(store, stuck):
    found = store.stamps.find(Scope(ids=(ENTITY_ID,)), ["tier"])
    stuck.receive(asking("evt_farther", {"tier": "iron"}, NOW + 99999 * DAY))
    stuck.deliver()
    assert store.stamps.release(found, NOW) == []
    assert store.entities.fields_of("customer", ENTITY_ID)["tier"].stamp.occurred_at == NOW + 99999 * DAY


def test_a_replay_sets_a_key_that_was_released(on_store, stuck):
    on_store("fields", "release", "--key", "tier", "--yes")
    stuck.store.events.replay(stuck.store.events.numbers())
    stuck.receive()
    stuck.deliver()
    assert stuck.metronome.held[ENTITY_ID]["tier"] == "gold"
