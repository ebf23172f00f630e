"""What is odd about how HubSpot proves itself: three signatures, and a URL that is signed half decoded.

https://developers.hubspot.com/docs/apps/legacy-apps/authentication/validating-requests
"""

import time
from dataclasses import replace

import pytest
from hubspot.utils.signature import Signature

from bridge.errors import NotThisShapeError, NotVerifiedError, SignError
from bridge.model import Request
from bridge.senders import SENDERS
from bridge.times import MILLISECOND, SECOND
from tests.senders.fixtures import one, with_header
from tests.senders.vendors import hubspot_signature

HUBSPOT = SENDERS["hubspot"]
SECRET = "5cc8a1d0-client-secret-of-the-app"
BASE = "https://hooks.example.com"
TARGET = "/webhooks/hubspot"
MILLISECONDS = 1795341600000
NOW = MILLISECONDS * MILLISECOND
BODY = b"[]"
SIGNATURE, VERSION = "X-HubSpot-Signature", "X-HubSpot-Signature-Version"
SIGNATURE_V3, TIMESTAMP = "X-HubSpot-Signature-v3", "X-HubSpot-Request-Timestamp"

#: From HubSpot's libraries: hubspot-api-python tests/unit/utils/test_signature.py and hubspot-api-nodejs.
PUBLISHED_SECRET = "yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy"
PUBLISHED_V2_GET = "eee2dddcc73c94d699f5e395f4b9d454a069a6855fbfa152e91e88823087200e"
PUBLISHED_V3 = "K36dawei4A+QBNolUOqo7s91KQDWQ5MXZ/QufNYuk/Y="


def request(headers: dict[str, str], body: bytes = BODY, target: str = TARGET, bases: tuple[str, ...] = (BASE,)):
    return Request("POST", target, {name.lower(): value for name, value in headers.items()}, body, bases)


def v2(body: bytes = BODY, url: str = BASE + TARGET) -> dict[str, str]:
    return {SIGNATURE: hubspot_signature("v2", SECRET, body, url), VERSION: "v2"}


def v3(body: bytes = BODY, url: str = BASE + TARGET) -> dict[str, str]:
    signature = hubspot_signature("v3", SECRET, body, url, milliseconds=str(MILLISECONDS))
    return {SIGNATURE_V3: signature, TIMESTAMP: str(MILLISECONDS)}


def accepted(wanted: Request) -> bool:
    try:
        HUBSPOT.unwrap(wanted, [SECRET], NOW)
    except NotVerifiedError:
        return False
    return True


def test_the_published_v3_example_verifies_and_its_body_is_no_json():
    headers = {SIGNATURE_V3: PUBLISHED_V3, TIMESTAMP: "1693657560000"}
    published = request(headers, b"{'example_field':'example_value'}", "/webhook_uri", ("https://www.example.com",))
    with pytest.raises(NotThisShapeError):
        HUBSPOT.unwrap(published, [PUBLISHED_SECRET], 1693657560 * SECOND)


def test_the_published_v2_example_of_a_get_verifies_and_has_no_body():
    headers = {SIGNATURE: PUBLISHED_V2_GET, VERSION: "v2"}
    published = request(headers, b"", "/webhook_uri", ("https://www.example.com",))
    with pytest.raises(NotThisShapeError):
        HUBSPOT.unwrap(replace(published, method="GET"), [PUBLISHED_SECRET], NOW)
    with pytest.raises(NotVerifiedError):
        HUBSPOT.unwrap(published, [PUBLISHED_SECRET], NOW)


@pytest.mark.parametrize("version", [None, "", "v0", "v3", "V2", "2", "v1,v2", " v2"])
def test_an_unknown_version_is_refused(version):
    assert accepted(request(v2()))
    assert not accepted(with_header(request(v2()), VERSION, version))


def test_a_signature_of_one_version_is_no_signature_of_another():
    assert not accepted(request({**v2(), VERSION: "v1"}))
    v1 = {SIGNATURE: hubspot_signature("v1", SECRET, BODY), VERSION: "v1"}
    assert accepted(request(v1))
    assert not accepted(request({**v1, VERSION: "v2"}))
    assert not accepted(request({**v3(), SIGNATURE_V3: v2()[SIGNATURE]}))


@pytest.mark.parametrize(
    ("headers", "verdict"),
    [
        ({**v2(), **v3()}, True),
        ({SIGNATURE: "0" * 64, VERSION: "v2", **v3()}, True),
        ({SIGNATURE: "not hex", VERSION: "v9", **v3()}, True),
        ({**v2(), **v3(), SIGNATURE_V3: "0" * 44}, False),
        ({**v2(), **v3(), SIGNATURE_V3: "not base64"}, False),
        ({**v2(), **v3(), TIMESTAMP: str(MILLISECONDS + 1)}, False),
        ({**v2(), **v3(), TIMESTAMP: ""}, False),
    ],
)
def test_the_new_signature_overrules_the_old_one(headers, verdict):
    assert accepted(request(headers)) is verdict


