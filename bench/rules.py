"""What a rule of ten fields costs, beside the same mapping written by hand as a Python function."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial, reduce
from operator import getitem
from timeit import Timer
from typing import Any

import click
import orjson

from bench import by_hand
from bridge.mapping.compiler import compile_source
from bridge.mapping.rules import Rule, apply
from bridge.model import Change, Event

MAPPING = """
sender: stripe
secrets: ["${SECRET}"]
rules:
  - name: customer profile
    events: [customer.created, customer.updated]
    when: data.object.livemode
    entity: customer
    id: data.object.metadata.metronome_customer_id
    fields:
      stripe_customer_id: data.object.id
      name: data.object.name
      billing_country: data.object.address.country
      tax_exempt: data.object.tax_exempt
      payment_overdue: data.object.delinquent
      tier: lower(data.object.metadata.tier)
      plan: {path: data.object.metadata.plan, default: free}
      credit_limit_usd: divide(data.object.metadata.credit_limit_cents, `100`)
      region: 'map_value(data.object.address.country, `{"DE": "EMEA", "FR": "EMEA", "US": "AMER"}`, ''other'')'
      synced_from: {value: stripe}
  - name: ten paths
    events: [customer.created, customer.updated]
    entity: customer
    id: data.object.metadata.metronome_customer_id
    fields:
      stripe_customer_id: data.object.id
      name: data.object.name
      email: data.object.email
      phone: data.object.phone
      balance: data.object.balance
      payment_overdue: data.object.delinquent
      billing_country: data.object.address.country
      billing_city: data.object.address.city
      tier: data.object.metadata.tier
      plan: data.object.metadata.plan
  - name: ten expressions
    events: [customer.created, customer.updated]
    entity: customer
    id: data.object.metadata.metronome_customer_id
    fields:
      tier: lower(data.object.metadata.tier)
      currency: upper(data.object.currency)
      name: trim(data.object.name)
      credit_limit_usd: divide(data.object.metadata.credit_limit_cents, `100`)
      segment: 'map_value(data.object.metadata.segment, `{"S": "small", "M": "medium", "L": "large"}`, ''other'')'
      customer_since: date(data.object.created, 'America/New_York')
      place: concat(data.object.address.city, ', ', data.object.address.country)
      contact: coalesce(data.object.metadata.nickname, data.object.phone, data.object.email)
      domain: split(data.object.email, '@')[1]
      discount: round(data.object.metadata.discount, `1`)
