"""Chargebee: a login, or a key in the URL; one event a request.

https://apidocs.chargebee.com/docs/api/events
"""

from dataclasses import replace
from typing import Any

import orjson
import pytest

from bridge.errors import NotThisShapeError, NotVerifiedError
from bridge.model import Request
from bridge.senders import SENDERS
from tests.senders.fixtures import one
from tests.senders.vendors import basic_header

CHARGEBEE = SENDERS["chargebee"]
CAPTURED = one("chargebee", "customer_changed").request
GOOD = basic_header("user", "password")


@pytest.mark.parametrize(
    ("query", "login", "secret", "verdict"),
    [
        ("", GOOD, "user:password", True),
        ("?key=a-key", None, "a-key", True),
        ("?a=1&key=a%2Dkey", None, "a-key", True),
        ("?key=a-key", None, "another-key", False),
        ("?key=", None, "a-key", False),
        ("?Key=a-key", None, "a-key", False),
        ("", "Bearer a-key", "a-key", False),
        ("", None, "a-key", False),
        # A login that is given must be right.
        ("?key=a-key", GOOD, "a-key", False),
        ("?key=wrong", GOOD, "user:password", True),
    ],
)
def test_a_login_or_else_a_key_proves_the_sender(query, login, secret, verdict):
    headers = {"authorization": login} if login else {}
    request = Request("POST", f"/webhooks/chargebee{query}", headers, CAPTURED.body)
    if verdict:
        assert CHARGEBEE.unwrap(request, [secret], 0)
    else:
        with pytest.raises(NotVerifiedError):
            CHARGEBEE.unwrap(request, [secret], 0)


def test_a_secret_with_a_colon_is_sent_as_a_login_and_another_in_the_url():
    bare = Request("POST", "/webhooks/chargebee", {}, CAPTURED.body)
    assert CHARGEBEE.sign(bare, "user:password", 0).header("Authorization") == GOOD
    assert CHARGEBEE.sign(bare, "a key", 0).target == "/webhooks/chargebee?key=a%20key"


def test_a_repeat_has_the_id_of_the_first_although_its_body_differs():
    first, again = one("chargebee", "customer_changed"), one("chargebee", "customer_changed_sent_again")
    assert first.request.body != again.request.body
    assert first.unwrap()[0].event_id == again.unwrap()[0].event_id


@pytest.mark.parametrize(
    ("field", "value"),
    [("id", None), ("id", []), ("event_type", None), ("event_type", ""), ("occurred_at", None), ("occurred_at", "x")],
)
def test_what_lacks_its_id_type_or_time_is_refused(field, value):
    body: dict[str, Any] = orjson.loads(CAPTURED.body)
    with pytest.raises(NotThisShapeError, match=field):
        CHARGEBEE.read(replace(CAPTURED, body=orjson.dumps({**body, field: value})), 0)


def test_a_list_is_no_event_of_chargebee():
    with pytest.raises(NotThisShapeError):
        CHARGEBEE.read(replace(CAPTURED, body=b"[" + CAPTURED.body + b"]"), 0)
