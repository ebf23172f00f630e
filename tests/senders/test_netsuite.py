"""The script that NetSuite runs, and the module that reads what it posts."""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bridge.errors import NotThisShapeError, NotVerifiedError
from bridge.model import Event, Request
from bridge.senders import SENDERS
from bridge.times import SECOND
from tests.senders.fixtures import one
from tests.senders.vendors import openssl_hex
from tests.support.suitescript import SCRIPT, SECRET, run

NETSUITE = SENDERS["netsuite"]
SECONDS = 1795341600
NOW = SECONDS * SECOND
CUSTOMER = {
    "type": "customer",
    "id": 1207,
    "values": {
        "entityid": "C-4711",
        "companyname": 'Acme & Söhne "🏛" \\ \u2028',
        "salesrep": "17",
        "creditlimit": 5000.5,
        "isinactive": False,
        "custentity_renewal_date": {"date": [2027, 3, 31]},
    },
    "texts": {"salesrep": "Jane Doe", "custentity_tier": "Gold"},
}


def requested(call: dict[str, Any]) -> Request:
    headers = {name.lower(): value for name, value in call["headers"].items()}
    return Request("POST", "/webhooks/netsuite", headers, call["body"].encode("latin-1"))


def unwrap(call: dict[str, Any], secret: str = SECRET) -> Event:
    request = requested(call)
    [event] = NETSUITE.unwrap(request, [secret], int(request.header("X-NetSuite-Timestamp")) * SECOND)
    return event


def test_what_the_script_posts_is_verified_and_read():
    [call] = run("edit", CUSTOMER)["posted"]
    event = unwrap(call)
    assert event.event_type == "customer.edit"
    assert event.event_id == f"customer:1207:{event.payload['lastModified']}"
    assert event.payload["recordId"] == "1207"
    assert event.payload["record"]["companyname"] == CUSTOMER["values"]["companyname"]
    assert event.payload["record"] | {"companyname": ""} == {
        "entityid": "C-4711",
        "companyname": "",
        "salesrep": "17",
        "terms": None,
        "currency": None,
        "creditlimit": 5000.5,
        "entitystatus": None,
        "isinactive": False,
        "custentity_tier": None,
        "custentity_renewal_date": "2027-03-31",
    }
    assert event.payload["labels"]["salesrep"] == "Jane Doe"
    assert event.payload["labels"]["terms"] is None


def test_the_script_signs_as_the_captured_requests_are_signed():
    [call] = run("edit", CUSTOMER)["posted"]
    headers = call["headers"]
    message = f"{headers['X-NetSuite-Timestamp']}.{call['body']}".encode()
    assert headers["X-NetSuite-Signature"] == openssl_hex(message, SECRET).upper()
    assert {name.lower() for name in headers} < set(one("netsuite", "customer_edited").request.headers)


def test_the_script_posts_bytes_that_no_encoding_changes():
    [call] = run("edit", CUSTOMER)["posted"]
    assert call["body"].isascii()


def test_another_secret_does_not_verify_what_the_script_posts():
    [call] = run("edit", CUSTOMER)["posted"]
    with pytest.raises(NotVerifiedError):
        unwrap(call, "another")


def test_the_time_is_when_the_record_was_saved():
    [call] = run("edit", CUSTOMER)["posted"]
    event = unwrap(call)
    saved = datetime.fromisoformat(event.payload["lastModified"])
    assert abs(datetime.now(UTC) - saved) < timedelta(minutes=5)
    assert event.occurred_at == round(saved.timestamp() * 1000) * 1000


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/Los_Angeles", "Pacific/Kiritimati"])
def test_a_date_is_the_same_in_every_zone(zone):
    [call] = run("edit", CUSTOMER, zone=zone)["posted"]
    assert unwrap(call).payload["record"]["custentity_renewal_date"] == "2027-03-31"


