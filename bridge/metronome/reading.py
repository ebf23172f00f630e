"""What Metronome holds: custom field values read back. The API gives them with some kinds of entity only.

https://docs.metronome.com/api-reference
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bridge.metronome.client import CONTRACTS, CUSTOMERS, Client
from bridge.model import Outcome, Verdict

BILLABLE_METRICS = "/v1/billable-metrics"
PRODUCT = "/v1/contract-pricing/products/get"
RATE_CARD = "/v1/contract-pricing/rate-cards/get"

#: What one call for customers may ask for, and gives.
MANY = 100

Values = Mapping[str, str]
#: (entity, id) -> its values.
Readings = Mapping[tuple[str, str], Values]

UNREADABLE = Outcome(Verdict.UNAVAILABLE, 200, "the answer is not what the API describes")


def customers(client: Client, ids: Sequence[str]) -> tuple[Outcome, Readings]:
    """Up to MANY at a time. Who is archived, or does not exist, is left out."""
    outcome, page = client.customers({"customer_ids": list(ids), "limit": str(MANY)})
    rows = page["data"] if outcome.verdict is Verdict.ACCEPTED else []
    return outcome, {("customer", id_of(row)): values_of(row) for row in rows if is_entity(row)}


def customer(client: Client, entity_id: str) -> tuple[Outcome, Values]:
    """Archived or not."""
    return single(client.call("GET", f"{CUSTOMERS}/{entity_id}"))


def billable_metric(client: Client, entity_id: str) -> tuple[Outcome, Values]:
    return single(client.call("GET", f"{BILLABLE_METRICS}/{entity_id}"))


def contract_product(client: Client, entity_id: str) -> tuple[Outcome, Values]:
    return single(client.call("POST", PRODUCT, {"id": entity_id}))


def rate_card(client: Client, entity_id: str) -> tuple[Outcome, Values]:
    return single(client.call("POST", RATE_CARD, {"id": entity_id}))


@dataclass(frozen=True, slots=True)
class Reader:
    """How entities of one kind are read by their own ids."""

    one: Callable[[Client, str], tuple[Outcome, Values]]
    #: Cheaper; what it leaves out must be asked for by itself.
    many: Callable[[Client, Sequence[str]], tuple[Outcome, Readings]] | None = None


#: The catalogue (metrics, products, rate cards) is small, and has no call for some of it.
READERS: Mapping[str, Reader] = {
    "customer": Reader(customer, customers),
    "billable_metric": Reader(billable_metric),
    "contract_product": Reader(contract_product),
    "rate_card": Reader(rate_card),
}

#: What is read with the contracts of a customer, and where it is in a contract. The contract is no part of itself.
PARTS: Mapping[str, str] = {
    "commit": "commits",
    "contract_credit": "credits",
    "discount": "discounts",
    "professional_service": "professional_services",
    "scheduled_charge": "scheduled_charges",
    "subscription": "subscriptions",
}
WITH_CONTRACTS = ("contract", *PARTS)


def customer_ids(
    client: Client, next_page: str | None, *, archived: bool
) -> tuple[Outcome, tuple[list[str], str | None]]:
    """One page of all customers that are archived, or of all that are not; and where the next begins."""
    query = {"limit": str(MANY), "only_archived": "true" if archived else "false"}
    outcome, page = client.customers(query | ({"next_page": next_page} if next_page else {}))
    if outcome.verdict is not Verdict.ACCEPTED:
        return outcome, ([], None)
    following = str(page["next_page"]) if page.get("next_page") else None
    return outcome, ([id_of(row) for row in page["data"] if is_entity(row)], following)


def contracts(client: Client, customer_id: str) -> tuple[Outcome, Readings]:
    """All contracts of a customer, archived ones too, with their parts. The API may leave out commits and credits."""
    outcome, answer = client.listing("POST", CONTRACTS, {"customer_id": customer_id, "include_archived": True})
    return outcome, dict(parts_of(answer["data"] if outcome.verdict is Verdict.ACCEPTED else ()))


def parts_of(found: Sequence[Any]) -> Iterator[tuple[tuple[str, str], Values]]:
    for contract in filter(is_entity, found):
        yield ("contract", id_of(contract)), values_of(contract)
        for entity, place in PARTS.items():
            for part in filter(is_entity, contract.get(place) or ()):
                yield (entity, id_of(part)), values_of(part)


def single(answered: tuple[Outcome, Mapping[str, Any]]) -> tuple[Outcome, Values]:
    """Empty unless accepted."""
    outcome, answer = answered
    if outcome.verdict is not Verdict.ACCEPTED:
        return outcome, {}
    row = answer.get("data", {})
    return (outcome, values_of(row)) if is_entity(row) else (UNREADABLE, {})


def is_entity(row: Any) -> bool:
    return isinstance(row, dict) and isinstance(row.get("id"), str)


def id_of(row: Mapping[str, Any]) -> str:
    return str(row["id"]).lower()


def values_of(row: Mapping[str, Any]) -> Values:
    """An entity without any may lack the property."""
    held = row.get("custom_fields")
    return {key: str(value) for key, value in held.items() if value is not None} if isinstance(held, dict) else {}
