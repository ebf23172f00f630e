import pytest

from bridge.model import Request
from bridge.pipeline.redact import redact

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
