"""Signed Stripe events, and connections that post them as fast as they are answered, or at a given rate."""

import asyncio
import hashlib
import hmac
import itertools
import json
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

SECRET = "whsec_bench"
#: Beyond what the mapping reads: brings an event to the size that Stripe's have.
PADDING = {f"attribute_{n}": f"value {n} of a customer" for n in range(58)}


@dataclass(frozen=True, slots=True)
class Sent:
    customer: str
    revision: int
    due: float
    status: int
    #: From when it was due until it was answered.
    seconds: float


@dataclass(slots=True)
class Events:
    """Updates of `customers` customers in turn, each with a revision of its own."""

    customers: int
    revisions: Iterator[int] = field(default_factory=itertools.count)

    def __next__(self) -> tuple[str, int, bytes]:
        revision = next(self.revisions)
        customer = str(uuid.UUID(int=(4 << 76) + revision % self.customers))
        return customer, revision, signed(customer, revision)


def signed(customer: str, revision: int) -> bytes:
    """The whole request but for its first line."""
    event = {
        "id": f"evt_{uuid.uuid4().hex}",
        "object": "event",
        "type": "customer.updated",
        "created": 1_700_000_000 + revision,
        "data": {
            "object": {
                "id": f"cus_{customer[-12:]}",
                "name": f"Customer {customer}",
                "description": PADDING,
                "metadata": {"metronome_customer_id": customer, "revision": str(revision), "tier": "Gold"},
            }
        },
    }
    body = json.dumps(event, indent=2).encode()
    at = str(int(time.time()))
    # https://docs.stripe.com/webhooks#verify-manually
    signature = hmac.new(SECRET.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    head = f"Stripe-Signature: t={at},v1={signature}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    return head.encode() + b"\r\n\r\n" + body


class Connection(asyncio.Protocol):
    """One keep-alive connection to 127.0.0.1. Answers must have a Content-Length."""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.received = b""
        self.answered: asyncio.Future[int] | None = None

    def data_received(self, data: bytes) -> None:
        self.received += data
        head, separator, body = self.received.partition(b"\r\n\r\n")
        length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
        if separator and len(body) >= int(length) and self.answered:
            self.answered.set_result(int(head.split(b" ", 2)[1]))

    def connection_lost(self, _error: Exception | None) -> None:
        if self.answered and not self.answered.done():
            self.answered.set_result(0)

    async def post(self, path: str, request: bytes) -> int:
        """The status, or 0 if there was no answer."""
        self.received = b""
        self.answered = asyncio.get_running_loop().create_future()
        self.transport.write(f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n".encode() + request)
        return await self.answered


async def post_all(port: int, events: Events, connections: int, when: Callable[[int], float | None]) -> list[Sent]:
    """Post events until `when`, given the number of the next one, says None instead of when it is due."""
    sent: list[Sent] = []
    numbers = itertools.count()

    async def keep_posting() -> None:
        _, connection = await asyncio.get_running_loop().create_connection(Connection, "127.0.0.1", port)
        while (due := when(next(numbers))) is not None:
            customer, revision, request = next(events)
            await asyncio.sleep(max(0.0, due - time.time()))
            status = await connection.post("/webhooks/stripe", request)
            sent.append(Sent(customer, revision, due, status, time.time() - due))

    await asyncio.gather(*(keep_posting() for _ in range(connections)))
    return sent


def as_fast_as_answered(port: int, events: Events, connections: int, seconds: float) -> list[Sent]:
    end = time.time() + seconds
    return asyncio.run(post_all(port, events, connections, lambda _: now if (now := time.time()) < end else None))


def all_at_once(port: int, events: Events, connections: int, count: int) -> list[Sent]:
    return asyncio.run(post_all(port, events, connections, lambda number: time.time() if number < count else None))


def at_rate(port: int, events: Events, per_second: float, count: int) -> list[Sent]:
    start = time.time() + 0.2
    due = lambda number: start + number / per_second if number < count else None  # noqa: E731
    return asyncio.run(post_all(port, events, 32, due))


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]
