"""What the sandbox holds: customers, contracts, custom field keys and values, and the calls that were made."""

import random
import uuid
from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from bridge.metronome.rules import NO_RULE, Asked, Rule
from bridge.times import SECOND, to_iso

Json = dict[str, Any]

#: Parts of a contract that carry custom fields of their own: where they are in it, and what each must have besides.
ANY_PRODUCT = {"id": "00000000-0000-4000-8000-000000000000", "name": "any"}
PARTS: Mapping[str, tuple[str, Json]] = {
    "commit": ("commits", {"type": "PREPAID", "product": ANY_PRODUCT, "created_at": "2026-01-01T00:00:00Z"}),
    "contract_credit": ("credits", {"type": "CREDIT", "product": ANY_PRODUCT}),
    "scheduled_charge": ("scheduled_charges", {"product": ANY_PRODUCT, "schedule": {"schedule_items": []}}),
    "subscription": (
        "subscriptions",
        {
            "subscription_rate": {"billing_frequency": "MONTHLY", "product": ANY_PRODUCT},
            "collection_schedule": "ADVANCE",
            "proration": {"is_prorated": False, "invoice_behavior": "BILL_IMMEDIATELY"},
            "quantity_schedule": [],
            "starting_at": "2026-01-01T00:00:00Z",
            "quantity_management_mode": "QUANTITY_ONLY",
            "billing_periods": {},
        },
    ),
}

#: How many calls are remembered; all are counted.
MAX_CALLS = 10_000
#: How many connections are remembered, to know which are used again.
MAX_CONNECTIONS = 1_000


