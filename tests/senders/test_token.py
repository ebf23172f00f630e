"""Where a shared token may stand, and what does not count as one."""

from typing import Any

import pytest
from marshmallow import ValidationError

from bridge.errors import NotVerifiedError
from bridge.model import Request
from bridge.senders import SENDERS, Sender

TOKEN = SENDERS["token"]
SECRET = "a-token-of-ours"


def bound(**options: Any) -> Sender:
    return TOKEN.bound(TOKEN.options().load(options))


def accepted(sender: Sender, target: str = "/in", secret: str = SECRET, **headers: str) -> bool:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        sender.unwrap(Request("POST", target, named, b"{}"), [secret], 0)
    except NotVerifiedError:
        return False
    return True


@pytest.mark.parametrize(
    ("options", "headers", "verdict"),
    [
        ({}, {"authorization": f"Bearer {SECRET}"}, True),
        ({}, {"authorization": f"bearer {SECRET}"}, True),
        ({}, {"authorization": f"BEARER {SECRET}"}, True),
        ({}, {"authorization": SECRET}, False),
        ({}, {"authorization": f"Bearer{SECRET}"}, False),
        ({}, {"authorization": f"Basic {SECRET}"}, False),
        ({}, {"authorization": f"Secret {SECRET}"}, False),
        ({}, {"authorization": f"Bearer {SECRET}x"}, False),
        ({}, {"authorization": f"Bearer {SECRET.upper()}"}, False),
        ({}, {"authorization": f"Bearer {SECRET}, Bearer x"}, False),
        ({}, {"authorization": "Bearer "}, False),
        ({}, {"x_token": SECRET}, False),
        ({"header": "X-Token"}, {"x_token": SECRET}, True),
        ({"header": "x-TOKEN"}, {"x_token": SECRET}, True),
        ({"header": "X-Token"}, {"x_token": f"Bearer {SECRET}"}, False),
        ({"header": "X-Token"}, {"authorization": f"Bearer {SECRET}"}, False),
        ({"header": "X-Token", "prefix": "Token token="}, {"x_token": f"token TOKEN={SECRET}"}, True),
        ({"header": "X-Token", "prefix": "Token token="}, {"x_token": SECRET}, False),
        ({"prefix": "Key "}, {"authorization": f"Key {SECRET}"}, True),
        ({"prefix": ""}, {"authorization": SECRET}, True),
        ({"header": "Authorization", "prefix": ""}, {"authorization": SECRET}, True),
        ({"header": "Authorization", "prefix": "Key "}, {"authorization": f"Key {SECRET}"}, True),
    ],
)
def test_a_token_is_found_in_its_header(options, headers, verdict):
    assert accepted(bound(**options), **headers) is verdict


def test_naming_the_default_header_changes_nothing():
    """`prefix`, as its help says, is `Bearer ` in Authorization and nothing elsewhere."""
    assert accepted(bound(header="Authorization"), authorization=f"Bearer {SECRET}")


@pytest.mark.parametrize(
    ("target", "verdict"),
    [
        (f"/in?code={SECRET}", True),
        (f"/in?a=1&code={SECRET}&b=2", True),
        ("/in?code=a%2dtoken-of%2Dours", True),
        (f"/in?code=x&code={SECRET}", True),
        (f"/in?code={SECRET}&code=x", False),
        (f"/in?Code={SECRET}", False),
        ("/in?code=", False),
        ("/in?code", False),
        ("/in", False),
        (f"/in/code={SECRET}", False),
        (f"/in#code={SECRET}", False),
    ],
)
def test_a_token_is_found_in_the_query(target, verdict):
    assert accepted(bound(parameter="code"), target) is verdict


def test_a_token_in_a_header_is_none_in_the_query():
    assert not accepted(bound(parameter="code"), authorization=f"Bearer {SECRET}")
    assert not accepted(bound(), f"/in?code={SECRET}")


@pytest.mark.parametrize("secret", ["schlüssel", "密钥-🔑", "a b", "a+b&c=d%", "?"])
def test_any_text_can_be_the_token(secret):
    sent = secret.encode().decode("latin-1")
    assert accepted(bound(header="X-Token"), secret=secret, x_token=sent)
    signed = bound(parameter="code").sign(Request("POST", "/in?a=1", {}, b"{}"), secret, 0)
    assert accepted(bound(parameter="code"), signed.target, secret)


def test_a_character_that_cannot_be_in_a_header_is_no_question_mark():
    """Headers arrive as Latin-1; whatever else a caller hands over must not be mistaken for a token."""
    assert not accepted(bound(header="X-Token"), secret="token?", x_token="token\u20ac")


@pytest.mark.parametrize("secret", [SECRET, "schlüssel", "密钥-🔑"])
def test_a_token_that_we_send_arrives(secret):
    """An HTTP client writes header text as Latin-1."""
    signed = bound(header="X-Token").sign(Request("POST", "/in", {}, b"{}"), secret, 0)
    assert signed.header("X-Token").encode("latin-1") == secret.encode()


@pytest.mark.parametrize(
    "options", [{"parameter": "code", "header": "X"}, {"parameter": "code", "prefix": "X"}, {"colour": "red"}]
)
def test_an_option_that_cannot_be_is_refused(options):
    with pytest.raises(ValidationError):
        bound(**options)