"""
BY_HAND = (by_hand.customer_profile, by_hand.ten_paths, by_hand.ten_expressions)

#: As Stripe sends them: https://docs.stripe.com/api/customers/object
CUSTOMER = {
    "id": "cus_NffrFeUfNV2Hib",
    "object": "customer",
    "address": {
        "city": "Frankfurt am Main",
        "country": "DE",
        "line1": "Taunusanlage 12",
        "line2": None,
        "postal_code": "60325",
        "state": "Hessen",
    },
    "balance": 0,
    "created": 1_680_893_993,
    "currency": "eur",
    "default_source": None,
    "delinquent": False,
    "description": "Two subsidiaries share this account; invoices go to the group.",
    "discount": None,
    "email": "billing@acme.example",
    "invoice_prefix": "0759376C",
    "invoice_settings": {
        "custom_fields": [{"name": "VAT", "value": "DE136695976"}, {"name": "PO number", "value": "4500012345"}],
        "default_payment_method": "pm_1MvQlBLkdIwHu7ixe9qbw1sa",
        "footer": None,
        "rendering_options": {"amount_tax_display": "exclude_tax", "template": None},
    },
    "livemode": True,
    "metadata": {
        "metronome_customer_id": "99594816-e8a5-4bca-be21-8d1de0f45120",
        "tier": "Gold",
        "plan": "scale",
        "segment": "M",
        "credit_limit_cents": "500000",
        "discount": "12.45",
        "account_owner": "jane.roe@metered.example",
        "salesforce_account_id": "0013t00002AbCdEAAV",
        "nickname": None,
    },
    "name": "Acme Holding GmbH",
    "next_invoice_sequence": 18,
    "phone": "+49 69 1234567",
    "preferred_locales": ["de-DE", "en-GB"],
    "shipping": {
        "address": {
            "city": "Frankfurt am Main",
            "country": "DE",
            "line1": "Hanauer Landstrasse 190",
            "line2": "Gate 3",
            "postal_code": "60314",
            "state": "Hessen",
        },
        "name": "Acme Holding GmbH, goods in",
        "phone": "+49 69 7654321",
    },
    "tax_exempt": "none",
    "tax_ids": {
        "object": "list",
        "data": [
            {
                "id": f"txi_1NuMB12eZvKYlo2CMecoWkZ{number}",
                "object": "tax_id",
                "country": country,
                "created": 1_680_893_993,
                "customer": "cus_NffrFeUfNV2Hib",
                "livemode": True,
                "type": "eu_vat",
                "value": f"{country}13669597{number}",
                "verification": {"status": "verified", "verified_address": None, "verified_name": "Acme Holding"},
            }
            for number, country in enumerate(["DE", "FR", "AT"])
        ],
        "has_more": False,
        "url": "/v1/customers/cus_NffrFeUfNV2Hib/tax_ids",
    },
    "test_clock": None,
}
PAYLOAD = {
    "id": "evt_1NG8Du2eZvKYlo2CUI79vXWy",
    "object": "event",
    "api_version": "2025-09-30.clover",
    "created": 1_795_341_600,
    "data": {"object": CUSTOMER, "previous_attributes": {"metadata": {"tier": "Silver"}}},
    "livemode": True,
    "pending_webhooks": 1,
    "request": {"id": "req_f8cC3hGN5nQhSJ", "idempotency_key": None},
    "type": "customer.updated",
}
EVENT = Event("evt_1NG8Du2eZvKYlo2CUI79vXWy", "customer.updated", PAYLOAD, 1_795_341_600_000_000)
REFUSALS = (ValueError, TypeError, AttributeError, ArithmeticError)


@click.command()
@click.option("--rounds", type=click.IntRange(1), default=50, show_default=True)
@click.option("--repeats", type=click.IntRange(1), default=1000, show_default=True, help="In each round.")
def rules(rounds: int, repeats: int) -> None:
    """Rules of ten fields on a parsed Stripe event, beside the same mappings as Python functions."""
    size = len(orjson.dumps(PAYLOAD, option=orjson.OPT_INDENT_2))
    click.echo(f"{f'a customer of Stripe, {size:,} bytes':36}  the rule   by hand   ratio")
    for rule, function in zip(compiled(), BY_HAND, strict=True):
        check(rule, function)
        ours, theirs = both(partial(apply, (rule,), EVENT), partial(function, EVENT), rounds, repeats)
        click.echo(f"{rule.name:36} {ours:6.1f} us {theirs:6.1f} us    {ours / theirs:4.2f}")


def compiled() -> tuple[Rule, ...]:
    source, problems = compile_source("stripe", "bench/rules.py", MAPPING, lambda _: None)
    if source is None:
        raise click.ClickException("\n".join(map(str, problems)))
    return source.rules


def check(rule: Rule, function: Callable[[Event], Change | None]) -> None:
    """Only what does the same can be compared: on the event, and with each value in turn as it should not be."""
    for event in [EVENT, replace(EVENT, event_type="invoice.paid"), *map(changed, variants())]:
        if by_rule(rule, event) != by_function(function, event):
            raise click.ClickException(f"{rule.name}: the function does not do what the rule does")


def by_rule(rule: Rule, event: Event) -> Sequence[Change] | None:
    """None: refused."""
    made = apply((rule,), event)
    return None if made.failures else made.changes


def by_function(function: Callable[[Event], Change | None], event: Event) -> Sequence[Change] | None:
    try:
        made = function(event)
    except REFUSALS:
        return None
    return (made,) if made else ()


def changed(customer: Mapping[str, Any]) -> Event:
    return replace(EVENT, payload={**PAYLOAD, "data": {**PAYLOAD["data"], "object": customer}})


def variants() -> Iterator[Mapping[str, Any]]:
    """The customer with one value missing, null, empty, a list or too long."""
    for place in ((), ("address",), ("metadata",)):
        block = reduce(getitem, place, CUSTOMER)
        for key in block:
            others = {name: value for name, value in block.items() if name != key}
            for part in (others, *({**others, key: odd} for odd in (None, "", ["a list"], "@" * 201))):
                yield {**CUSTOMER, place[0]: part} if place else part


def both(ours: Callable[[], object], theirs: Callable[[], object], rounds: int, repeats: int) -> tuple[float, float]:
    """Microseconds: the best of many rounds in turn, so that whatever else the machine does disturbs both alike."""
    timers = Timer(ours), Timer(theirs)
    costs = [[timer.timeit(repeats) for timer in timers] for _ in range(rounds)]
    first, second = (1e6 * min(column) / repeats for column in zip(*costs, strict=True))
    return first, second
