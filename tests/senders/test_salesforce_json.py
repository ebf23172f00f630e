"""What is odd about JSON from Salesforce flows and Apex."""

import json
import re
from pathlib import Path

import pytest
from marshmallow import ValidationError

from bridge.errors import NotThisShapeError, NotVerifiedError
from bridge.model import Event, Request
from bridge.senders import SENDERS, Sender
from bridge.times import SECOND
from tests.senders.vendors import basic_header

SALESFORCE = SENDERS["salesforce-json"]
SECRET = "a-secret-of-ours"
NOW = 1795341600 * SECOND
PLAIN = {"id": "r-1", "type": "Account", "Id": "0015500001WO1ZiABL", "SystemModstamp": "2026-11-22T10:00:00.000Z"}
PAGE = Path(__file__).parent.parent.parent / "docs" / "senders" / "salesforce-json.md"


def bound(**options: str) -> Sender:
    return SALESFORCE.bound(SALESFORCE.options().load(options))


def read(body: object, **options: str) -> list[Event]:
    return bound(**options).read(Request("POST", "/", {}, json.dumps(body).encode()), NOW)


def test_plain_json_needs_no_option():
    [event] = read(PLAIN)
    assert (event.event_id, event.event_type, event.occurred_at) == ("r-1", "Account", NOW)
    assert event.payload == PLAIN


@pytest.mark.parametrize("name", ["id", "type", "SystemModstamp"])
def test_json_without_what_it_needs_says_what_is_missing(name):
    """The flow or the Apex job shows it at once: better than events that no one can tell apart or put in order."""
    with pytest.raises(NotThisShapeError, match=f"^{name} is missing"):
        read({key: value for key, value in PLAIN.items() if key != name})


@pytest.mark.parametrize(
    "written",
    ["2026-11-22T10:00:00.000Z", "2026-11-22T10:00:00Z", "2026-11-22 10:00:00Z", "2026-11-22T10:00:00.000+0000"],
)
def test_a_time_is_read_as_apex_a_flow_or_the_rest_api_writes_it(written):
    assert read({**PLAIN, "SystemModstamp": written})[0].occurred_at == NOW


def test_a_time_in_the_words_of_a_users_locale_is_refused():
    """What a flow makes of a date and time without TEXT()."""
    with pytest.raises(NotThisShapeError, match="SystemModstamp"):
        read({**PLAIN, "SystemModstamp": "November 22, 2026, 11:00 AM"})


@pytest.mark.parametrize(
    ("options", "headers", "secret"),
    [
        ({}, {"authorization": basic_header("u", "p")}, "u:p"),
        ({"login": "basic"}, {"x-api-key": "u:p"}, "u:p"),
        ({"login": "header", "header": "X-Key"}, {"x-api-key": SECRET}, SECRET),
        ({}, {"x-api-key": f"Bearer {SECRET}"}, SECRET),
    ],
)
def test_a_secret_in_another_place_proves_nothing(options, headers, secret):
    with pytest.raises(NotVerifiedError):
        bound(**options).unwrap(Request("POST", "/", headers, json.dumps(PLAIN).encode()), [secret], NOW)


def test_only_a_login_needs_a_user():
    assert bound().check_secret(SECRET) is None
    assert bound(login="basic").check_secret(SECRET)


@pytest.mark.parametrize("options", [{"login": "oauth"}, {"login": "basic", "header": "X-Key"}, {"prefix": "Bearer "}])
def test_an_option_that_cannot_be_is_refused(options):
    with pytest.raises(ValidationError):
        bound(**options)


def test_the_answer_is_json_that_a_flow_can_read():
    """It fails on an empty body: https://help.salesforce.com/s/articleView?id=platform.flow_http_callout_considerations.htm"""
    assert json.loads(SALESFORCE.answer.body) == {}


def test_what_the_samples_on_the_page_send_is_what_is_read():
    page = PAGE.read_text()
    apex, flow = (re.search(rf"```{kind}\n(.*?)```", page, re.DOTALL)[1] for kind in ("apex", "json"))
    [event] = read(json.loads(flow))
    assert event.event_type == "Account"
    sent = set(re.findall(r"'(\w+)' =>", apex))
    assert {"id", "type", "RecordId", "SystemModstamp"} <= sent
    assert set(json.loads(flow)) <= sent
