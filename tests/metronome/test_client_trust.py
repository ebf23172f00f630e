"""Whom a call trusts, which way it goes, and that nobody but Metronome sees the token."""

import logging
import ssl

import pytest

from bridge.model import Outcome, Verdict
from tests.metronome.conftest import TOKEN
from tests.metronome.server import answer, json, raw, silence

ENTITY_ID = "99594816-e8a5-4bca-be21-8d1de0f45120"
NETRC = "machine 127.0.0.1 login somebody password else\ndefault login somebody password else\n"


def set_values(client):
    return client.set_values("customer", ENTITY_ID, {"tier": "gold"})


@pytest.fixture(scope="session")
def ours(certificate):
    return certificate("IP:127.0.0.1")


def context_of(certificate, key):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


def test_a_server_that_nobody_vouches_for_is_refused(serve, connect, ours):
    server = serve(context=context_of(*ours))
    assert set_values(connect(server.url)) == Outcome(Verdict.UNAVAILABLE, message="no answer: SSLError")
    assert server.seen == []


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_a_server_that_the_operator_vouches_for_is_trusted(serve, connect, ours, monkeypatch, name):
    monkeypatch.setenv(name, str(ours[0]))
    server = serve(context=context_of(*ours))
    client = connect(server.url)
    assert [set_values(client), set_values(client)] == [Outcome(Verdict.ACCEPTED, 200)] * 2
    assert len(server.connections) == 1


def test_a_server_with_the_name_of_another_is_refused(serve, connect, certificate, monkeypatch):
    theirs = certificate("DNS:api.metronome.com")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(theirs[0]))
    server = serve(context=context_of(*theirs))
    assert set_values(connect(server.url)) == Outcome(Verdict.UNAVAILABLE, message="no answer: SSLError")
    assert server.seen == []


def test_a_bundle_that_is_not_there_is_no_answer(serve, connect, ours, monkeypatch, tmp_path):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "nothing.pem"))
    server = serve(context=context_of(*ours))
    assert set_values(connect(server.url)).verdict is Verdict.UNAVAILABLE
    assert server.seen == []


def test_plain_text_where_tls_is_expected_is_no_answer(serve, connect):
    server = serve()
    assert set_values(connect(server.url.replace("http:", "https:"))).verdict is Verdict.UNAVAILABLE
    assert server.seen == []


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"])
def test_a_proxy_of_the_environment_is_used(serve, connect, monkeypatch, name):
    proxy = serve(json({"message": "says the proxy"}, 400))
    monkeypatch.setenv(name, proxy.url)
    assert set_values(connect("http://metronome.invalid")).message == "says the proxy"
    assert proxy.seen[0].target == "http://metronome.invalid/v1/customFields/setValues"


@pytest.mark.parametrize("exempt", ["127.0.0.1", "localhost,127.0.0.1", "127.0.0.0/8", "*"])
@pytest.mark.parametrize("name", ["no_proxy", "NO_PROXY"])
def test_what_is_exempt_from_the_proxy_is_called_directly(serve, connect, monkeypatch, name, exempt):
    proxy, server = serve(answer(502)), serve()
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    monkeypatch.setenv(name, exempt)
    assert set_values(connect(server.url)).verdict is Verdict.ACCEPTED
    assert (len(server.seen), proxy.seen) == (1, [])


def test_a_proxy_for_tls_sees_a_tunnel_and_no_token(serve, connect, monkeypatch):
    proxy = serve(answer(502))
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    assert set_values(connect("https://metronome.invalid")) == Outcome(
        Verdict.UNAVAILABLE, message="no answer: ProxyError"
    )
    assert [(seen.method, seen.target) for seen in proxy.seen] == [("CONNECT", "metronome.invalid:443")]
    assert TOKEN not in str(proxy.seen)


def test_a_proxy_gets_the_password_that_is_in_its_address(serve, connect, monkeypatch):
    proxy = serve()
    monkeypatch.setenv("HTTP_PROXY", proxy.url.replace("//", "//user:pass@"))
    set_values(connect("http://metronome.invalid"))
    assert proxy.seen[0].headers["proxy-authorization"] == "Basic dXNlcjpwYXNz"
    assert proxy.seen[0].headers["authorization"] == f"Bearer {TOKEN}"


def test_a_netrc_at_home_does_not_replace_the_token(serve, connect, tmp_path):
    (tmp_path / ".netrc").write_text(NETRC)
    server = serve()
    set_values(connect(server.url))
    assert server.seen[0].headers["authorization"] == f"Bearer {TOKEN}"


def test_a_netrc_elsewhere_does_not_replace_the_token(serve, connect, tmp_path, monkeypatch):
    (tmp_path / "netrc").write_text(NETRC)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    server = serve()
    connect(server.url).customers({"ingest_alias": "cus_1"})
    assert server.seen[0].headers["authorization"] == f"Bearer {TOKEN}"


def test_a_name_and_password_in_the_base_url_do_not_replace_the_token(serve, connect):
    server = serve()
    set_values(connect(server.url.replace("//", "//somebody:else@")))
    assert server.seen[0].headers["authorization"] == f"Bearer {TOKEN}"


UNSPEAKABLE = [f"{TOKEN}\n", f"{TOKEN}\r\nX-More: yes", f"{TOKEN}\u2013ü", f"{TOKEN}\x00"]


@pytest.mark.parametrize("token", UNSPEAKABLE)
def test_a_token_that_is_no_header_is_not_sent_and_not_told(serve, connect, token):
    server = serve(answer(401))
    outcome = set_values(connect(server.url, token=token))
    assert outcome.verdict is not Verdict.ACCEPTED
    assert TOKEN not in repr(outcome)
    for seen in server.seen:
        assert "x-more" not in seen.headers


SCENES = {
    "accepted": answer(),
    "refused": json({"message": "no such key"}, 400),
    "token refused": answer(401),
    "redirect": answer(302, b"", {"Location": "http://127.0.0.1:1/"}),
    "garbage": raw(b"\x00\xff"),
    "silence": silence,
}


@pytest.mark.parametrize("script", SCENES.values(), ids=SCENES)
def test_the_token_is_told_to_nobody_else(serve, connect, caplog, capfd, script):
    caplog.set_level(logging.DEBUG)
    server = serve(script)
    client = connect(server.url, timeout_seconds=0.2)
    outcomes = [set_values(client), client.customers({"ingest_alias": "cus_1"})]
    session = client.session()
    told = [outcomes, client, vars(client), session, vars(session), session.headers, client._bearer]
    assert server.seen
    assert TOKEN not in "".join(f"{one!r} {one}" for one in told)
    assert TOKEN not in caplog.text
    assert TOKEN not in "".join(capfd.readouterr())
