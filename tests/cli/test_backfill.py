"""The command, as it is called: what it says, what it leaves behind, how it ends."""

import gzip
import json

import pytest

from bridge.errors import FileError, OperatorError
from bridge.model import EventState
from tests.pipeline.test_backfill import CRM
from tests.support.making import ENTITY_ID, OTHER_ID
from tests.support.stripe_events import customer_updated

OPTIONS = ("--type", "customer", "--time-column", "at")
GOOD = f"id,at,tier\n{ENTITY_ID},2020-01-01,gold\n{OTHER_ID},2020-01-02,silver\n"
BAD = GOOD + "nobody,2020-01-01,x\n"


@pytest.fixture
def backfill(run, store, database_url):
    """Runs the command on the store, with a source `crm`."""
    (run.folder / "crm.yaml").write_text(CRM)

    def invoke(*arguments, source="crm", **given):
        return run("backfill", source, *arguments, DATABASE_URL=database_url, **given)

    return invoke


def stored(store):
    return [(event.event_type, event.payload["tier"]) for event in reversed(store.events.find())]


def test_rows_are_stored_and_counted(backfill, put, store):
    result = backfill(put("a.csv", GOOD), *OPTIONS)
    assert result.exit_code == 0, result.output
    assert [line.split() for line in result.output.splitlines()[:3]] == [
        ["2", "rows"],
        ["2", "events", "stored"],
        ["0", "events", "stored", "before"],
    ]
    assert stored(store) == [("customer", "gold"), ("customer", "silver")]
    assert "2 events stored before" in backfill(put("a.csv", GOOD), *OPTIONS).output
    assert len(stored(store)) == 2


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_standard_input_is_a_file_too(backfill, store, pack):
    assert backfill("-", *OPTIONS, answer=pack(GOOD.encode())).exit_code == 0
    assert len(stored(store)) == 2


def test_rejects_are_corrected_and_fed_back(backfill, put, store, tmp_path):
    rejects = tmp_path / "rejects.csv"
    result = backfill(put("a.csv", BAD), *OPTIONS, "--rejects", rejects)
    assert result.exit_code == 1
    assert "1 rows rejected, now in" in result.output
    assert "1 rule 'customer': id: id is no UUID (first: line 4)" in result.output
    assert rejects.read_text() == (
        "backfill_problem,id,at,tier\nrule 'customer': id: id is no UUID,nobody,2020-01-01,x\n"
    )
    rejects.write_text(rejects.read_text().replace("nobody", ENTITY_ID))
    again = tmp_path / "again.csv"
    assert backfill(rejects, *OPTIONS, "--rejects", again).exit_code == 0
    assert stored(store)[-1] == ("customer", "x")
    assert again.read_text() == "backfill_problem,id,at,tier\n"


def test_rejects_may_be_packed(backfill, put, tmp_path):
    backfill(put("a.csv", BAD), *OPTIONS, "--rejects", tmp_path / "r.csv.gz")
    assert b"nobody" in gzip.decompress((tmp_path / "r.csv.gz").read_bytes())


@pytest.mark.parametrize("name", ["rejects.csv", "rejects.csv.gz"])
def test_rejects_are_their_owners_alone(backfill, put, tmp_path, name):
    """They hold what was in the rows."""
    backfill(put("a.csv", BAD), *OPTIONS, "--rejects", tmp_path / name)
    assert (tmp_path / name).stat().st_mode & 0o777 == 0o600


def test_the_file_that_is_read_is_not_overwritten_by_its_rejects(backfill, put):
    path = put("a.csv", BAD)
    assert backfill(path, *OPTIONS, "--rejects", path).exit_code == 2
    assert path.read_text() == BAD


def test_rejects_that_cannot_be_written_are_an_error(backfill, put, tmp_path):
    result = backfill(put("a.csv", BAD), *OPTIONS, "--rejects", tmp_path / "nowhere" / "r.csv")
    assert isinstance(result.exception, OperatorError)
    assert "cannot be written" in str(result.exception)


def test_a_dry_run_stores_nothing_and_shows_values_only_if_asked_for(backfill, put, store):
    path = put("a.csv", GOOD)
    result = backfill(path, *OPTIONS, "--dry-run")
    assert result.exit_code == 0
    assert "2 events would be stored" in result.output
    assert "2 set" in result.output
    assert "gold" not in result.output
    assert (
        f"customer {ENTITY_ID} tier: nothing -> 'gold'\n" in backfill(path, *OPTIONS, "--dry-run", "--details").output
    )
    assert stored(store) == []


def test_an_empty_cell_removes_a_key_only_if_it_is_null(backfill, put):
    path = put("a.csv", f"id,at,tier\n{ENTITY_ID},2020-01-01,\n")
    assert "1 events left out: no rule applies" in backfill(path, *OPTIONS, "--dry-run").output
    result = backfill(path, *OPTIONS, "--dry-run", "--empty", "null")
    assert "1 customer" in result.output


@pytest.mark.parametrize("sign", [";", "tab", "\\t"])
def test_csv_may_have_another_delimiter(backfill, put, store, sign):
    content = GOOD.replace(",", ";" if sign == ";" else "\t")
    assert backfill(put("a.csv", content), *OPTIONS, "--delimiter", sign).exit_code == 0
    assert len(stored(store)) == 2


def test_rows_as_sent_need_no_options(backfill, put, store):
    lines = "".join(json.dumps(customer_updated(f"evt_{number}", 1_577_836_800)) + "\n" for number in range(3))
    assert backfill(put("events.jsonl", lines), "--as-sent", source="stripe", STRIPE_WEBHOOK_SECRET="").exit_code == 0
    assert [event.event_id for event in store.events.find()] == ["evt_2", "evt_1", "evt_0"]


@pytest.mark.parametrize(
    "arguments",
    [(), ("--type", "customer"), (*OPTIONS, "--details"), (*OPTIONS, "--delimiter", "ab"), (*OPTIONS, "--rate", "0")],
)
def test_a_command_line_that_leaves_something_open_is_refused(backfill, put, store, arguments):
    assert backfill(put("a.csv", GOOD), *arguments).exit_code == 2
    assert stored(store) == []


def test_there_must_be_such_a_source(backfill, put):
    result = backfill(put("a.csv", GOOD), *OPTIONS, source="crmm")
    assert isinstance(result.exception, OperatorError)
    assert "did you mean 'crm'" in str(result.exception)


def test_a_broken_file_says_what_was_stored_and_where_it_broke(backfill, put, store):
    result = backfill(put("a.json", f'[{{"id": "{ENTITY_ID}", "at": 1577836800, "tier": "gold"}}, {{'), *OPTIONS)
    assert "1 rows" in result.output
    assert isinstance(result.exception, FileError)
    assert "a.json: element 2 is not JSON" in str(result.exception)


def test_nothing_is_no_file_of_rows(backfill, put):
    assert "there is nothing in it" in str(backfill(put("a.csv", ""), *OPTIONS).exception)
    assert "standard input: there is nothing in it" in str(backfill("-", *OPTIONS, answer=b"").exception)


def test_an_interruption_says_how_to_go_on(backfill, put, store, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("bridge.pipeline.intake.Intake.take", interrupted)
    result = backfill(put("a.csv", GOOD), *OPTIONS)
    assert result.exit_code == 1
    assert "stopped: the same command goes on" in result.output
    monkeypatch.undo()
    assert backfill(put("a.csv", GOOD), *OPTIONS).exit_code == 0
    assert len(stored(store)) == 2
    assert store.events.counts()[EventState.RECEIVED] == 2
