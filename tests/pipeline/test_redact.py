import pytest

from bridge.model import Request
from bridge.pipeline.redact import redact
from bridge.senders import SENDERS

SECRETS = ["whsec_of-the-endpoint", "bridge:a password/of ours", "abc"]


def redacted(target="/webhooks/x", headers=None, body=b"{}"):
    return redact(Request("POST", target, headers or {}, body, ("https://a.example",)), SECRETS)


@pytest.mark.parametrize(
    ("name", "given", "kept"),
    [
        ("authorization", "Bearer abcdef", "Bearer redacted"),
        ("authorization", "Basic dXNlcjpwYXNz", "Basic redacted"),
        ("authorization", "abcdef", "redacted"),
        ("cookie", "session=1; theme=dark", "redacted"),
        ("x-gitlab-token", "abcdef", "redacted"),
        ("x-api-key", "abcdef", "redacted"),
        ("stripe-signature", "t=1,v1=ab", "t=1,v1=ab"),
        ("x-hub-signature-256", "sha256=ab", "sha256=ab"),
        ("x-shopify-hmac-sha256", "ab=", "ab="),
        ("close-sig-hash", "ab", "ab"),
        ("webhook-timestamp", "1795341600", "1795341600"),
        ("content-type", "application/json", "application/json"),
        ("x-anything", "before whsec_of-the-endpoint after", "before redacted after"),
    ],
)
def test_headers_keep_what_explains_and_lose_what_is_secret(name, given, kept):
    assert redacted(headers={name: given}).headers == {name: kept}


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("/webhooks/x?secret=abc&tenant=5", "/webhooks/x?secret=redacted&tenant=5"),
        ("/webhooks/x?code=abc", "/webhooks/x?code=redacted"),
        ("/webhooks/x?key=a&monkey=b", "/webhooks/x?key=redacted&monkey=b"),
        ("/webhooks/x?q=a%20password%2Fof%20ours", "/webhooks/x?q=redacted"),
        ("/webhooks/x", "/webhooks/x"),
    ],
)
def test_parameters_that_are_secret_are_taken_out(given, kept):
    assert redacted(given).target == kept


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (b'{"token": "abc", "name": "Acme"}', b'{"token": "redacted", "name": "Acme"}'),
        (b'{"clientState":"a\\"bc","id":1}', b'{"clientState":"redacted","id":1}'),
        (b"<SessionId>00D!AQ</SessionId><Id>1</Id>", b"<SessionId>redacted</SessionId><Id>1</Id>"),
        (b"<sf:Token>1</sf:Token>", b"<sf:Token>redacted</sf:Token>"),
        (b"token=abc&name=Acme", b"token=redacted&name=Acme"),
        (b'{"note": "whsec_of-the-endpoint"}', b'{"note": "redacted"}'),
        (b'{"abc": "a short secret is no secret"}', b'{"abc": "a short secret is no secret"}'),
        (b"\xff\x00 no text at all", b"\xff\x00 no text at all"),
    ],
)
def test_bodies_keep_what_is_no_secret(given, kept):
    assert redacted(body=given).body == kept


SECRET = "whsec_9f8Kq2LmZx7Tn4Rb"
NEARLY = {
    "a wrong character": "whsec_9f8Kq2LmZx7Tn4Rc",
    "two wrong characters": "whsec_9f8Kx2LmZx7Tn4Rc",
    "the end cut off": "whsec_9f8Kq2LmZx7T",
    "the beginning cut off": "9f8Kq2LmZx7Tn4Rb",
    "one left out": "whsec_9f8Kq2LmZ7Tn4Rb",
    "one too many": "whsec_9f8Kq2LmZxx7Tn4Rb",
    "other letters": "WHSEC_9F8kQ2lMzX7tN4rB",
    "more behind": "whsec_9f8Kq2LmZx7Tn4Rb-old",
    "another beginning": "whsex-9f8Kq2LmZx7Tn4Rb",
}


@pytest.mark.parametrize("wrong", NEARLY.values(), ids=NEARLY)
def test_what_is_nearly_a_secret_is_not_shown_wherever_it_is(wrong):
    """A typing mistake away from the secret, it gives it away."""
    given = Request(
        "POST",
        f"/webhooks/x?q={wrong}&next=1",
        {"x-acme": wrong, "x-other": f"v={wrong}", "x-more": f'Acme "{wrong}", 5'},
        f'{{"plain": "{wrong}", "list": ["{wrong}"], "name": "Acme"}} <a>{wrong}</a> b={wrong}&c=1 {wrong}'.encode(),
    )
    kept = redact(given, [SECRET])
    for text in (kept.target, *kept.headers.values(), kept.body.decode()):
        assert wrong not in text
        assert "9f8K" not in text.replace("9F8k", "9f8K")
    assert "next=1" in kept.target
    assert b'"name": "Acme"' in kept.body


def test_what_is_not_like_a_secret_stays():
    body = b'{"id": "cus_9f8", "name": "Gr\xc3\xbcn & Co", "url": "https://a.example/whsec?page=2", "n": "whsec_"}'
    given = Request("POST", "/webhooks/x?a=b", {"user-agent": "Acme/1.0 (+https://acme.example)"}, body)
    assert redact(given, [SECRET]) == given


@pytest.mark.parametrize(
    ("sender", "options", "headers", "target"),
    [
        ("token", {"header": "X-Acme"}, {"x-acme": "wholly-another"}, "/webhooks/x"),
        ("token", {"parameter": "k"}, {}, "/webhooks/x?k=wholly-another"),
        ("dataverse", {"header": "X-Acme"}, {"x-acme": "wholly-another"}, "/webhooks/x"),
        ("dataverse", {}, {}, "/webhooks/x?code=wholly-another"),
        ("segment", {"batch_token_header": "X-Acme"}, {"x-acme": "wholly-another"}, "/webhooks/x"),
        ("salesforce-json", {"header": "X-Acme"}, {"x-acme": "wholly-another"}, "/webhooks/x"),
        ("zoho-workflow", {"parameter": "k"}, {}, "/webhooks/x?k=wholly-another"),
        ("rudderstack", {"header": "X-Acme"}, {"x-acme": "wholly-another"}, "/webhooks/x"),
    ],
)
def test_the_place_of_the_secret_is_empty_whatever_was_there(sender, options, headers, target):
    places = SENDERS[sender].bound(options).secret_places
    kept = redact(Request("POST", target, headers, b"{}"), [SECRET], places)
    assert "wholly-another" not in kept.target + str(kept.headers)


def test_a_body_that_was_cut_hides_what_it_ends_in():
    assert b"abcdef" not in redacted(body=b'{"token": "abcdef').body
    assert b"abcdef" not in redacted(body=b"<token>abcdef").body
