"""What is odd about Salesforce's outbound messages: SOAP, a secret in the URL, and a live token in the body.

https://developer.salesforce.com/docs/platform/api/guide/sforce-api-om-outboundmessaging.html
"""

import socket
from dataclasses import replace
from typing import Any

import orjson
import pytest
from lxml import etree

from bridge.errors import NotThisShapeError, NotVerifiedError
from bridge.model import Event, Request
from bridge.senders import SENDERS
from tests.senders.fixtures import load_all, one

SALESFORCE = SENDERS["salesforce"].bound({})
SECRET = "a-secret-of-our-own"
CAPTURED = one("salesforce", "account_changed").request
RECORD = CAPTURED.body[CAPTURED.body.index(b"<sObject") : CAPTURED.body.index(b"</sObject>") + 10]


def unwrap(body: bytes = CAPTURED.body, target: str = CAPTURED.target, **options: Any) -> list[Event]:
    bound = SENDERS["salesforce"].bound(options)
    return bound.unwrap(replace(CAPTURED, body=body, target=target), [SECRET], 0)


def record(content: str) -> dict[str, Any]:
    """The payload's sObject when the record has these fields."""
    opening = RECORD[: RECORD.index(b">") + 1]
    [event] = unwrap(CAPTURED.body.replace(RECORD, opening + content.encode() + b"</sObject>"))
    return event.payload["sObject"]


@pytest.mark.parametrize("count", [1, 2, 100])
def test_each_notification_is_an_event(count):
    start = CAPTURED.body.index(b"<Notification>")
    end = CAPTURED.body.index(b"</notifications>")
    notification = CAPTURED.body[start:end]
    several = b"".join(notification.replace(b"Kq001", b"Kq%03d" % number) for number in range(count))
    events = unwrap(CAPTURED.body[:start] + several + CAPTURED.body[end:])
    assert [event.event_id for event in events] == [f"04l5g00000Kq{number:03}AAR" for number in range(count)]


@pytest.mark.parametrize(
    ("content", "fields"),
    [
        ("", {}),
        ('<sf:Tier__c xsi:nil="true"/>', {"Tier__c": None}),
        ('<sf:Tier__c xsi:nil="1"/>', {"Tier__c": None}),
        ('<sf:Tier__c xsi:nil="false">Gold</sf:Tier__c>', {"Tier__c": "Gold"}),
        ("<sf:Tier__c/>", {"Tier__c": ""}),
        ("<sf:Tier__c></sf:Tier__c>", {"Tier__c": ""}),
        ("<sf:Tier__c> Gold </sf:Tier__c>", {"Tier__c": " Gold "}),
        ("<sf:Tier__c>a &lt;b&gt; &amp; &#8364; &quot;</sf:Tier__c>", {"Tier__c": 'a <b> & € "'}),
        ("<sf:Tier__c><![CDATA[<Gold> & ]]>more</sf:Tier__c>", {"Tier__c": "<Gold> & more"}),
        ("<sf:Tier__c>Go<!-- x -->ld</sf:Tier__c>", {"Tier__c": "Gold"}),
        ("<sf:Tier__c>Go<?x y?>ld</sf:Tier__c>", {"Tier__c": "Gold"}),
        ("<!-- x --><sf:Seats__c>25.0</sf:Seats__c><?x y?>", {"Seats__c": "25.0"}),
        ("<sf:A><sf:City>Wien</sf:City><sf:Zip xsi:nil='true'/></sf:A>", {"A": {"City": "Wien", "Zip": None}}),
        ("<sf:Open__c>true</sf:Open__c>", {"Open__c": "true"}),
    ],
)
def test_fields_are_found_by_their_names(content, fields):
    assert record(content) == {"type": "Account", **fields}


@pytest.mark.parametrize("left", [b"", b'<sObject xsi:nil="true"/>'])
def test_a_deleted_record_has_no_fields(left):
    """https://help.salesforce.com: a record deleted before the message is sent has no data in it."""
    [event] = unwrap(CAPTURED.body.replace(RECORD, left))
    assert (event.event_type, event.occurred_at, event.problem) == ("deleted", None, None)


@pytest.mark.parametrize(
    "broken",
    [
        CAPTURED.body.replace(b"<Id>04l5g00000Kq001AAR</Id>", b""),
        CAPTURED.body.replace(b"04l5g00000Kq001AAR", b""),
        CAPTURED.body.replace(b"04l5g00000Kq001AAR", b"9" * 256),
        CAPTURED.body.replace(b'xsi:type="sf:Account"', b""),
        CAPTURED.body.replace(b"2026-11-22T09:55:00.000Z", b"recently"),
        CAPTURED.body.replace(b"2026-11-22T09:55:00.000Z", b"1969-12-31T23:59:59Z"),
    ],
)
def test_a_bad_notification_is_kept_as_unreadable(broken):
    [event] = unwrap(broken)
    assert event.event_type == "unreadable"
    assert event.problem


