"""Signatures of any other kind, against openssl."""

import base64
import time
from typing import Any

import pytest
from marshmallow import ValidationError

from bridge.errors import NotThisShapeError, NotVerifiedError, SignError
from bridge.model import Request
from bridge.senders import SENDERS, Sender
from bridge.times import SECOND
from tests.senders.vendors import openssl_mac

HMAC = SENDERS["hmac"]
BODY = '{"id":"e1","name":"Žluťoučký"}'.encode()
KEY = bytes(range(7, 39))
SECONDS = 1795341600
NOW = SECONDS * SECOND

ALGORITHMS = ["sha1", "sha256", "sha384", "sha512"]
ENCODINGS = {"hex": bytes.hex, "base64": lambda value: base64.b64encode(value).decode()}
#: How a secret is written -> a secret written so, and its key.
SECRETS = {
    "utf8": ("a sécret of ours", "a sécret of ours".encode()),
    "hex": (KEY.hex(), KEY),
    "base64": (base64.b64encode(KEY).decode(), KEY),
}


def bound(**options: Any) -> Sender:
    return HMAC.bound(HMAC.options().load({"header": "X-Signature", **options}))


def request(signature: str, body: bytes = BODY, **headers: str) -> Request:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request(
        "POST", "/in?a=1", {"x-signature": signature, **named}, body, ("https://a.example", "https://b.example")
    )


def accepted(sender: Sender, wanted: Request, secret: str = "key") -> bool:
    try:
        sender.unwrap(wanted, [secret], NOW)
    except NotVerifiedError:
        return False
    return True


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("written", SECRETS)
def test_openssl_and_we_agree(algorithm, encoding, written):
    secret, key = SECRETS[written]
    sender = bound(algorithm=algorithm, encoding=encoding, secret_encoding=written)
    signature = ENCODINGS[encoding](openssl_mac(BODY, key, algorithm))
    assert accepted(sender, request(signature), secret)
    assert sender.sign(request(""), secret, NOW).header("X-Signature") == signature
    for other in set(ALGORITHMS) - {algorithm}:
        assert not accepted(sender, request(ENCODINGS[encoding](openssl_mac(BODY, key, other))), secret)


def test_the_example_that_github_publishes_verifies_and_is_no_json():
    signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    with pytest.raises(NotThisShapeError):
        bound(prefix="sha256=").unwrap(request(signature, b"Hello, World!"), ["It's a Secret to Everybody"], NOW)


GOOD = openssl_mac(BODY, b"key").hex()


@pytest.mark.parametrize(
    ("options", "header", "verdict"),
    [
        ({}, GOOD, True),
        ({}, GOOD.upper(), True),
        ({}, f" {GOOD} ", True),
        ({}, f"sha256={GOOD}", False),
        ({}, f"{GOOD},{GOOD}", False),
        ({}, GOOD[:-2], False),
        ({}, GOOD + "00", False),
        ({}, "", False),
        ({"prefix": "sha256="}, f"sha256={GOOD}", True),
        ({"prefix": "sha256="}, GOOD, False),
        ({"prefix": "sha256="}, f"SHA256={GOOD}", False),
        ({"prefix": "sha256="}, f"sha256=sha256={GOOD}", False),
        ({"prefix": "sha256="}, "sha256=", False),
        ({"separator": ","}, f"00,{GOOD}", True),
        ({"separator": ","}, f"{GOOD} , 00", True),
        ({"separator": ","}, f"{GOOD};00", False),
        ({"separator": "||"}, f"||00||{GOOD}", True),
        ({"separator": ",", "prefix": "v1="}, f"t=1,v0=00,v1={GOOD}", True),
        ({"separator": ",", "prefix": "v1="}, f"v1=00,{GOOD}", False),
        ({"encoding": "base64"}, base64.b64encode(bytes.fromhex(GOOD)).decode(), True),
        ({"encoding": "base64"}, base64.b64encode(bytes.fromhex(GOOD)).decode().rstrip("="), False),
        ({"encoding": "base64"}, GOOD, False),
    ],
)
def test_a_signature_is_found_in_its_header(options, header, verdict):
    assert accepted(bound(**options), request(header)) is verdict