def test_a_time_of_day_is_sent_in_utc():
    timed = {**CUSTOMER, "values": {"custentity_renewal_date": {"date": [2027, 3, 31, 9, 30]}}}
    [call] = run("edit", timed, zone="Asia/Tokyo")["posted"]
    assert unwrap(call).payload["record"]["custentity_renewal_date"] == "2027-03-31T00:30:00.000Z"


def test_editing_in_a_list_sends_the_whole_record():
    """NetSuite hands over what was edited and nothing else."""
    edited = {"type": "customer", "id": 1207, "values": {"salesrep": "17"}, "texts": {}}
    [call] = run("xedit", edited, stored=CUSTOMER)["posted"]
    event = unwrap(call)
    assert (event.event_type, event.payload["record"]["entityid"]) == ("customer.xedit", "C-4711")


def test_a_deleted_record_is_sent_as_it_was():
    [call] = run("delete", CUSTOMER, oldRecord=CUSTOMER, stored=None)["posted"]
    event = unwrap(call)
    assert (event.event_type, event.payload["record"]["entityid"]) == ("customer.delete", "C-4711")


def test_other_records_are_not_sent():
    assert run("edit", {**CUSTOMER, "type": "invoice"}) == {"posted": [], "logged": []}


@pytest.mark.parametrize("codes", [(503,), (500,), (401,), (0,)])
def test_the_script_tries_once_more_and_sends_the_same_event(codes):
    done = run("edit", CUSTOMER, codes=codes)
    first, second = (unwrap(call) for call in done["posted"])
    assert first == second
    assert len(done["logged"]) == 1


def test_the_script_gives_up_without_troubling_whoever_saves():
    done = run("edit", CUSTOMER, codes=(503, 0))
    assert len(done["posted"]) == 2
    assert [entry["title"][-6:] for entry in done["logged"]] == ["1 of 2", "2 of 2"]
    assert "customer:1207:" in done["logged"][1]["details"]


def test_a_record_that_cannot_be_loaded_is_logged():
    done = run("edit", CUSTOMER, stored=None)
    assert done["posted"] == []
    assert "RCRD_DSNT_EXIST" in done["logged"][0]["details"]


def test_the_script_holds_no_secret_and_logs_none():
    assert "custsecret_" in SCRIPT.read_text()
    assert SECRET not in json.dumps(run("edit", CUSTOMER, codes=(503, 503)))


def test_the_script_says_what_netsuite_needs_to_know_of_it():
    header = SCRIPT.read_text().partition("*/")[0]
    assert re.findall(r"@(\w+) (\S+)", header) == [("NApiVersion", "2.1"), ("NScriptType", "UserEventScript")]


@pytest.mark.parametrize("name", ["id", "type", "lastModified"])
@pytest.mark.parametrize("value", [None, True, 1.5, [], {}, "", "x" * 256])
def test_an_event_without_id_type_or_time_is_refused(name, value):
    body = json.dumps({"id": "1", "type": "customer.edit", "lastModified": "2026-11-22T10:00:00Z", name: value})
    signed = NETSUITE.sign(Request("POST", "/", {}, body.encode()), SECRET, NOW)
    with pytest.raises(NotThisShapeError, match=f"^{name} "):
        NETSUITE.unwrap(signed, [SECRET], NOW)


@pytest.mark.parametrize(
    ("timestamp", "signature"),
    [(f"{SECONDS}.0", "good"), (f"0{SECONDS}", "good"), ("now", "good"), (str(SECONDS), "zz"), (str(SECONDS), "")],
)
def test_a_header_that_is_not_the_scripts_is_refused(timestamp, signature):
    good = openssl_hex(f"{SECONDS}.{{}}".encode(), SECRET)
    headers = {"x-netsuite-timestamp": timestamp, "x-netsuite-signature": good if signature == "good" else signature}
    with pytest.raises(NotVerifiedError):
        NETSUITE.unwrap(Request("POST", "/", headers, b"{}"), [SECRET], NOW)
