"""Salesforce's messages by its WSDL: what we compose is valid, and a SOAP library understands our answer."""

from types import SimpleNamespace
from typing import Any

import pytest
import zeep
from lxml import etree
from zeep.transports import Transport

from bridge.errors import SignError
from bridge.model import Request
from bridge.senders import SENDERS
from tests.senders.fixtures import FOLDER, load_all

SALESFORCE = SENDERS["salesforce"].bound({})
WSDL = FOLDER / "salesforce" / "wsdl"
SCHEMA = etree.XMLSchema(etree.parse(WSDL / "outbound.xsd"))
#: The schema knows accounts only.
VALID = [
    fixture
    for fixture in load_all("salesforce")
    if b"sf:Account" in fixture.request.body and not any("problem" in event for event in fixture.events)
]
PAYLOAD = {
    "OrganizationId": "00D5g000004XyZaEAK",
    "ActionId": "04k5g000000TNQrAAO",
    "Id": "04l5g00000Kq001AAR",
    "sObject": {"type": "Account", "Id": "0015500001WO1ZiABL", "Tier__c": "Gold"},
}


class Bridge(Transport):
    """Answers as the bridge would, and keeps what it was sent."""

    sent: bytes = b""

    def post_xml(self, address: str, envelope: Any, headers: Any) -> Any:
        self.sent = etree.tostring(envelope)
        answer = SALESFORCE.answer
        headers = {"Content-Type": answer.content_type}
        return SimpleNamespace(status_code=200, headers=headers, content=answer.body, encoding="utf-8")


def read(body: bytes) -> list[Any]:
    return [event.payload for event in SALESFORCE.read(Request("POST", "/", {}, body), 0)]


def valid(body: bytes) -> None:
    SCHEMA.assertValid(etree.fromstring(body).find("{*}Body/{*}notifications"))


@pytest.mark.parametrize("fixture", VALID, ids=repr)
def test_the_captured_messages_are_valid(fixture):
    valid(fixture.request.body)


@pytest.mark.parametrize("fixture", load_all("salesforce"), ids=repr)
def test_what_was_read_can_be_composed_and_read_again(fixture):
    payloads = [event.payload for event in fixture.unwrap()]
    assert read(SALESFORCE.compose(payloads)) == payloads
    assert read(SALESFORCE.compose(payloads[0])) == payloads[:1]


@pytest.mark.parametrize("fixture", VALID, ids=repr)
def test_what_we_compose_is_valid(fixture):
    valid(SALESFORCE.compose([event.payload for event in fixture.unwrap()]))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (25, "25"),
        (25.5, "25.5"),
        (True, "true"),
        (False, "false"),
        (None, None),
        ("a <b> & ü €", "a <b> & ü €"),
        ("", ""),
        ({"City": "Wien"}, {"City": "Wien"}),
    ],
)
def test_values_are_written_as_salesforce_writes_them(value, text):
    record = {**PAYLOAD["sObject"], "Field__c": value}
    [payload] = read(SALESFORCE.compose({**PAYLOAD, "sObject": record}))
    assert payload["sObject"]["Field__c"] == text


@pytest.mark.parametrize(
    "payload",
    [
        7,
        None,
        "text",
        [],
        ["text"],
        [PAYLOAD, None],
        {**PAYLOAD, "Id": "\x00"},
        {**PAYLOAD, "sObject": "text"},
        {**PAYLOAD, "sObject": ["text"]},
        {**PAYLOAD, "sObject": {"type": "\x00"}},
        {**PAYLOAD, "sObject": {"not a name": "x"}},
        {**PAYLOAD, "sObject": {"": "x"}},
        {**PAYLOAD, "sObject": {"Tier__c": "\ud800"}},
        {**PAYLOAD, "sObject": {"Tier__c": ["Gold", "Silver"]}},
    ],
)
def test_what_is_no_notification_cannot_be_composed(payload):
    with pytest.raises(SignError):
        SALESFORCE.compose(payload)


def test_a_soap_library_sends_what_we_read_and_understands_the_answer():
    bridge = Bridge()
    client = zeep.Client(str(WSDL / "outbound.wsdl"), transport=bridge)
    account = client.get_type("{urn:sobject.enterprise.soap.sforce.com}Account")
    acknowledged = client.service.notifications(
        OrganizationId=PAYLOAD["OrganizationId"],
        ActionId=PAYLOAD["ActionId"],
        SessionId="a live token",
        EnterpriseUrl="https://acme.my.salesforce.com/services/Soap/c/62.0",
        PartnerUrl="https://acme.my.salesforce.com/services/Soap/u/62.0",
        Notification=[{"Id": PAYLOAD["Id"], "sObject": account(Id=PAYLOAD["sObject"]["Id"], Tier__c="Gold")}],
    )
    assert acknowledged is True
    [payload] = read(bridge.sent)
    assert payload["Id"] == PAYLOAD["Id"]
    assert payload["sObject"]["Tier__c"] == "Gold"