@pytest.mark.parametrize(
    "timestamp", [f"{MILLISECONDS}.0", "1.795341600e12", f" {MILLISECONDS}", f"-{MILLISECONDS}", "now", "9" * 40]
)
def test_a_timestamp_that_is_no_whole_number_is_refused(timestamp):
    signature = hubspot_signature("v3", SECRET, BODY, BASE + TARGET, milliseconds=timestamp)
    assert not accepted(request({SIGNATURE_V3: signature, TIMESTAMP: timestamp}))


@pytest.mark.parametrize(
    ("sent", "signed"),
    [
        ("%3A", ":"),
        ("%2F", "/"),
        ("%3F", "?"),
        ("%40", "@"),
        ("%21", "!"),
        ("%24", "$"),
        ("%27", "'"),
        ("%28", "("),
        ("%29", ")"),
        ("%2A", "*"),
        ("%2C", ","),
        ("%3B", ";"),
        ("%3a", ":"),
        ("%2f", "/"),
        ("a%3Ab%3ac%2Cd", "a:b:c,d"),
        ("%253A", "%253A"),
        ("%20%26%3D%2B%23%25%22%C3%BC", "%20%26%3D%2B%23%25%22%C3%BC"),
        ("a+b", "a+b"),
    ],
)
def test_twelve_sequences_are_decoded_before_the_url_is_signed(sent, signed):
    for target, url in ((f"{TARGET}?q={sent}", f"{BASE}{TARGET}?q={signed}"), (f"/{sent}/x", f"{BASE}/{signed}/x")):
        assert accepted(request(v3(url=url), target=target))
        assert accepted(request(v2(url=url), target=target))


@pytest.mark.parametrize(("sent", "decoded"), [("%20", " "), ("%26", "&"), ("%3D", "="), ("%2B", "+"), ("%C3%BC", "ü")])
def test_nothing_else_is_decoded(sent, decoded):
    assert not accepted(request(v3(url=f"{BASE}{TARGET}?q={decoded}"), target=f"{TARGET}?q={sent}"))


@pytest.mark.parametrize("changed", ["", "?a=1", "/", "?q=%3A"])
def test_the_whole_url_is_part_of_the_proof(changed):
    assert accepted(request(v3(url=f"{BASE}{TARGET}?q=1"), target=f"{TARGET}?q=1"))
    assert not accepted(request(v3(url=f"{BASE}{TARGET}?q=1"), target=TARGET + changed))


@pytest.mark.parametrize(
    ("bases", "verdict"),
    [
        ((BASE,), True),
        (("https://old.example.com", BASE), True),
        ((BASE, "https://old.example.com"), True),
        (("http://hooks.example.com",), False),
        (("https://hooks.example.com:443",), False),
        ((), False),
    ],
)
def test_any_public_url_will_do_and_the_host_header_never(bases, verdict):
    for headers in (v2(), v3()):
        assert accepted(request({"Host": "hooks.example.com", **headers}, bases=bases)) is verdict


def test_the_method_is_part_of_the_proof():
    for headers in (v2(), v3()):
        assert not accepted(replace(request(headers), method="PUT"))


def test_hubspots_library_verifies_what_we_sign():
    now = time.time_ns() // 1000
    body = '{"name":"Žluťoučký"}'
    signed = HUBSPOT.sign(request({}, body.encode()), SECRET, now)
    assert Signature.is_valid(
        signed.header(SIGNATURE_V3),
        SECRET,
        body,
        BASE + TARGET,
        signature_version="v3",
        timestamp=signed.header(TIMESTAMP),
    )


def test_what_we_sign_has_the_url_decoded():
    signed = HUBSPOT.sign(request({}, target=f"{TARGET}?q=%3A%20"), SECRET, NOW)
    assert signed.header(SIGNATURE_V3) == v3(url=f"{BASE}{TARGET}?q=:%20")[SIGNATURE_V3]


def test_without_a_public_url_nothing_can_be_signed():
    with pytest.raises(SignError):
        HUBSPOT.sign(request({}, bases=()), SECRET, NOW)


def test_a_message_of_ours_replaces_an_old_signature():
    """What `send` does with a captured request: the new signature counts."""
    captured = one("hubspot", "workflow_company")
    again = HUBSPOT.sign(captured.request, SECRET, NOW + 3600 * SECOND)
    assert HUBSPOT.unwrap(again, [SECRET], NOW + 3600 * SECOND)
