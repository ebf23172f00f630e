"""Salesforce Outbound Messages: SOAP with 1 to 100 notifications, answered by one Ack.

https://developer.salesforce.com/docs/platform/api/guide/sforce-api-om-outboundmessaging.html

Salesforce signs nothing. The URL that it is given carries a secret, `?secret=...`, and the organization id is compared.
The SessionId is a live API token: it is dropped here and goes nowhere.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import quote, urlsplit

import orjson
from lxml import etree
from marshmallow import Schema, fields, validate

from bridge import times
from bridge.errors import NotThisShapeError, NotVerifiedError, SignError
from bridge.model import Event, Request
from bridge.payload import describe
from bridge.senders import signatures
from bridge.senders.base import Answer, Secrets, Sender, bounded, digest_of, name_of

PARAMETER = "secret"

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
OUTBOUND = "http://soap.sforce.com/2005/09/outbound"
OBJECT = "urn:sobject.enterprise.soap.sforce.com"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
NAMES = {"soap": SOAP, "out": OUTBOUND}

#: An id has 15 characters, or 18 with a checksum for systems that ignore case.
ID_LENGTH = 15

ACK = (
    f'<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="{SOAP}"><soapenv:Body>'
    f'<notificationsResponse xmlns="{OUTBOUND}"><Ack>true</Ack></notificationsResponse>'
    "</soapenv:Body></soapenv:Envelope>"
).encode()

#: When the record was last changed, if the administrator selected one of these fields for the message.
TIMES = ("SystemModstamp", "LastModifiedDate")


class OptionsSchema(Schema):
    organization_ids = fields.List(
        fields.String(validate=validate.Length(min=ID_LENGTH)),
        metadata={"help": "The organizations to accept, as 15 or 18 characters. Default: any that knows the secret."},
    )


def unwrap(request: Request, secrets: Secrets, now: int, *, options: Mapping[str, Any]) -> list[Event]:
    given = request.query.get(PARAMETER)
    if not given:
        raise NotVerifiedError(f"the URL has no ?{PARAMETER}=...: add it to the endpoint URL in Salesforce")
    signatures.check_secret(given.encode(), secrets)
    notifications = parse(request.body)
    accepted = {organization[:ID_LENGTH] for organization in options.get("organization_ids", ())}
    if accepted and text_of(notifications, "OrganizationId")[:ID_LENGTH] not in accepted:
        raise NotVerifiedError("the OrganizationId is none of the configured organization_ids")
    return events_of(notifications, now)


def read(request: Request, now: int, *, options: Mapping[str, Any]) -> list[Event]:
    return events_of(parse(request.body), now)


def parse(body: bytes) -> etree._Element:
    """The `notifications` element. No entity is resolved, nothing is fetched, and a document type is refused."""
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True
    )
    try:
        root = etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None)
        raise NotThisShapeError("the body is not XML" + (f": see line {line}" if line else "")) from None
    if root.getroottree().docinfo.internalDTD is not None:
        raise NotThisShapeError("the XML has a document type: SOAP has none")
    notifications = root.find("soap:Body/out:notifications", NAMES)
    if root.tag != f"{{{SOAP}}}Envelope" or notifications is None:
        raise NotThisShapeError("the XML is not a SOAP envelope with Salesforce notifications")
    return notifications


def events_of(notifications: etree._Element, _now: int) -> list[Event]:
    common = {name: text_of(notifications, name) for name in ("OrganizationId", "ActionId")}
    elements = notifications.findall("out:Notification", NAMES)
    if not elements:
        raise NotThisShapeError("the message has no Notification")
    return [read_element(element, common) for element in bounded(elements)]


def read_element(element: etree._Element, common: Mapping[str, str]) -> Event:
    """One notification. A bad one is kept as such: one Ack answers for all of them."""
    found = element.find("out:sObject", NAMES)
    record = {} if found is None or is_nil(found) else {"type": type_of(found), **object_of(found)}
    payload = {**common, "Id": text_of(element, "Id"), "sObject": record}
    try:
        return Event(
            event_id=name_of(payload["Id"], "Notification/Id"),
            event_type=name_of(record.get("type", "deleted"), "xsi:type of the sObject"),
            occurred_at=read_time(record),
            payload=payload,
        )
    except NotThisShapeError as error:
        # Of what is its own: written as XML it would repeat every namespace of the envelope.
        return Event.unreadable(digest_of(orjson.dumps([payload["Id"], record])), payload, str(error))


def text_of(parent: etree._Element, name: str) -> str:
    return (parent.findtext(f"out:{name}", namespaces=NAMES) or "").strip()


def type_of(record: etree._Element) -> str:
    """`sf:Account` -> Account"""
    return str(record.get(f"{{{XSI}}}type", "")).rpartition(":")[2]


def object_of(record: etree._Element) -> dict[str, Any]:
    """Fields by their names. `xsi:nil` is null; a field that was not selected, or has no value, is not there."""
    return {etree.QName(child).localname: value_of(child) for child in record}


def is_nil(element: etree._Element) -> bool:
    return element.get(f"{{{XSI}}}nil") in ("true", "1")


def value_of(element: etree._Element) -> Any:
    if is_nil(element):
        return None
    return object_of(element) if len(element) else element.text or ""


def read_time(record: Mapping[str, Any]) -> int | None:
    given = next((record[name] for name in TIMES if isinstance(record.get(name), str)), None)
    if given is None:
        return None
    try:
        return times.from_iso(given)
    except ValueError as error:
        raise NotThisShapeError(f"SystemModstamp or LastModifiedDate is {error}") from None


def compose(payload: Any) -> bytes:
    """A payload as `read` makes it, or a list of them, as the message that Salesforce would send."""
    payloads = payload if isinstance(payload, list) else [payload]
    if not payloads or not all(isinstance(one, dict) for one in payloads):
        raise SignError(f"a notification is an object or a list of objects, not {describe(payload)}")
    envelope = etree.Element(f"{{{SOAP}}}Envelope", nsmap={"soapenv": SOAP, "xsi": XSI, "out": OUTBOUND, "sf": OBJECT})
    body = etree.SubElement(envelope, f"{{{SOAP}}}Body")
    notifications = etree.SubElement(body, f"{{{OUTBOUND}}}notifications")
    for name in ("OrganizationId", "ActionId"):
        append(notifications, OUTBOUND, name, payloads[0].get(name, ""))
    append(notifications, OUTBOUND, "SessionId", None)
    for name in ("EnterpriseUrl", "PartnerUrl"):
        append(notifications, OUTBOUND, name, "")
    for one in payloads:
        notification = etree.SubElement(notifications, f"{{{OUTBOUND}}}Notification")
        append(notification, OUTBOUND, "Id", one.get("Id", ""))
        append_record(notification, one.get("sObject") or {})
    return etree.tostring(envelope, xml_declaration=True, encoding="UTF-8")


def append_record(notification: etree._Element, given: Any) -> None:
    if not isinstance(given, dict):
        raise SignError(f"sObject is {describe(given)}: an object was expected")
    if not given:
        return
    record = etree.SubElement(notification, f"{{{OUTBOUND}}}sObject")
    try:
        record.set(f"{{{XSI}}}type", f"sf:{given.get('type', 'Account')}")
    except ValueError:
        raise SignError("type cannot be written as XML") from None
    for name, value in given.items():
        if name != "type":
            append(record, OBJECT, name, value)


def append(parent: etree._Element, namespace: str, name: str, value: Any) -> None:
    try:
        element = etree.SubElement(parent, f"{{{namespace}}}{name}")
        if value is None:
            element.set(f"{{{XSI}}}nil", "true")
        elif isinstance(value, dict):
            for inner, content in value.items():
                append(element, namespace, inner, content)
        elif isinstance(value, list):
            raise SignError(f"{name} is a list: Salesforce sends none")
        else:
            element.text = str(value).lower() if isinstance(value, bool) else str(value)
    except ValueError:
        raise SignError(f"{name} cannot be written as XML") from None


def sign(request: Request, secret: str, _now: int, *, options: Mapping[str, Any]) -> Request:
    separator = "&" if urlsplit(request.target).query else "?"
    return replace(request, target=f"{request.target}{separator}{PARAMETER}={quote(secret, safe='')}")


SENDER = Sender(
    name="salesforce",
    summary="Salesforce Outbound Messages (SOAP), with a secret in the URL",
    url="https://developer.salesforce.com/docs/platform/api/guide/sforce-api-om-outboundmessaging.html",
    credential="secret of your own, in the endpoint URL as ?secret=...",
    unwrap=unwrap,
    read=read,
    sign=sign,
    compose=compose,
    content_type="text/xml; charset=utf-8",
    answer=Answer(ACK, "text/xml; charset=utf-8"),
    options=OptionsSchema,
    undated="select SystemModstamp among the fields of the outbound message",
)
