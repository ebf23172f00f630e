"""try: what would be written, and how it comes about."""

import json
import os
import pty
import re
import signal
import subprocess

import pytest

from bridge.cli.watch import watch
from bridge.errors import BridgeError, OperatorError
from bridge.model import Event
from tests.support.making import ENTITY_ID, NOW
from tests.support.processes import Process, ending, ours, until
from tests.support.stripe_events import customer_updated, signed

#: A rule for each thing that can become of one, and a field for each way that it can go.
EVERYTHING = """\
sender: none
options: {i_understand_anyone_can_post: true, event_type: type, event_time: at}
rules:
  - name: profile
    events: [deal.*]
    when: amount > `5`
    entity: customer
    id: company.metronome_id
    fields:
      stage: upper(stage)
      note: {path: note, too_long: truncate}
      plan: {path: plan, default: free}
      owner: ownr
      region: region
      synced_from: {value: crm}
  - {name: lost, events: [deal.lost], entity: customer, id: id, fields: {a: b}}
  - {name: small, when: amount < `5`, entity: customer, id: id, fields: {a: b}}
  - name: seats
    for_each: items
    entity: subscription
    id: item.id
    fields: {seats: item.seats}
"""
DEAL = {
    "type": "deal.won",
    "at": "2026-11-22T10:00:00Z",
    "amount": 1000,
    "stage": "won",
    "note": "x" * 201,
    "owner": "Ada",
    "region": None,
    "company": {"metronome_id": ENTITY_ID},
    "items": [{"id": ENTITY_ID, "seats": 3}, {"id": "?", "seats": 4}],
}
TOLD = f"""\
event 2b7d (deal.won) of 2026-11-22 10:00:00 UTC

rule profile
  when   amount > `5` is true
         amount = 1000
  for    customer {ENTITY_ID}   from company.metronome_id
  set    stage = "WON"   from upper(stage)
         stage = "won"
  set    note = "{"x" * 71}... (200 characters)   from note, cut to 200 characters (too_long: truncate)
  set    plan = "free"   the default, because plan finds nothing
         the payload has no 'plan': it has type, at, amount, stage, note, owner, region, company, items
  leave  owner   because ownr finds nothing (when_missing: skip)
         the payload has no 'ownr': did you mean 'owner'? it has type, at, amount, stage, note, owner, region, company,\
 items
  remove region   because region is null (when_null: remove)
  set    synced_from = "crm"   a constant

rule lost: not for this type of event, but for deal.lost

rule small
  skipped because when does not hold: amount < `5` is false
         amount = 1000

rule seats
  for each of items: 2 elements
  [0]
    for    subscription {ENTITY_ID}   from item.id
    set    seats = "3"   from item.seats
  [1]
    fails  id: item.id is no UUID
           item.id = "?"
    set    seats = "4"   from item.seats
    so this makes no change

3 calls would be made
POST /v1/customFields/setValues
{{
  "entity": "customer",
  "entity_id": "{ENTITY_ID}",
"""


@pytest.fixture
def deal(run, put):
    """The path of an event, with a mapping for it."""
    (run.folder / "crm.yaml").write_text(EVERYTHING)
    return put("deal.json", json.dumps(DEAL))


def test_try_tells_what_became_of_every_rule_and_every_field(run, deal):
    result = run("try", "crm", deal)
    assert result.exit_code == 1
    first, *lines = result.output.splitlines()
    expected, *told = TOLD.splitlines()
    assert first.split(" ", 2)[2] == expected.split(" ", 2)[2]
    assert lines[: len(told)] == told
    assert result.output.endswith("1 failure: see above\n")


def test_try_shows_what_would_be_written(run, put):
    result = run("try", "stripe", put("event.json", json.dumps(customer_updated(tier="gold"))))
    assert result.exit_code == 0
    assert f"for    customer {ENTITY_ID}" in result.output
    assert '"tier": "gold"' in result.output


def test_the_changes_alone_are_short(run, deal):
    result = run("try", "crm", deal, "--changes")
    assert result.exit_code == 1
    assert f"  profile: customer {ENTITY_ID}" in result.output
    assert '    set    plan = "free"' in result.output
    assert "    remove region" in result.output
    assert "  fails: rule 'seats' [1]: id: item.id is no UUID" in result.output
    assert "upper(stage)" not in result.output