class ApiError(Exception):
    """An answer that is not 200: {message} with a status."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.headers = dict(headers or {})


@dataclass(frozen=True, slots=True)
class Faults:
    """What can be switched on to see how a caller takes it."""

    latency_ms: float = 0
    #: Calls a second; above it 429 with Retry-After. 0: no limit.
    rate_limit: float = 0
    #: The share of calls that are answered 500 and not applied.
    error_rate: float = 0
    #: Every call is answered 503.
    outage: bool = False
    #: Only keys that were added may be set.
    enforce_keys: bool = False
    #: Only customers that exist have custom fields.
    enforce_customers: bool = False
    #: What setting a value gets that must be unique and is not: Metronome documents no status for it.
    conflict_status: int = 409


@dataclass
class World:
    """One caller at a time: the sandbox sees to it."""

    faults: Faults = field(default_factory=Faults)
    customers: dict[str, Json] = field(default_factory=dict)
    contracts: dict[str, Json] = field(default_factory=dict)
    #: Billable metrics, products and rate cards, by kind and id.
    catalog: dict[tuple[str, str], Json] = field(default_factory=dict)
    #: (entity, key) -> whether its values must be unique.
    keys: dict[tuple[str, str], bool] = field(default_factory=dict)
    values: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)
    calls: deque[Json] = field(default_factory=lambda: deque(maxlen=MAX_CALLS))
    statuses: Counter[int] = field(default_factory=Counter)
    tokens: float = 0.0
    filled_at: int = 0
    rules: list[Rule] = field(default_factory=list)
    #: How many calls each rule has matched.
    hits: list[int] = field(default_factory=list)
    #: Connections that have served a call.
    connections: deque[int] = field(default_factory=lambda: deque(maxlen=MAX_CONNECTIONS))

    def set_rules(self, rules: Iterable[Rule]) -> None:
        self.rules = list(rules)
        self.hits = [0] * len(self.rules)

    def rule_for(self, asked: Asked) -> Rule:
        """Returns the first rule that matches and is not used up, or NO_RULE. Counts that call."""
        for number, rule in enumerate(self.rules):
            if rule.matches(asked) and (rule.times is None or self.hits[number] < rule.times):
                self.hits[number] += 1
                return rule
        return NO_RULE

    def has_served(self, connection: int | None) -> bool:
        """Returns whether this connection has served a call, and remembers that it has."""
        if connection is None or connection in self.connections:
            return connection is not None
        self.connections.append(connection)
        return False

    def check_faults(self, now: int) -> None:
        """Raises ApiError if a fault hits this call."""
        if self.faults.outage:
            raise ApiError(503, "the sandbox plays an outage")
        if self.faults.rate_limit and not self.take_token(now):
            raise ApiError(429, "the sandbox plays a rate limit", {"Retry-After": "1"})
        if random.random() < self.faults.error_rate:  # noqa: S311
            raise ApiError(500, "the sandbox plays an error")

    def take_token(self, now: int) -> bool:
        """From a bucket that holds one second's worth of calls."""
        limit = self.faults.rate_limit
        self.tokens = min(max(limit, 1), self.tokens + (now - self.filled_at) / SECOND * limit)
        self.filled_at = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True

    def set_values(self, entity: str, entity_id: str, values: Mapping[str, str]) -> None:
        """All of them, or none and ApiError."""
        self.check_entity(entity, entity_id)
        self.check_values(entity, entity_id, values)
        self.values.setdefault((entity, entity_id), {}).update(values)

    def check_values(self, entity: str, entity_id: str, values: Mapping[str, str]) -> None:
        for key, value in values.items():
            if self.faults.enforce_keys and (entity, key) not in self.keys:
                raise ApiError(400, f"Invalid custom field keys: {key} is not on the allow-list of {entity}")
            if self.keys.get((entity, key)) and self.holders(entity, key, value) - {entity_id}:
                raise ApiError(
                    self.faults.conflict_status, f"the value of {key} must be unique, and another {entity} has it"
                )

    def delete_values(self, entity: str, entity_id: str, keys: Iterable[str]) -> None:
        self.check_entity(entity, entity_id)
        held = self.values.get((entity, entity_id), {})
        for key in keys:
            held.pop(key, None)

    def check_entity(self, entity: str, entity_id: str) -> None:
        if entity == "customer" and self.faults.enforce_customers and entity_id not in self.customers:
            raise ApiError(404, "no such customer")

    def holders(self, entity: str, key: str, value: str) -> set[str]:
        return {holder for (kind, holder), held in self.values.items() if kind == entity and held.get(key) == value}

    def add_key(self, entity: str, key: str, *, unique: bool) -> None:
        if (entity, key) in self.keys:
            raise ApiError(409, f"the key {key} is on the allow-list of {entity} already")
        self.keys[entity, key] = unique

    def remove_key(self, entity: str, key: str) -> None:
        if self.keys.pop((entity, key), None) is None:
            raise ApiError(404, f"the key {key} is not on the allow-list of {entity}")
        for (kind, _), held in self.values.items():
            if kind == entity:
                held.pop(key, None)

    def add_customer(self, given: Mapping[str, Any], now: int) -> Json:
        aliases = list(given.get("ingest_aliases", []))
        taken = {alias for customer in self.customers.values() for alias in customer["ingest_aliases"]}
        if taken.intersection(aliases):
            raise ApiError(409, "a customer with one of these ingest aliases exists already")
        customer_id = str(given.get("id") or uuid.uuid4()).lower()
        values = given.get("custom_fields", {})
        self.check_values("customer", customer_id, values)
        if values:
            self.values["customer", customer_id] = dict(values)
        self.customers[customer_id] = {
            "id": customer_id,
            "external_id": aliases[0] if aliases else customer_id,
            "ingest_aliases": aliases,
            "name": given["name"],
            "customer_config": {"salesforce_account_id": given.get("salesforce_account_id")},
            "created_at": to_iso(now),
            "updated_at": to_iso(now),
            "archived_at": None,
        }
        return self.customer(customer_id)

    def customer(self, customer_id: str) -> Json:
        if customer_id not in self.customers:
            raise ApiError(404, "no such customer")
        return {**self.customers[customer_id], "custom_fields": self.held("customer", customer_id)}

    def add_contract(self, given: Mapping[str, Any], now: int) -> Json:
        contract_id = str(given.get("id") or uuid.uuid4()).lower()
        named = ("name", "uniqueness_key", "salesforce_opportunity_id", "netsuite_sales_order_id")
        self.contracts[contract_id] = {
            "id": contract_id,
            "customer_id": given["customer_id"].lower(),
            "starting_at": to_iso(now),
            "created_at": to_iso(now),
            "created_by": "sandbox",
            "usage_statement_schedule": {"frequency": "MONTHLY", "billing_anchor_date": to_iso(now)},
            **{name: [] for name in ("commits", "overrides", "scheduled_charges", "transitions", "usage_filter")},
            **{name: given[name] for name in named if name in given},
        }
        for part in given.get("parts", ()):
            place, _ = PARTS[part["entity"]]
            self.contracts[contract_id].setdefault(place, []).append(part["id"].lower())
        return self.contract(contract_id)

    def contract(self, contract_id: str) -> Json:
        parts = {
            place: [
                {"id": one, **content, "custom_fields": self.held(entity, one)}
                for one in self.contracts[contract_id].get(place, ())
            ]
            for entity, (place, content) in PARTS.items()
        }
        return {**self.contracts[contract_id], **parts, "custom_fields": self.held("contract", contract_id)}

    def add_item(self, given: Mapping[str, Any], now: int) -> None:
        """A billable metric, a product or a rate card."""
        item_id, name = str(given.get("id") or uuid.uuid4()).lower(), given["name"]
        made = {"name": name, "created_at": to_iso(now), "created_by": "sandbox"}
        content: Mapping[str, Json] = {
            "billable_metric": {"name": name},
            "contract_product": {"type": "FIXED", "initial": made, "current": made, "updates": []},
            "rate_card": made,
        }
        self.catalog[given["entity"], item_id] = {"id": item_id, **content[given["entity"]]}

    def item(self, entity: str, item_id: str) -> Json:
        if (entity, item_id) not in self.catalog:
            raise ApiError(404, f"no such {entity}")
        return {**self.catalog[entity, item_id], "custom_fields": self.held(entity, item_id)}

    def held(self, entity: str, entity_id: str) -> dict[str, str]:
        return dict(self.values.get((entity, entity_id), {}))

    def remember(self, call: str, body: Json, status: int, now: int) -> None:
        self.statuses[status] += 1
        self.calls.append({"at": to_iso(now), "call": call, "status": status, **body})

    def reset(self) -> None:
        """Forget everything, and switch every fault off."""
        fresh = World()
        self.__dict__.update(fresh.__dict__)

    def dump(self) -> Json:
        """Everything, as JSON."""
        return {
            "values": [
                {"entity": entity, "entity_id": entity_id, "custom_fields": held}
                for (entity, entity_id), held in self.values.items()
            ],
            "keys": [
                {"entity": entity, "key": key, "enforce_uniqueness": unique}
                for (entity, key), unique in self.keys.items()
            ],
            "customers": [self.customer(customer_id) for customer_id in self.customers],
            "contracts": [self.contract(contract_id) for contract_id in self.contracts],
            "catalog": [{"entity": entity, **self.item(entity, item_id)} for entity, item_id in self.catalog],
            "rules": [{**shown(rule), "hits": hits} for rule, hits in zip(self.rules, self.hits, strict=True)],
            "statuses": {str(status): count for status, count in sorted(self.statuses.items())},
            "calls": list(self.calls),
        }


def shown(rule: Rule) -> Json:
    """What a rule says, without what it leaves open."""
    return {one.name: value for one in fields(rule) if (value := getattr(rule, one.name)) not in (None, {})}
