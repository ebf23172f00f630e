"""suggest: what is in a payload, and a first mapping file."""

import json

import pytest

from bridge.errors import BridgeError
from bridge.model import Event
from tests.support.making import ENTITY_ID, NOW
from tests.support.stripe_events import customer_updated, signed

DEAL = {"id": "e1", "type": "deal.won", "company": {"metronome_id": ENTITY_ID, "tier": "gold"}, "seats": [{"n": 3}]}


@pytest.fixture
def deal(put):
    return put("deal.json", json.dumps(DEAL))


def test_every_path_is_listed_with_its_value_and_its_type(run, deal):
    result = run("suggest", deal)
    assert result.exit_code == 0
    rows = [line.split() for line in result.output.splitlines()]
    assert ["company.tier", '"gold"', "text"] in rows
    assert ["seats[0].n", "3", "number", "item.n"] in rows
    assert "for_each: seats" in result.output
    listed = json.loads(run("suggest", deal, "--json").output)
    assert listed[-1] == {
        "path": "seats[0].n",
        "type": "number",
        "value": 3,
        "for_each": "seats",
        "item": "item.n",
        "notes": [],
    }


def test_a_draft_is_checked_and_tried_as_it_is(run, deal):
    path = run.folder / "crm.yaml"
    result = run("suggest", deal, "--sender", "hmac", "-o", path)
    assert result.exit_code == 0
    assert f"{path}: 1 rule, 1 field, and an example" in result.stderr
    assert run("check").exit_code == 0
    assert '"tier": "gold"' in run("try", "crm", deal).output


def test_only_what_is_chosen_is_drafted(run, deal):
    result = run("suggest", deal, "--sender", "token", "--path", "upper(company.tier)")
    assert "      tier: upper(company.tier)" in result.stdout
    assert "a draft: 1 rule, 1 field" in result.stderr
    result = run("suggest", deal, "--sender", "token", "--path", "company.teir")
    assert isinstance(result.exception, BridgeError)
    assert "did you mean 'tier'?" in str(result.exception)


def test_no_file_is_written_over_unless_told_to(run, deal):
    path = run.folder / "stripe.yaml"
    before = path.read_text()
    result = run("suggest", deal, "--sender", "hmac", "-o", path)
    assert result.exit_code == 2
    assert "is there already" in result.output
    assert path.read_text() == before
    assert run("suggest", deal, "--sender", "hmac", "-o", path, "--force").exit_code == 0
    assert path.read_text() != before


@pytest.mark.parametrize("name", ["Crm.yaml", "crm.txt", "a b.yaml"])
def test_a_name_that_cannot_be_part_of_a_url_is_refused(run, deal, name):
    result = run("suggest", deal, "--sender", "hmac", "-o", run.folder / name)
    assert result.exit_code == 2
    assert not (run.folder / name).exists()


def test_a_draft_needs_a_sender(run, deal):
    result = run("suggest", deal, "--all")
    assert result.exit_code == 2
    assert "who sends this?" in result.output


def test_a_whole_request_tells_its_sender(run, put):
    given = signed(customer_updated(tier="gold"))
    head = "POST / HTTP/1.1\r\nStripe-Signature: " + given["headers"]["Stripe-Signature"]
    request = put("event.http", head.encode() + b"\r\n\r\n" + given["data"])
    result = run("suggest", request, "--all")
    assert "sender: stripe" in result.stdout
    assert given["headers"]["Stripe-Signature"] not in result.stdout
    assert "event customer.updated (stripe)" in run("suggest", request).output


def test_a_source_reads_what_its_sender_posts_and_so_do_stored_events(run, put, database_url, store):
    event = put("event.json", json.dumps(customer_updated(tier="gold")))
    assert "event customer.updated (stripe)" in run("suggest", event, "--source", "stripe").output
    store.events.add("stripe", [Event("evt_9", "customer.updated", customer_updated(tier="gold"), NOW)], {}, NOW + 1)
    (stored,) = store.events.find()
    result = run("suggest", stored.id, DATABASE_URL=database_url)
    assert "data.object.metadata.tier" in result.output
    assert run("suggest", stored.id, "--all", DATABASE_URL=database_url).exit_code == 0


@pytest.mark.parametrize("content", ["", "{", "[]", "5", "null", b"\xff", '"text"', "[[]]", "{}"])
def test_what_is_no_event_is_answered_in_one_line(run, put, content):
    result = run("suggest", put("event.json", content), "--sender", "hmac", "--all")
    assert isinstance(result.exception, BridgeError)
    assert "\n" not in str(result.exception)


def test_standard_input_will_do(run):
    assert "company.tier" in run("suggest", "-", answer=json.dumps(DEAL)).output


def test_names_in_a_payload_cannot_move_the_cursor(run, put):
    assert "\x1b" not in run("suggest", put("odd.json", json.dumps({"\x1b[2J": "\x1b[2J\u202e"}))).output