def test_as_json_it_is_all_there(run, deal):
    result = run("try", "crm", deal, "--json")
    told = json.loads(result.output)
    assert result.exit_code == 1
    assert told["failed"] is True
    assert [rule["fate"] for rule in told["events"][0]["rules"]] == ["change", "other-type", "not-when", "failed"]
    stage, *_, owner, _, _ = told["events"][0]["rules"][0]["scopes"][0]["fields"]
    assert stage["from"]["steps"][0] == {"text": "stage", "value": "won", "problem": None, "ending": None}
    assert (owner["branch"], owner["from"]["steps"][0]["missing"]) == ("skipped-missing", True)
    assert told["calls"][0]["body"]["custom_fields"]["plan"] == "free"


def test_try_says_which_rule_fails_and_why(run, put):
    result = run("try", "stripe", put("event.json", json.dumps(customer_updated(metronome_id="x"))))
    assert result.exit_code == 1
    assert "fails  id: data.object.metadata.metronome_id is no UUID" in result.output


def test_no_secret_is_needed(run, put):
    event = put("event.json", json.dumps(customer_updated(tier="gold")))
    assert run("try", "stripe", event, STRIPE_WEBHOOK_SECRET="").exit_code == 0


def test_try_takes_a_whole_request(run, put):
    given = signed(customer_updated(tier="gold"))
    head = "POST /webhooks/stripe HTTP/1.1\r\nHost: x\r\nStripe-Signature: " + given["headers"]["Stripe-Signature"]
    for separator in ("\r\n", "\n"):
        request = head.replace("\r\n", separator) + 2 * separator
        result = run("try", "stripe", put("event.http", request.encode() + given["data"]))
        assert result.exit_code == 0
        assert '"tier": "gold"' in result.output


@pytest.mark.parametrize("as_request", [True, False])
def test_try_takes_standard_input(run, as_request):
    body = json.dumps(customer_updated(tier="gold"))
    result = run("try", "stripe", "-", answer=f"POST / HTTP/1.1\r\nHost: x\r\n\r\n{body}" if as_request else body)
    assert result.exit_code == 0
    assert '"tier": "gold"' in result.output


def test_try_takes_the_number_of_a_stored_event(run, database_url, store):
    store.events.add("stripe", [Event("evt_9", "customer.updated", customer_updated(tier="gold"), NOW)], {}, NOW + 1)
    (stored,) = store.events.find()
    result = run("try", "stripe", stored.id, DATABASE_URL=database_url)
    assert result.exit_code == 0
    assert "event evt_9 (customer.updated) of 2026-11-22 10:00:00 UTC" in result.output
    assert '"tier": "gold"' in result.output
    for unknown in ("4711", "9" * 30):
        result = run("try", "stripe", unknown, DATABASE_URL=database_url)
        assert str(result.exception) == f"there is no event {unknown}"


def test_try_takes_a_mapping_file_that_is_anywhere(run, put, deal):
    assert run("try", put("draft.yaml", EVERYTHING), deal).exit_code == 1
    result = run("try", put("draft.yaml", EVERYTHING.replace("entity: customer", "entity: custmer")), deal)
    assert isinstance(result.exception, OperatorError)
    assert "draft.yaml:7:13: 'custmer' is not known" in str(result.exception)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("event.json", "{", "not JSON"),
        ("event.json", "[]", "an object was expected"),
        ("event.json", "", "not JSON"),
        ("event.json", b"\xff\x00", "not JSON"),
        ("event.http", "x", "no HTTP"),
    ],
)
def test_try_explains_a_file_that_is_no_event(run, put, name, content, words):
    result = run("try", "stripe", put(name, content))
    assert isinstance(result.exception, BridgeError)
    assert words in str(result.exception)


def test_what_is_neither_a_file_nor_a_number_is_a_wrong_command_line(run):
    result = run("try", "stripe", "nowhere.json")
    assert result.exit_code == 2
    assert "there is no file 'nowhere.json'" in result.output


def test_what_a_payload_holds_cannot_move_the_cursor(run, deal, put):
    odd = "\x1b[2J\x9b31m\u202e\r"
    event = put("odd.json", json.dumps({**DEAL, "stage": odd, odd: 1, "type": "deal.won", "plan": [odd]}))
    output = run("try", "crm", event).output
    assert not set(odd) & set(output) - set("[2J31m")
    assert "\\u001b" in output