ID = {"id_header": "X-Id"}
TIME = {"timestamp_header": "X-Time"}


@pytest.mark.parametrize(
    ("template", "options", "message"),
    [
        ("{body}", {}, b"%s"),
        ("{body}{body}", {}, b"%s%s"),
        ("v0:{body}\n", {}, b"v0:%s\n"),
        ("ü.*[{body}]\\", {}, "ü.*[%s]\\".encode()),
        ("{other}{body}{Body}{}", {}, b"{other}%s{Body}{}"),
        ("{{body}}", {}, b"{%s}"),
        ("{id}.{body}", ID, b"the-id.%s"),
        ("{timestamp}.{body}", TIME, b"1795341600.%s"),
        ("{id}{timestamp}{id}{body}", {**ID, **TIME}, b"the-id1795341600the-id%s"),
        ("{method} {body}", {}, b"POST %s"),
        ("{url}{body}", {}, b"https://a.example/in?a=1%s"),
        ("{url}{body}", {}, b"https://b.example/in?a=1%s"),
    ],
)
def test_a_template_says_what_is_signed(template, options, message):
    whole = message.replace(b"%s", BODY)
    sender = bound(template=template, **options)
    wanted = request(openssl_mac(whole, b"key").hex(), x_id="the-id", x_time=str(SECONDS))
    assert accepted(sender, wanted)
    assert not accepted(sender, request(openssl_mac(whole + b" ", b"key").hex(), x_id="the-id", x_time=str(SECONDS)))


def test_what_is_filled_in_is_not_filled_in_again():
    sender = bound(template="{id}|{method}|{body}", **ID)
    body = b'{"id":"{id}{method}{url}{timestamp}"}'
    literal = b"{body}{method}|POST|" + body
    assert accepted(sender, request(openssl_mac(literal, b"key").hex(), body, x_id="{body}{method}"))
    expanded = body + b"POST|POST|" + body
    assert not accepted(sender, request(openssl_mac(expanded, b"key").hex(), body, x_id="{body}{method}"))


def test_a_header_is_signed_as_the_bytes_that_were_sent():
    sender = bound(template="{id}{body}", **ID)
    wanted = request(openssl_mac("ïd-🔑".encode() + BODY, b"key").hex(), x_id="ïd-🔑".encode().decode("latin-1"))
    assert accepted(sender, wanted)


def test_without_a_public_url_no_url_is_proven_or_signed():
    sender = bound(template="{url}{body}")
    for message in (BODY, b"/in?a=1" + BODY):
        headers = {"x-signature": openssl_mac(message, b"key").hex(), "host": "a.example"}
        assert not accepted(sender, Request("POST", "/in?a=1", headers, BODY))
    with pytest.raises(SignError):
        sender.sign(Request("POST", "/in?a=1", {}, BODY), "key", NOW)


@pytest.mark.parametrize(
    ("unit", "text", "verdict"),
    [
        ("seconds", "1795341600", True),
        ("seconds", "1795341600000", False),
        ("seconds", "1795341600.0", False),
        ("milliseconds", "1795341600000", True),
        ("milliseconds", "1795341600", False),
        ("iso", "2026-11-22T10:00:00Z", True),
        ("iso", "2026-11-22T10:00:00.123456789Z", True),
        ("iso", "2026-11-22T12:00:00+02:00", True),
        ("iso", "2026-11-22T10:06:00Z", False),
        ("iso", "1795341600", False),
        ("iso", "now", False),
        ("http-date", "Sun, 22 Nov 2026 10:00:00 GMT", True),
        ("http-date", "Sun, 22 Nov 2026 12:00:00 +0200", True),
        ("http-date", "Sun, 22 Nov 2026 10:06:00 GMT", False),
        ("http-date", "Sun, 22 Nov 2026", False),
        ("http-date", "2026-11-22T10:00:00Z", False),
        ("http-date", "Sun, 22 Nov 99999999999 10:00:00 GMT", False),
        ("http-date", "Sun, 22 Nov 2026 10:00:00 +9999999999999999", False),
    ],
)
def test_a_signed_time_has_one_form(unit, text, verdict):
    sender = bound(template="{timestamp}.{body}", timestamp_unit=unit, **TIME)
    wanted = request(openssl_mac(text.encode() + b"." + BODY, b"key").hex(), x_time=text)
    assert accepted(sender, wanted) is verdict


