"""What is odd about Attio: https://docs.attio.com/rest-api/guides/webhooks"""

import json
from typing import Any

import pytest

from bridge.errors import NotThisShapeError, NotVerifiedError
from bridge.model import Event, Request
from bridge.senders import SENDERS
from bridge.times import SECOND
from tests.mapping.making import lint
from tests.senders.fixtures import one, with_header
from tests.senders.vendors import openssl_hex

ATTIO = SENDERS["attio"]
SECRET = "a-secret-of-the-webhook"
NOW = 1795341605 * SECOND
UPDATED = {"event_type": "record.updated", "id": {"record_id": "bf071e1f"}}
MAPPING = """\
sender: attio
secrets: ["${{SECRET}}"]
rules:
  - name: record
    events: [record.updated]
    entity: customer
    lookup: {{ingest_alias: id.record_id}}
    fields: {{tier: {path}}}
"""


def read(events: Any, key: str | None = "k-1", now: int = NOW) -> list[Event]:
    headers = {} if key is None else {"idempotency-key": key}
    return ATTIO.read(Request("POST", "/", headers, json.dumps({"events": events}).encode()), now)


def test_the_signature_is_that_of_openssl():
    signed = ATTIO.sign(Request("POST", "/", {}, b'{"events":[]}'), SECRET, NOW)
    assert signed.header("Attio-Signature") == openssl_hex(b'{"events":[]}', SECRET)


def test_a_signature_in_the_old_header_alone_proves_nothing():
    """Attio always sends both."""
    fixture = one("attio", "record_updated")
    assert fixture.request.header("X-Attio-Signature")
    with pytest.raises(NotVerifiedError, match="Attio-Signature is missing"):
        fixture.unwrap(request=with_header(fixture.request, "Attio-Signature", None))


def test_the_same_change_made_twice_is_two_events_and_a_repeat_is_none():
    first, second, again = (read([UPDATED], key, NOW + n * SECOND) for n, key in enumerate(("k-1", "k-2", "k-1")))
    assert first[0].event_id != second[0].event_id
    assert first == again


def test_without_a_key_each_request_is_an_event_of_its_own():
    ids = {event.event_id for now in (NOW, NOW + SECOND) for event in read([UPDATED, UPDATED], None, now)}
    assert len(ids) == 4


@pytest.mark.parametrize("element", [None, 7, "text", [], {}, {"event_type": None}, {"event_type": ["record.updated"]}])
def test_a_bad_element_does_not_refuse_the_others(element):
    good, bad, last = read([UPDATED, element, UPDATED])
    assert (good.problem, last.problem) == (None, None)
    assert bad.problem
    assert read([UPDATED, element, UPDATED])[1] == bad


@pytest.mark.parametrize("events", [None, {}, "text", 7])
def test_events_that_are_no_list_are_refused(events):
    with pytest.raises(NotThisShapeError, match=r"^events is "):
        read(events)


def test_no_event_at_all_is_no_error():
    assert read([]) == []


@pytest.mark.parametrize(
    ("path", "warned"),
    [("values.tier", True), ("record.name", True), ("id.attribute_id", False), ("actor.id", False)],
)
def test_lint_warns_of_values_which_attio_does_not_send(path, warned):
    _, problems = lint(MAPPING.format(path=path))
    assert any(f"attio sends no {path} with these events" in str(problem) for problem in problems) is warned