@pytest.mark.parametrize("width", [40, 100])
def test_no_line_is_wider_than_the_terminal(run, deal, width):
    here, there = pty.openpty()
    environ = {**os.environ, "COLUMNS": str(width), "TERM": "xterm", "BRIDGE_MAPPINGS": str(run.folder)}
    with subprocess.Popen(ours("try", "crm", str(deal)), stdout=there, stderr=there, env=environ) as process:
        os.close(there)
        text = b"".join(iter(lambda: said(here), b"")).decode()
    os.close(here)
    assert process.returncode == 1
    assert "\x1b[" in text
    lines = re.sub(r"\x1b\[[0-9;]*m", "", text).split("\r\n")
    story = lines[: lines.index(next(line for line in lines if line.startswith("3 calls")))]
    assert max(map(len, story)) <= width


def said(terminal):
    """What comes next, or nothing once nobody holds the other end."""
    try:
        return os.read(terminal, 1 << 16)
    except OSError:
        return b""


def test_nothing_is_coloured_where_nobody_looks(run, deal):
    assert "\x1b" not in run("try", "crm", deal).output


def test_a_reader_who_goes_away_is_no_error(run, deal):
    environ = {**os.environ, "BRIDGE_MAPPINGS": str(run.folder)}
    command = ours("try", "crm", str(deal))
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environ) as process:
        process.stdout.close()
        assert b"Traceback" not in process.stderr.read()


def watched(path, *polls):
    """What is seen of a file if this happens to it between one look and the next."""
    seen = []
    waiting = iter(polls)

    def sleep(_):
        action = next(waiting, None)
        if action is None:
            raise KeyboardInterrupt
        action()

    watch([path], lambda: seen.append(path.read_text() if path.exists() else None), sleep)
    return seen


def nothing():
    pass


def test_a_file_is_looked_at_at_once_and_whenever_it_was_saved(tmp_path):
    path = tmp_path / "event.json"
    path.write_text("1")
    save = path.write_text
    assert watched(path, nothing, nothing) == ["1"]
    assert watched(path, lambda: save("2"), nothing, lambda: save("3"), nothing) == ["1", "2", "3"]


def test_a_half_written_file_is_waited_for(tmp_path):
    path = tmp_path / "event.json"
    path.write_text("1")
    save = path.write_text
    assert watched(path, lambda: save(""), lambda: save("2"), lambda: save("23"), nothing) == ["1", "23"]


def test_a_replaced_file_is_seen_and_one_that_is_gone_for_a_moment_is_not_missed(tmp_path):
    path, other = tmp_path / "event.json", tmp_path / "event.json.tmp"
    path.write_text("1")
    other.write_text("2")
    polls = [path.unlink, lambda: other.replace(path), nothing, path.unlink, nothing]
    assert watched(path, *polls) == ["1", "2", None]


@pytest.mark.slow
def test_watching_shows_mistakes_as_they_are_made_and_mended_and_ends_with_ctrl_c(run, deal, tmp_path):
    mapping = run.folder / "crm.yaml"
    process = Process(
        ours("try", "crm", str(deal), "--watch"), {**os.environ, "BRIDGE_MAPPINGS": str(run.folder)}, tmp_path
    )
    with ending([process]):
        until(lambda: '"stage": "WON"' in process.said, process)
        mapping.write_text(EVERYTHING.replace("upper(stage)", "lowr(stage)"))
        until(lambda: "did you mean 'lower'?" in process.said, process)
        deal.write_text("{")
        mapping.write_text(EVERYTHING.replace("upper(stage)", "lower(stage)"))
        until(lambda: "not JSON" in process.said, process)
        deal.write_text(json.dumps({**DEAL, "stage": "LOST"}))
        until(lambda: '"stage": "lost"' in process.said, process)
        process.popen.send_signal(signal.SIGINT)
        assert process.popen.wait(60) == 0
    assert "Traceback" not in process.said
    assert "\x1b" not in process.said


def test_a_time_in_the_future_is_shown_as_dated_by_receipt(run, put):
    event = {**customer_updated(), "created": 4_000_000_000}
    result = run("try", "stripe", put("event.json", json.dumps(event)))
    assert "dated by receipt" in result.output
    assert "in the future (future_events)" in result.output
