"""Stripe's events for tests, signed by Stripe's own package."""

import json
import time
from typing import Any

import stripe

from tests.support.making import ENTITY_ID

SECRET = "whsec_test"


def customer_updated(name: str = "evt_1", created: int = 1_795_341_600, **metadata: Any) -> dict[str, Any]:
    known = {"metronome_id": ENTITY_ID, "tier": "gold"}
    return {
        "id": name,
        "object": "event",
        "type": "customer.updated",
        "created": created,
        "data": {"object": {"id": "cus_1", "name": "Acme", "metadata": {**known, **metadata}}},
    }


def signed(body: bytes | dict[str, Any], secret: str = SECRET, at: float | None = None) -> dict[str, Any]:
    """What a test client or requests posts: body and headers."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    text = data.decode("utf-8", "surrogateescape")
    timestamp = int(time.time() if at is None else at)
    header = stripe.WebhookSignature.generate_signature_header(text, secret, timestamp)
    return {"data": data, "headers": {"Stripe-Signature": header, "Content-Type": "application/json"}}
