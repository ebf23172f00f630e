"""What one verified request may cost a running bridge: memory, room in the database, and time."""

import hashlib
import hmac
from pathlib import Path

import orjson
import pytest
import requests

from tests.support.making import ENTITY_ID
from tests.support.processes import until
from tests.support.stripe_events import customer_updated
from tests.whole.conftest import post

pytestmark = pytest.mark.slow

SECRET = "s3cret-of-the-test"
MAPPING = """
sender: {sender}
secrets: ["{secret}"]
{options}
rules:
  - {{name: customer, events: ["*"], entity: customer, id: id, fields: {{tier: tier}}}}
"""
SOURCES = {
    "erp": ("hmac", "options: {header: X-Signature}"),
    "zoho": ("zoho", ""),
    "salesforce": ("salesforce", ""),
    "form": ("zoho-workflow", "options: {parameter: key, event_type: tier}"),
}
LONG = "x" * 300_000
NOTIFICATION = '<o:Notification><o:Id>%d</o:Id><o:sObject xsi:type="A"/></o:Notification>'
ENVELOPE = (
    '<Envelope xmlns="http://schemas.xmlsoap.org/soap/envelope/" xmlns:o="http://soap.sforce.com/2005/09/outbound"'
    ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><Body><o:notifications>%s</o:notifications></Body></Envelope>'
)
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
ZOHO = {"token": SECRET, "module": "M", "operation": "o", "server_time": 1, "channel_id": 1}

#: Path, body, headers. Each has less than a megabyte.
REQUESTS = (
    ("erp", b"[" + b"1," * 499_000 + b"1]", {}),
    ("erp", orjson.dumps([{"id": number} for number in range(4_900)]), {"User-Agent": "u" * 7_000}),
    ("erp", b'{"id":"1","x":[' + b",".join([b'{"":{"":{}}}'] * 75_000) + b"]}", {}),
    ("erp", b"[" * 900_000, {}),
    ("zoho", orjson.dumps({**ZOHO, "resource_uri": LONG, "ids": [str(number) for number in range(3_000)]}), {}),
    (
        f"salesforce?secret={SECRET}",
        (ENVELOPE % (f"<o:ActionId>{LONG}</o:ActionId>" + "".join(NOTIFICATION % n for n in range(3_000)))).encode(),
        {},
    ),
    (f"form?key={SECRET}", b"tier=1&" + b"a&" * 480_000, FORM),
)
#: In MB: what one process may take, and all of these requests together in the database.
MEMORY = 300
DATABASE = 20


def peak_of(process):
    """The most memory, in MB, that any of the processes has had."""
    children = Path(f"/proc/{process.popen.pid}/task/{process.popen.pid}/children").read_text().split()
    statuses = [Path(f"/proc/{pid}/status").read_text() for pid in [process.popen.pid, *children]]
    return max(int(text.partition("VmHWM:")[2].split()[0]) for text in statuses) / 1024


def test_no_request_takes_much_memory_room_or_time(sqlite_world):
    for name, (sender, options) in SOURCES.items():
        text = MAPPING.format(sender=sender, secret=SECRET, options=options)
        (sqlite_world.folder / "mappings" / f"{name}.yaml").write_text(text)
    sqlite_world.sandbox()
    process, url = sqlite_world.serve()
    answered = []
    for path, body, headers in REQUESTS:
        signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        response = requests.post(
            f"{url}/webhooks/{path}", data=body, headers={"X-Signature": signature, **headers}, timeout=30
        )
        answered.append(response.status_code)
    assert answered == [413, 200, 200, 400, 413, 413, 413]
    assert post(url, customer_updated(tier="silver")).status_code == 200
    sqlite_world.wait_for(ENTITY_ID, {"tier": "silver", "name": "Acme"}, process)

    def translated():
        with sqlite_world.store() as store:
            return not store.events.counts()["received"]

    until(translated, process)
    assert peak_of(process) < MEMORY
    assert sum(file.stat().st_size for file in sqlite_world.folder.glob("bridge.db*")) < DATABASE << 20
