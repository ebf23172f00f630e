"""Whatever comes in has its answer, the process survives, and nothing wrong goes on."""

import io
import json

import pytest

from bridge.model import EventState
from bridge.pipeline.translate import translate
from bridge.times import SECOND
from tests.support.making import NOW
from tests.support.stripe_events import customer_updated, signed

URL = "/webhooks/stripe"
GOOD = json.dumps(customer_updated()).encode()
NOT_VERIFIED, NOT_THIS_SHAPE = (401, "not_verified"), (400, "not_this_shape")


def with_value(raw):
    """The good body, with raw JSON where the tier belongs."""
    return GOOD.replace(b'"gold"', raw)


def tampered():
    given = signed(GOOD)
    return given | {"data": given["data"].replace(b"gold", b"free")}


#: Made when it is sent: signatures are good for five minutes.
REFUSED = {
    "unsigned": (lambda: {"data": GOOD}, NOT_VERIFIED),
    "empty signature": (lambda: {"data": GOOD, "headers": {"Stripe-Signature": ""}}, NOT_VERIFIED),
    "nonsense signature": (lambda: {"data": GOOD, "headers": {"Stripe-Signature": "t=1,v1=\xff,v1=zz"}}, NOT_VERIFIED),
    "another secret": (lambda: signed(GOOD, "whsec_other"), NOT_VERIFIED),
    "expired": (lambda: signed(GOOD, at=1_700_000_000), NOT_VERIFIED),
    "from the future": (lambda: signed(GOOD, at=4_000_000_000), NOT_VERIFIED),
    "tampered": (tampered, NOT_VERIFIED),
    "empty": (lambda: signed(b""), NOT_THIS_SHAPE),
    "broken": (lambda: signed(GOOD[:-20]), NOT_THIS_SHAPE),
    "no JSON": (lambda: signed(b"tier=gold"), NOT_THIS_SHAPE),
    "an array": (lambda: signed(b"[" + GOOD + b"]"), NOT_THIS_SHAPE),
    "text": (lambda: signed(b'"gold"'), NOT_THIS_SHAPE),
    "null": (lambda: signed(b"null"), NOT_THIS_SHAPE),
    "100,000 levels": (lambda: signed(with_value(b"[" * 100_000 + b"]" * 100_000)), NOT_THIS_SHAPE),
    "100,000 open brackets": (lambda: signed(b"[" * 100_000), NOT_THIS_SHAPE),
    "NaN": (lambda: signed(with_value(b"NaN")), NOT_THIS_SHAPE),
    "a number beyond all floats": (lambda: signed(with_value(b"1e400")), NOT_THIS_SHAPE),
    "Infinity": (lambda: signed(with_value(b"-Infinity")), NOT_THIS_SHAPE),
    "a lone surrogate": (lambda: signed(with_value(b'"\\ud800"')), NOT_THIS_SHAPE),
    "a byte order mark": (lambda: signed(b"\xef\xbb\xbf" + GOOD), NOT_THIS_SHAPE),
    "no id": (lambda: signed({"type": "customer.updated", "created": 1}), NOT_THIS_SHAPE),
    "an id with a NUL": (lambda: signed(customer_updated("evt_\0")), NOT_THIS_SHAPE),
    "an endless id": (lambda: signed(customer_updated("e" * 10_000)), NOT_THIS_SHAPE),
    "a time before 1970": (lambda: signed(customer_updated(created=-1)), NOT_THIS_SHAPE),
    "a time beyond all bounds": (lambda: signed(customer_updated(created=10**30)), NOT_THIS_SHAPE),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_proves_nothing_or_is_no_event_is_refused_and_not_stored(client, name):
    given, expected = REFUSED[name]
    response = client.post(URL, **given())
    assert (response.status_code, response.get_json()["error"]["code"]) == expected
    assert client.bridge.store.events.find() == []
    assert "gold" not in response.text
    assert client.post(URL, **signed(GOOD)).status_code == 200


def test_ten_megabytes_are_too_large(client):
    response = client.post(URL, **signed(with_value(b'"' + b"y" * (10 << 20) + b'"')))
    assert (response.status_code, response.get_json()["error"]["code"]) == (413, "request_entity_too_large")
    assert client.bridge.store.events.find() == []
    assert client.post(URL, **signed(GOOD)).status_code == 200


@pytest.mark.parametrize(("path", "status"), [(URL, 413), ("/webhooks/unknown", 404), ("/nowhere", 404)])
def test_a_body_is_taken_to_its_end_before_it_is_refused(client, path, status):
    """A proxy that is cut off while it sends answers 502 in our place."""
    body = io.BytesIO(b"x" * (10 << 20))
    assert client.post(path, input_stream=body, content_length=10 << 20).status_code == status
    assert body.tell() == 10 << 20


PLACE = "rule 'customer': field tier: data.object.metadata.tier"
FAILED = {
    "5,000 characters": (with_value(b'"' + b"x" * 5000 + b'"'), f"{PLACE} has 5000 characters"),
    "an object": (with_value(b'{"first": "A"}'), f"{PLACE} is an object"),
    "a list": (with_value(b"[1]"), f"{PLACE} is a list"),
    "a huge number": (with_value(b"1e300"), f"{PLACE} is a number beyond 64 bits"),
    "a NUL": (with_value(b'"a\\u0000b"'), f"{PLACE} contains a NUL character"),
    "an id that is no UUID": (
        json.dumps(customer_updated(metronome_id="not-a-uuid")).encode(),
        "rule 'customer': id: data.object.metadata.metronome_id is no UUID",
    ),
    "an id that is an object": (
        json.dumps(customer_updated(metronome_id={"a": 1})).encode(),
        "rule 'customer': id: data.object.metadata.metronome_id is an object",
    ),
    "no id": (
        json.dumps(customer_updated(metronome_id=None)).encode(),
        "rule 'customer': id: data.object.metadata.metronome_id is null or empty",
    ),
}


@pytest.mark.parametrize("name", FAILED)
def test_what_was_verified_is_kept_as_failed_with_the_rule_the_field_and_the_path(client, name):
    body, reason = FAILED[name]
    assert client.post(URL, **signed(body)).status_code == 200
    (found,) = translated(client.bridge)
    assert found.state == EventState.FAILED
    assert found.reason.startswith(reason)
    assert client.bridge.store.changes.of_event(found.id) == []


KEPT = {
    "null removes the key": (with_value(b"null"), {"tier": None, "name": "Acme"}),
    "empty text removes the key": (with_value(b'""'), {"tier": None, "name": "Acme"}),
    "of a repeated key the last value counts": (
        with_value(b'"bronze", "tier": "gold"'),
        {"tier": "gold", "name": "Acme"},
    ),
    "the largest 64 bit number is exact": (
        with_value(b"18446744073709551615"),
        {"tier": str(2**64 - 1), "name": "Acme"},
    ),
    "a number beyond 64 bits is kept as it was sent": (
        with_value(b"18446744073709551616"),
        {"tier": str(2**64), "name": "Acme"},
    ),
    "a number of more digits than a double holds is kept as it was sent": (
        with_value(b"12345678901234567.89"),
        {"tier": "12345678901234567.89", "name": "Acme"},
    ),
    "a small decimal stays plain": (with_value(b"1e-7"), {"tier": "0.0000001", "name": "Acme"}),
    "true is text": (with_value(b"true"), {"tier": "true", "name": "Acme"}),
    "200 characters fit": (with_value(b'"' + b"x" * 200 + b'"'), {"tier": "x" * 200, "name": "Acme"}),
    "a huge number that nothing maps does not matter": (
        GOOD.replace(b'"created"', b'"other": 1e300, "created"', 1),
        {"tier": "gold", "name": "Acme"},
    ),
}


@pytest.mark.parametrize("name", KEPT)
def test_what_is_odd_but_clear_is_carried_as_it_should(client, name):
    body, values = KEPT[name]
    assert client.post(URL, **signed(body)).status_code == 200
    (found,) = translated(client.bridge)
    (change,) = client.bridge.store.changes.of_event(found.id)
    assert change.values == values


XML = {
    "a bomb": b'<!DOCTYPE b [<!ENTITY a "x"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><b>&b;</b>',
    "an external entity": b'<!DOCTYPE b [<!ENTITY a SYSTEM "file:///etc/passwd">]><b>&a;</b>',
    "an external document type": b'<!DOCTYPE b SYSTEM "http://127.0.0.1:9/x.dtd"><b/>',
    "no SOAP": b"<b/>",
    "broken": b"<b>",
    "200,000 levels": b"<b>" * 200_000,
    "empty": b"",
    "JSON": b"{}",
}


@pytest.mark.parametrize("name", XML)
def test_xml_that_is_no_message_is_refused(make_client, name):
    mapping = """
sender: salesforce
secrets: ["${STRIPE_WEBHOOK_SECRET}"]
rules: [{name: r, entity: customer, lookup: {salesforce_account_id: sObject.Id}, fields: {a: sObject.Name}}]
"""
    client = make_client({"salesforce": mapping}, STRIPE_WEBHOOK_SECRET="s")
    response = client.post("/webhooks/salesforce?secret=s", data=XML[name], content_type="text/xml")
    assert (response.status_code, response.get_json()["error"]["code"]) == NOT_THIS_SHAPE
    assert "root:" not in response.text
    assert client.bridge.store.events.find() == []


def translated(bridge):
    """Every event, after the worker's first step."""
    store = bridge.store
    while store.events.translate(lambda found: translate(found, bridge.mappings.sources), 10, NOW + SECOND):
        pass
    return store.events.find()
