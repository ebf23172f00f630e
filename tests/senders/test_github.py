"""What is odd about GitHub: https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries"""

from dataclasses import replace

import pytest

from bridge.errors import NotThisShapeError, NotVerifiedError
from bridge.model import Request
from bridge.senders import SENDERS
from bridge.times import SECOND
from tests.senders.fixtures import load_all, with_header
from tests.senders.vendors import github_accepts, openssl_hex

GITHUB = SENDERS["github"]
SECRET = "a webhook secret of ours"
NOW = 1795341600 * SECOND
BODY = b'{"action":"changed","marketplace_purchase":{"unit_count":25}}'


def request(body: bytes = BODY, event: str = "marketplace_purchase") -> Request:
    """Signed by openssl."""
    headers = {"x-hub-signature-256": f"sha256={openssl_hex(body, SECRET)}", "x-github-event": event}
    return Request("POST", "/webhooks/github", {**headers, "x-github-delivery": "72d3162e"}, body)


def test_the_published_signature_verifies():
    signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    published = Request("POST", "/", {"x-hub-signature-256": signature}, b"Hello, World!")
    with pytest.raises(NotThisShapeError, match="not JSON"):
        GITHUB.unwrap(published, ["It's a Secret to Everybody"], NOW)
    with pytest.raises(NotVerifiedError):
        GITHUB.unwrap(published, ["it's a secret to everybody"], NOW)


@pytest.mark.parametrize("fixture", load_all("github"), ids=repr)
def test_gidgethub_accepts_the_fixtures_and_what_we_sign(fixture):
    signed = GITHUB.sign(fixture.request, SECRET, NOW)
    for signature in (fixture.request.header("X-Hub-Signature-256"), signed.header("X-Hub-Signature-256")):
        assert github_accepts(fixture.request.body, signature, SECRET)


def test_sha1_alone_is_refused():
    old = {"x-hub-signature": f"sha1={openssl_hex(BODY, SECRET, 'sha1')}", "x-github-event": "ping"}
    with pytest.raises(NotVerifiedError, match="X-Hub-Signature is SHA-1"):
        GITHUB.unwrap(Request("POST", "/", old, BODY), [SECRET], NOW)


def test_a_sha1_signature_in_the_new_header_is_refused():
    old = with_header(request(), "X-Hub-Signature-256", f"sha1={openssl_hex(BODY, SECRET, 'sha1')}")
    with pytest.raises(NotVerifiedError, match="must begin with sha256="):
        GITHUB.unwrap(old, [SECRET], NOW)


def test_a_redelivery_is_the_same_event_whenever_it_comes():
    first, again = (GITHUB.unwrap(request(), [SECRET], now)[0].event_id for now in (NOW, NOW + 86_400 * SECOND))
    assert first == again == "72d3162e"


@pytest.mark.parametrize(
    ("event", "body", "expected"),
    [
        ("push", b"{}", "push"),
        ("push", b'{"action":null}', "push"),
        ("repository_dispatch", b'{"action":"on-demand test"}', "repository_dispatch.on-demand test"),
    ],
)
def test_the_action_is_part_of_the_type_if_there_is_one(event, body, expected):
    assert GITHUB.unwrap(request(body, event), [SECRET], NOW)[0].event_type == expected


@pytest.mark.parametrize("body", [b'{"action":7.5}', b'{"action":""}', b'{"action":{}}'])
def test_an_action_that_is_no_name_is_refused(body):
    with pytest.raises(NotThisShapeError, match=r"^action"):
        GITHUB.unwrap(request(body), [SECRET], NOW)


def test_an_event_of_no_kind_is_refused():
    with pytest.raises(NotThisShapeError, match="X-GitHub-Event is missing"):
        GITHUB.unwrap(with_header(request(), "X-GitHub-Event", None), [SECRET], NOW)


@pytest.mark.parametrize(
    "body",
    [
        b"payload=%7B%22action%22%3A%22changed%22%7D",
        b"payload=%7B%22action%22%3A+%22changed%22%7D",
        b'payload={"action":"changed"}',
        b"payload=%7B%22action%22%3A%22changed%22%7D&other=1",
    ],
)
def test_a_form_is_read_whatever_its_content_type_says(body):
    """The header is not signed; the body is."""
    for content_type in ("application/x-www-form-urlencoded", "application/json"):
        form = with_header(request(body), "Content-Type", content_type)
        assert GITHUB.unwrap(form, [SECRET], NOW)[0].payload == {"action": "changed"}


@pytest.mark.parametrize("body", [b"payload=", b"payload=%", b"payload=%7B", b"payload=7", b"payload", b"other=%7B%7D"])
def test_a_form_without_an_object_is_refused(body):
    with pytest.raises(NotThisShapeError):
        GITHUB.unwrap(request(body), [SECRET], NOW)


def test_the_signature_covers_the_form_and_not_what_is_in_it():
    form = request(b"payload=%7B%22action%22%3A%22changed%22%7D")
    with pytest.raises(NotVerifiedError):
        GITHUB.unwrap(replace(form, body=b'payload={"action":"changed"}'), [SECRET], NOW)