@pytest.mark.parametrize(
    "target",
    [
        "/webhooks/salesforce",
        "/webhooks/salesforce?",
        "/webhooks/salesforce?secret",
        "/webhooks/salesforce?secret=",
        "/webhooks/salesforce?secret=wrong",
        f"/webhooks/salesforce?Secret={SECRET}",
        f"/webhooks/salesforce?secret={SECRET}x",
        f"/webhooks/salesforce?secret={SECRET.upper()}",
        f"/webhooks/salesforce?secret=%20{SECRET}",
        f"/webhooks/{SECRET}",
        f"/webhooks/salesforce#secret={SECRET}",
    ],
)
def test_without_the_secret_in_the_url_it_is_refused(target):
    with pytest.raises(NotVerifiedError):
        unwrap(target=target)


@pytest.mark.parametrize(
    "query", [f"secret={SECRET}", f"a=1&secret={SECRET}&b=2", "secret=a%2Dsecret%2dof-our%2Down", f"secret={SECRET}#x"]
)
def test_the_secret_may_be_encoded_and_stand_anywhere_in_the_query(query):
    assert unwrap(target=f"/webhooks/salesforce?{query}")


def test_the_body_is_not_read_before_the_secret_is_checked():
    with pytest.raises(NotVerifiedError):
        unwrap(b"no XML", "/webhooks/salesforce?secret=wrong")


@pytest.mark.parametrize(
    ("accepted", "verdict"),
    [
        ([], True),
        (["00D5g000004XyZaEAK"], True),
        (["00D5g000004XyZa"], True),
        (["00D000000000000", "00D5g000004XyZaEAK"], True),
        (["00D000000000000AAA"], False),
        (["00d5G000004xYzAEAK"], False),
    ],
)
@pytest.mark.parametrize("sent", [b"00D5g000004XyZaEAK", b"00D5g000004XyZa"])
def test_an_organization_is_known_by_15_characters(accepted, verdict, sent):
    body = CAPTURED.body.replace(b"00D5g000004XyZaEAK", sent)
    if verdict:
        assert unwrap(body, organization_ids=accepted)
    else:
        with pytest.raises(NotVerifiedError, match="OrganizationId"):
            unwrap(body, organization_ids=accepted)


def test_a_missing_organization_is_not_an_accepted_one():
    body = CAPTURED.body.replace(b"<OrganizationId>00D5g000004XyZaEAK</OrganizationId>", b"")
    with pytest.raises(NotVerifiedError):
        unwrap(body, organization_ids=["00D5g000004XyZaEAK"])


@pytest.mark.parametrize("fixture", load_all("salesforce"), ids=repr)
def test_the_session_id_goes_nowhere(fixture):
    session = b"<SessionId>00D5g000004XyZa!ToKeN.ThatWorks</SessionId>"
    body = fixture.request.body.replace(b'<SessionId xsi:nil="true"/>', session)
    events = fixture.unwrap(request=replace(fixture.request, body=body))
    for event in events:
        everything = orjson.dumps([event.payload, event.event_id, event.event_type, event.problem]).decode() + repr(
            event
        )
        assert "!" not in everything
        assert "Session" not in everything


@pytest.mark.parametrize("body", [b"", b" ", b"{}", b"no XML", CAPTURED.body[:-1], b"<a/>", b"\x00", b"\xff\xfe<"])
def test_what_is_no_soap_is_refused(body):
    with pytest.raises(NotThisShapeError):
        unwrap(body)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"http://schemas.xmlsoap.org/soap/envelope/", b"http://www.w3.org/2003/05/soap-envelope"),
        (b"http://soap.sforce.com/2005/09/outbound", b"http://soap.sforce.com/2099/09/outbound"),
        (b"soapenv:Body", b"soapenv:Header"),
        (b"soapenv:Envelope", b"soapenv:Letter"),
        (b"notifications", b"other"),
        (b"Notification>", b"Other>"),
        (b'encoding="UTF-8"', b'encoding="UTF-16"'),
        (b'encoding="UTF-8"', b'encoding="klingon"'),
        (b"<?xml", b" <?xml"),
        (b"Gold", b"&gold;"),
        (b"Gold", b"G\x00ld"),
        (b"Gold", b"G\xe9ld"),
        (b"Gold", b"&#0;"),
    ],
)
def test_another_kind_of_xml_is_refused(old, new):
    with pytest.raises(NotThisShapeError) as caught:
        unwrap(CAPTURED.body.replace(old, new))
    assert "Acme" not in str(caught.value)


