"""What one request may hold: the number of its events, and what each of them may become."""

import time

import orjson
import pytest

from bridge.errors import TooMuchError
from bridge.model import Request
from bridge.senders import SENDERS, base
from bridge.times import SECOND
from tests.support.making import NOW

MANY = base.MAX_EVENTS + 1
#: Far more than any of these should take, and far less than the square of their sizes would.
BOUND_SECONDS = 10


def envelope(inner: str, *, head: str = "") -> bytes:
    return (
        '<Envelope xmlns="http://schemas.xmlsoap.org/soap/envelope/"'
        f' xmlns:o="http://soap.sforce.com/2005/09/outbound" {head}>'
        f"<Body><o:notifications>{inner}</o:notifications></Body></Envelope>"
    ).encode()


def elements(count: int = MANY) -> list[int]:
    return [1] * count


BATCHES = {
    "attio": orjson.dumps({"events": elements()}),
    "hubspot": orjson.dumps(elements()),
    "hmac": orjson.dumps(elements()),
    "token": orjson.dumps(elements()),
    "zuora": orjson.dumps(elements()),
    "segment": orjson.dumps(elements()),
    "rudderstack": orjson.dumps(elements()),
    "microsoft-graph": orjson.dumps({"value": elements()}),
    "zoho": orjson.dumps({"ids": elements()}),
    "salesforce": envelope("<o:Notification/>" * MANY),
    "salesforce-json": orjson.dumps(elements()),
}


def read(name, body, **headers):
    sender = SENDERS[name].bound({"header": "X-Signature"} if name == "hmac" else {})
    return sender.read(Request("POST", f"/webhooks/{name}", headers, body), NOW)


@pytest.mark.parametrize("name", BATCHES)
def test_a_request_with_too_many_events_is_refused_with_the_limit_and_the_remedy(name):
    with pytest.raises(TooMuchError, match=rf"{MANY} events: at most {base.MAX_EVENTS} are accepted.*smaller"):
        read(name, BATCHES[name])
    assert TooMuchError.status == 413


@pytest.mark.parametrize("name", sorted(set(SENDERS) - set(BATCHES)))
def test_no_other_sender_makes_an_event_of_each_element_of_a_list(name):
    """A sender that does belongs into the table above."""
    for body in (
        elements(),
        {"events": elements()},
        {"items": elements()},
        {"data": elements()},
        {"value": elements()},
    ):
        try:
            found = read(name, orjson.dumps(body))
        except Exception:  # noqa: BLE001
            continue
        assert len(found) == 1


def test_a_form_with_too_many_fields_is_refused():
    body = b"&".join(b"%d=1" % number for number in range(6000))
    with pytest.raises(TooMuchError, match="more than 5000 fields"):
        read("zoho-workflow", body, **{"content-type": "application/x-www-form-urlencoded"})


def quick(make):
    """What it gives, if it takes no longer than its size says."""
    begun = time.perf_counter()
    made = make()
    assert time.perf_counter() - begun < BOUND_SECONDS
    return made


def test_notifications_that_cannot_be_read_do_not_each_repeat_the_envelope():
    body = envelope("<o:Notification/>" * base.MAX_EVENTS, head=f'xmlns:z="{"z" * 900_000}"')
    assert len(quick(lambda: read("salesforce", body))) == base.MAX_EVENTS


def test_a_name_of_a_field_is_not_repeated_for_ever_so_many_parts():
    field = {"k" * 300_000: {"value": 1, **{f"part{number}": number for number in range(40_000)}}}
    meta = {"id": "1", "action": "change", "entity": "deal", "entity_id": "1", "timestamp": "2026-11-27T00:00:00Z"}
    (event,) = quick(lambda: read("pipedrive", orjson.dumps({"meta": meta, "data": {"custom_fields": field}})))
    assert event.payload["data"]["custom_fields"] == field


def test_many_images_of_a_row_take_no_square_of_their_time():
    def image(number):
        columns = [{"key": f"column{number}", "value": number}, {"key": "owner", "value": {"Id": 1, f"k{number}": 1}}]
        return {"key": f"image{number}", "value": {"Attributes": columns}}

    body = {
        "PrimaryEntityName": "account",
        "MessageName": "Update",
        "OperationCreatedOn": f"/Date({NOW // SECOND * 1000})/",
        "PostEntityImages": [image(number) for number in range(8_000)],
    }
    (event,) = quick(lambda: read("dataverse", orjson.dumps(body)))
    assert len(event.payload["record"]) == 8_001
