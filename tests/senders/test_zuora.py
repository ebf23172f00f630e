"""Zuora waits to be asked for its login, and may write `null` for nothing.

https://knowledgecenter.zuora.com/Central_Platform/Notifications/C_Configure_Callout_Notifications
"""

from typing import Any

import orjson
import pytest

from bridge.errors import NotVerifiedError
from bridge.model import Request
from bridge.senders import SENDERS
from tests.senders.fixtures import one, with_header

ZUORA = SENDERS["zuora"].bound({})


def payload(body: Any) -> Any:
    [event] = ZUORA.read(Request("POST", "/in", {}, orjson.dumps(body)), 0)
    return event.payload


def test_the_first_request_comes_without_a_login_and_is_asked_for_it():
    fixture = one("zuora", "account_edited")
    with pytest.raises(NotVerifiedError):
        fixture.unwrap(request=with_header(fixture.request, "Authorization", None))
    assert fixture.sender.challenge == 'Basic realm="metronome-bridge", charset="UTF-8"'
    assert fixture.unwrap()


def test_the_answer_says_success():
    assert orjson.loads(ZUORA.answer.body) == {"success": True}
    assert ZUORA.answer.content_type == "application/json"


def test_another_request_of_one_notification_is_the_same_event():
    first, again = one("zuora", "account_edited"), one("zuora", "account_edited_tried_again")
    assert first.request.header("Zuora-Request-Id") != again.request.header("Zuora-Request-Id")
    assert first.unwrap() == again.unwrap()


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ({"a": "null"}, {"a": None}),
        ({"a": None}, {"a": None}),
        ({"a": ""}, {"a": ""}),
        ({"a": "NULL"}, {"a": "NULL"}),
        ({"a": " null "}, {"a": " null "}),
        ({"null": "x"}, {"null": "x"}),
        ({"a": {"b": ["null", 1, {"c": "null"}]}}, {"a": {"b": [None, 1, {"c": None}]}}),
        ({}, {}),
    ],
)
def test_the_text_null_is_null(sent, read):
    assert payload(sent) == read


def test_an_id_of_the_callout_itself_goes_before_the_header():
    bound = SENDERS["zuora"].bound({"event_id": "id"})
    [event] = bound.read(Request("POST", "/in", {"zuora-notification-id": "n-1"}, b'{"id": "e-1"}'), 0)
    assert event.event_id == "e-1"


def test_a_list_in_a_callout_is_a_batch_whose_events_have_ids_of_their_own():
    events = ZUORA.read(Request("POST", "/in", {"zuora-notification-id": "n-1"}, b'[{"a": 1}, {"a": 1}]'), 0)
    assert [event.event_id for event in events] == ["n-1:0", "n-1:1"]