def test_other_encodings_are_read():
    text = CAPTURED.body.decode().replace("UTF-8", "UTF-16")
    [event] = unwrap(text.encode("utf-16"))
    assert event.payload["sObject"]["Name"] == "Acme & Söhne GmbH"


def with_doctype(doctype: str, content: str = "Gold") -> bytes:
    head, _, rest = CAPTURED.body.partition(b"\n")
    return head + b"\n" + doctype.encode() + rest.replace(b"Gold", content.encode())


LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))


@pytest.mark.parametrize(
    ("doctype", "content"),
    [
        ("<!DOCTYPE Envelope>", "Gold"),
        ("<!DOCTYPE Envelope []>", "Gold"),
        ('<!DOCTYPE Envelope SYSTEM "envelope.dtd">', "Gold"),
        ('<!DOCTYPE Envelope PUBLIC "-//x//y" "http://127.0.0.1:9/envelope.dtd">', "Gold"),
        ('<!DOCTYPE Envelope [<!ENTITY gold "Gold">]>', "&gold;"),
        ('<!DOCTYPE Envelope [<!ENTITY gold "Gold">]>', '<sf:x a="&gold;"/>'),
        (f'<!DOCTYPE Envelope [<!ENTITY l0 "ha">{LAUGHS}]>', "&l9;"),
        (f'<!DOCTYPE Envelope [<!ENTITY l0 "ha">{LAUGHS}]>', '<sf:x a="&l9;"/>'),
        (f'<!DOCTYPE Envelope [<!ENTITY long "{"x" * 90_000}">]>', "&long;" * 10_000),
        ("<!DOCTYPE Envelope [<!ENTITY % p \"<!ENTITY gold 'Gold'>\">%p;]>", "&gold;"),
        ('<!DOCTYPE Envelope [<!ENTITY % p SYSTEM "http://127.0.0.1:9/p.dtd">%p;]>', "Gold"),
        ('<!DOCTYPE Envelope [<!ENTITY e SYSTEM "http://127.0.0.1:9/e">]>', "&e;"),
        ('<!DOCTYPE Envelope [<!ATTLIST Notification x CDATA "y">]>', "Gold"),
    ],
)
def test_a_document_type_is_refused(doctype, content):
    with pytest.raises(NotThisShapeError):
        unwrap(with_doctype(doctype, content))


def test_no_file_is_read(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("bridge-secret-of-this-machine")
    with pytest.raises(NotThisShapeError) as caught:
        unwrap(with_doctype(f'<!DOCTYPE Envelope [<!ENTITY e SYSTEM "{secret.as_uri()}">]>', "&e;"))
    assert "of-this-machine" not in str(caught.value)


@pytest.mark.parametrize("entity", ['<!ENTITY e SYSTEM "{}">', '<!ENTITY % e SYSTEM "{}">%e;'])
def test_nothing_is_fetched(entity):
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        for doctype in (f"<!DOCTYPE Envelope [{entity.format(url)}]>", f'<!DOCTYPE Envelope SYSTEM "{url}">'):
            with pytest.raises(NotThisShapeError):
                unwrap(with_doctype(doctype, "&e;"))
        with pytest.raises(BlockingIOError):
            server.accept()


@pytest.mark.parametrize("levels", [300, 200_000])
def test_deep_nesting_is_refused(levels):
    with pytest.raises(NotThisShapeError):
        unwrap(CAPTURED.body.replace(b"Gold", b"<x>" * levels + b"</x>" * levels))
    with pytest.raises(NotThisShapeError):
        unwrap(b"<x>" * levels)


def test_an_xinclude_stays_what_it_is():
    include = '<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="file:///etc/passwd" parse="text"/>'
    assert record(include) == {"type": "Account", "include": ""}


def test_the_answer_is_one_ack():
    """Anything but `true` in it, or anything but SOAP 1.1, brings the message again for a day."""
    root = etree.fromstring(SALESFORCE.answer.body)
    assert root.tag == "{http://schemas.xmlsoap.org/soap/envelope/}Envelope"
    ack = root.find("{*}Body/{http://soap.sforce.com/2005/09/outbound}notificationsResponse/{*}Ack")
    assert ack.text == "true"
    assert SALESFORCE.answer.content_type.startswith("text/xml")


def test_a_secret_in_the_url_can_be_added_to_a_query():
    for target in ("/webhooks/salesforce", "/webhooks/salesforce?a=1"):
        signed = SALESFORCE.sign(Request("POST", target, {}, CAPTURED.body), "a&b=c d/ü", 0)
        assert SALESFORCE.unwrap(signed, ["a&b=c d/ü"], 0)
