"""NetSuite, which has no webhooks: what the script docs/senders/netsuite.js posts whenever a record is saved.

https://docs.oracle.com/en/cloud/saas/netsuite/ns-online-help/section_4387799721.html

The script signs `<seconds>.<body>` with HMAC-SHA256. The headers are its own and this module's.
"""

from dataclasses import replace

from bridge.model import Event, Request
from bridge.payload import parse_object
from bridge.senders import signatures
from bridge.senders.base import Secrets, Sender, name_of
from bridge.senders.reading import iso_time
from bridge.times import SECOND

SIGNATURE = "X-NetSuite-Signature"
TIMESTAMP = "X-NetSuite-Timestamp"


def unwrap(request: Request, secrets: Secrets, now: int) -> list[Event]:
    timestamp = signatures.required(request, TIMESTAMP)
    given = signatures.required(request, SIGNATURE)
    signatures.check_fresh(signatures.whole_number(timestamp, TIMESTAMP) * SECOND, now)
    signatures.check_match(
        [signatures.from_hex(given)], (signature(secret, timestamp, request.body) for secret in secrets if secret)
    )
    return read(request, now)


def signature(secret: str, timestamp: str, body: bytes) -> bytes:
    return signatures.mac(secret.encode(), timestamp.encode() + b"." + body)


def read(request: Request, _now: int) -> list[Event]:
    event = parse_object(request.body)
    return [
        Event(
            event_id=name_of(event.get("id"), "id"),
            event_type=name_of(event.get("type"), "type"),
            # When the record was saved: the script makes the id of it, too.
            occurred_at=iso_time(event.get("lastModified"), "lastModified"),
            payload=event,
        )
    ]


def sign(request: Request, secret: str, now: int) -> Request:
    timestamp = str(now // SECOND)
    # NetSuite writes hexadecimal digits in capital letters.
    value = signature(secret, timestamp, request.body).hex().upper()
    return replace(request, headers={**request.headers, TIMESTAMP.lower(): timestamp, SIGNATURE.lower(): value})


SENDER = Sender(
    name="netsuite",
    summary="NetSuite, through a SuiteScript that comes with the bridge and signs what it posts",
    url="https://docs.oracle.com/en/cloud/saas/netsuite/ns-online-help/section_4387799721.html",
    credential="secret of your own, as an API secret in NetSuite",
    unwrap=unwrap,
    read=read,
    sign=sign,
)