@pytest.mark.parametrize("text", ["Sun, 22 Nov 2026 10:00:00 -0000", "Sun, 22 Nov 2026 10:00:00"])
def test_the_zone_of_this_machine_does_not_matter(text, monkeypatch):
    sender = bound(template="{timestamp}.{body}", timestamp_unit="http-date", **TIME)
    wanted = request(openssl_mac(text.encode() + b"." + BODY, b"key").hex(), x_time=text)
    verdicts = []
    for zone in ("UTC", "Asia/Tokyo"):
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        verdicts.append(accepted(sender, wanted))
    monkeypatch.undo()
    time.tzset()
    assert verdicts[0] is verdicts[1]


@pytest.mark.parametrize("unit", ["seconds", "milliseconds", "iso", "http-date"])
def test_openssl_verifies_what_we_sign_with_its_time(unit):
    sender = bound(template="{timestamp}.{id}.{body}", timestamp_unit=unit, prefix="v1=", **TIME, **ID)
    signed = sender.sign(Request("POST", "/", {}, BODY), "key", NOW)
    message = f"{signed.header('X-Time')}.{signed.header('X-Id')}.".encode() + BODY
    assert signed.header("X-Signature") == "v1=" + openssl_mac(message, b"key").hex()
    assert accepted(sender, signed)


@pytest.mark.parametrize(
    ("written", "secret"),
    [("hex", "xyz"), ("hex", "abc"), ("hex", ""), ("base64", "not base64"), ("base64", "AAA"), ("base64", "")],
)
def test_a_secret_that_cannot_be_decoded_is_objected_to_and_proves_nothing(written, secret):
    sender = bound(secret_encoding=written)
    assert written in sender.check_secret(secret)
    assert not accepted(sender, request(openssl_mac(BODY, b"\0").hex()), secret)
    with pytest.raises(SignError):
        sender.sign(request(""), secret, NOW)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"header": None}, "header"),
        ({"algorithm": "md5"}, "algorithm"),
        ({"encoding": "base32"}, "encoding"),
        ({"secret_encoding": "base32"}, "secret_encoding"),
        ({"timestamp_unit": "days", "template": "{timestamp}{body}", **TIME}, "timestamp_unit"),
        ({"separator": ""}, "separator"),
        ({"template": ""}, "template"),
        ({"template": "{timestamp}", **TIME}, "template"),
        ({"template": "{timestamp}{body}"}, "template"),
        ({"template": "{id}{body}"}, "template"),
        ({"template": "{body}", **TIME}, "template"),
        ({**ID}, "template"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_an_option_that_cannot_be_is_refused(options, named):
    with pytest.raises(ValidationError) as caught:
        bound(**options)
    assert list(caught.value.messages) == [named]


@pytest.mark.parametrize(
    ("options", "is_said"),
    [
        ({}, False),
        ({"event_time": "at"}, False),
        ({"event_time": "header:X-Triggered-At"}, True),
        ({"event_time": f"header:{TIME['timestamp_header'].upper()}", "template": "{timestamp}.{body}", **TIME}, False),
    ],
)
def test_a_time_that_is_not_signed_and_decides_who_wins_is_said(options, is_said):
    weak = bound(**options).weak
    assert ("X-Triggered-At is not signed" in (weak or "")) is is_said
