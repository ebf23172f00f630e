"""The mappings of `rules.py` written as Python functions: what somebody writes who needs these rules and no language.

They make the same changes with the same care: missing is not null, values become text of at most 200 characters, money
is decimal, the entity's id is a UUID. What is read twice is fetched once, as one does by hand.
"""

import re
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from zoneinfo import ZoneInfo

from bridge.model import Change, Event, Reference

UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
MISSING: Any = object()

COUNTRIES = {"DE": "EMEA", "FR": "EMEA", "US": "AMER"}
SEGMENTS = {"S": "small", "M": "medium", "L": "large"}


class Fields:
    """What is to be set and what is to be removed. Missing leaves a key alone, null or empty text removes it."""

    def __init__(self) -> None:
        self.set: dict[str, str] = {}
        self.remove: list[str] = []

    def put(self, key: str, value: Any) -> None:
        if value is MISSING:
            return
        if value is None or value == "":
            self.remove.append(key)
        else:
            self.set[key] = text_of(key, value)

    def change(self, rule: str, event: Event, identity: Any) -> Change:
        if not isinstance(identity, str) or not UUID.fullmatch(identity.strip()):
            raise ValueError("the Metronome id is no UUID")
        return Change(
            rule=rule,
            entity="customer",
            reference=Reference("id", identity.strip().lower()),
            set=self.set,
            remove=tuple(self.remove),
            occurred_at=event.occurred_at or 0,
        )


def text_of(key: str, value: Any) -> str:
    if isinstance(value, bool):
        value = "true" if value else "false"
    elif isinstance(value, int):
        value = str(value)
    elif isinstance(value, float):
        value = decimal_text(Decimal(repr(value)))
    elif not isinstance(value, str):
        raise TypeError(f"{key} is neither text nor a number")
    if len(value) > 200:
        raise ValueError(f"{key} is too long")
    if "\x00" in value:
        raise ValueError(f"{key} contains a NUL character")
    return str(value)


def decimal_text(number: Decimal) -> str:
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def inner(value: Any, key: str) -> Any:
    """A part of something that may be missing or null itself."""
    if isinstance(value, dict):
        return value.get(key, MISSING)
    return None if value is None else MISSING


def some(value: Any) -> bool:
    return value is not MISSING and value is not None and value != ""


def written(value: Any) -> Any:
    """A number as text, so that it can be handled as such."""
    return str(value) if isinstance(value, int) else value


def cents(value: Any) -> Any:
    """Cents, as a number or as text, in dollars."""
    return decimal_text(Decimal(value) / 100) if some(value) else value


def date(value: Any, zone: Any) -> Any:
    return datetime.fromtimestamp(value, zone).date().isoformat() if some(value) else value


def customer_profile(event: Event) -> Change | None:
    if event.event_type not in ("customer.created", "customer.updated"):
        return None
    customer = event.payload["data"]["object"]
    if not customer.get("livemode"):
        return None
    metadata = customer.get("metadata", MISSING)
    country = inner(customer.get("address", MISSING), "country")
    tier = inner(metadata, "tier")
    plan = inner(metadata, "plan")
    fields = Fields()
    fields.put("stripe_customer_id", customer.get("id", MISSING))
    fields.put("name", customer.get("name", MISSING))
    fields.put("billing_country", country)
    fields.put("tax_exempt", customer.get("tax_exempt", MISSING))
    fields.put("payment_overdue", customer.get("delinquent", MISSING))
    fields.put("tier", written(tier).lower() if some(tier) else tier)
    fields.put("plan", plan if some(plan) else "free")
    fields.put("credit_limit_usd", cents(inner(metadata, "credit_limit_cents")))
    fields.put("region", COUNTRIES.get(country, "other") if some(country) else country)
    fields.set["synced_from"] = "stripe"
    return fields.change("customer profile", event, inner(metadata, "metronome_customer_id"))


def ten_paths(event: Event) -> Change | None:
    if event.event_type not in ("customer.created", "customer.updated"):
        return None
    customer = event.payload["data"]["object"]
    metadata = customer.get("metadata", MISSING)
    address = customer.get("address", MISSING)
    fields = Fields()
    fields.put("stripe_customer_id", customer.get("id", MISSING))
    fields.put("name", customer.get("name", MISSING))
    fields.put("email", customer.get("email", MISSING))
    fields.put("phone", customer.get("phone", MISSING))
    fields.put("balance", customer.get("balance", MISSING))
    fields.put("payment_overdue", customer.get("delinquent", MISSING))
    fields.put("billing_country", inner(address, "country"))
    fields.put("billing_city", inner(address, "city"))
    fields.put("tier", inner(metadata, "tier"))
    fields.put("plan", inner(metadata, "plan"))
    return fields.change("ten paths", event, inner(metadata, "metronome_customer_id"))


def ten_expressions(event: Event) -> Change | None:
    if event.event_type not in ("customer.created", "customer.updated"):
        return None
    customer = event.payload["data"]["object"]
    metadata = customer.get("metadata", MISSING)
    tier = inner(metadata, "tier")
    segment = inner(metadata, "segment")
    currency = customer.get("currency", MISSING)
    name = customer.get("name", MISSING)
    email = customer.get("email", MISSING)
    address = customer.get("address", MISSING)
    city, country = inner(address, "city"), inner(address, "country")
    phone, nickname = customer.get("phone", MISSING), inner(metadata, "nickname")
    discount = inner(metadata, "discount")
    fields = Fields()
    fields.put("tier", written(tier).lower() if some(tier) else tier)
    fields.put("currency", written(currency).upper() if some(currency) else currency)
    fields.put("name", written(name).strip() if some(name) else name)
    fields.put("credit_limit_usd", cents(inner(metadata, "credit_limit_cents")))
    fields.put("segment", SEGMENTS.get(written(segment), "other") if some(segment) else segment)
    fields.put("customer_since", date(customer.get("created", MISSING), ZoneInfo("America/New_York")))
    fields.put("place", "".join(written(part) for part in (city, ", ", country) if some(part)))
    fields.put("contact", next((value for value in (nickname, phone, email) if some(value)), None))
    fields.put("domain", written(email).split("@")[1] if some(email) else email)
    fields.put(
        "discount",
        decimal_text(Decimal(discount).quantize(Decimal("0.1"), ROUND_HALF_UP)) if some(discount) else discount,
    )
    return fields.change("ten expressions", event, inner(metadata, "metronome_customer_id"))
