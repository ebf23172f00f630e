"""HTTP Basic: https://www.rfc-editor.org/rfc/rfc7617"""

import base64

import pytest
from werkzeug.datastructures import Authorization

from bridge.errors import NotVerifiedError
from bridge.model import Request
from bridge.senders import SENDERS
from tests.senders.vendors import basic_header

BASIC = SENDERS["basic"].bound({})


def accepted(header: str, secret: str = "user:password") -> bool:
    try:
        BASIC.unwrap(Request("POST", "/in", {"authorization": header}, b"{}"), [secret], 0)
    except NotVerifiedError:
        return False
    return True


@pytest.mark.parametrize(
    ("user", "password"),
    [
        ("user", "password"),
        ("user", "a:b::c:"),
        ("user", ":"),
        ("user", ""),
        ("", "password"),
        ("brücke", "пароль"),
        ("user", "🔑"),
        ("user", " spaces "),
        ("user", "x" * 500),
    ],
)
def test_any_user_and_password_are_accepted(user, password):
    secret = f"{user}:{password}"
    assert BASIC.check_secret(secret) is None
    assert accepted(basic_header(user, password), secret)
    assert not accepted(basic_header(user, f"{password}x"), secret)
    assert not accepted(basic_header(f"{user}x", password), secret)


GOOD = base64.b64encode(b"user:password").decode()


@pytest.mark.parametrize("header", [f"Basic {GOOD}", f"basic {GOOD}", f"BASIC {GOOD}", f"Basic  {GOOD} "])
def test_the_scheme_is_known_in_any_case(header):
    assert accepted(header)


@pytest.mark.parametrize(
    "header",
    [
        GOOD,
        f"Bearer {GOOD}",
        f"Digest {GOOD}",
        f"Basic{GOOD}",
        f"Basic:{GOOD}",
        f"Basic\t{GOOD}",
        "Basic",
        "Basic ",
        "Basic user:password",
        "Basic =",
        f"Basic {GOOD[:-1]}",
        f"Basic {GOOD}=",
        f"Basic {GOOD} {GOOD}",
        f"Basic {GOOD[:4]} {GOOD[4:]}",
        f"Basic {base64.b64encode(b'user').decode()}",
        f"Basic {base64.b64encode(b'User:password').decode()}",
        f"Basic {base64.b64encode(b'user:Password').decode()}",
        "Basic é",
        "Basic \u20ac",
    ],
)
def test_what_is_no_such_login_is_refused(header):
    assert not accepted(header)


def test_a_secret_without_a_colon_is_objected_to():
    problem = BASIC.check_secret("just-a-password")
    assert problem
    assert "just-a-password" not in problem


def test_who_does_not_log_in_is_asked_to():
    """Some senders wait for it, Zuora by default."""
    assert BASIC.challenge == 'Basic realm="metronome-bridge", charset="UTF-8"'


@pytest.mark.parametrize("secret", ["user:password", "user:a:b::c:", "user:", "brücke:пароль"])
def test_another_library_reads_what_we_sign(secret):
    signed = BASIC.sign(Request("POST", "/in", {}, b"{}"), secret, 0)
    read = Authorization.from_header(signed.header("Authorization"))
    assert f"{read.username}:{read.password}" == secret
