"""Whose entity is this? Finds a customer's UUID by an id of somebody else's."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from bridge.model import Outcome, Reference, Verdict

#: Enough to see that a filter was ignored, and to name who else answers to it.
MAX_PAGES = 3

#: Salesforce ids have 15 characters, or 18 with a checksum.
SALESFORCE_ID_LENGTH = 15
LONG_SALESFORCE_ID_LENGTH = 18


class Customers(Protocol):
    def customers(self, query: Mapping[str, str]) -> tuple[Outcome, Mapping[str, Any]]: ...


@dataclass(frozen=True, slots=True)
class Found:
    """The entities that answer to a reference: none, one, or several if it is ambiguous."""

    outcome: Outcome
    entity_ids: tuple[str, ...] = ()


def has_alias(customer: Mapping[str, Any], alias: str) -> bool:
    aliases = customer.get("ingest_aliases")
    return isinstance(aliases, list) and alias in aliases


def has_salesforce_account(customer: Mapping[str, Any], account: str) -> bool:
    config = customer.get("customer_config")
    known = config.get("salesforce_account_id") if isinstance(config, dict) else None
    return isinstance(known, str) and known != "" and without_checksum(known) == without_checksum(account)


def without_checksum(account: str) -> str:
    return account[:SALESFORCE_ID_LENGTH] if len(account) == LONG_SALESFORCE_ID_LENGTH else account


#: Kind of reference -> the query parameter of GET /v1/customers, and what a customer must show to be the one.
LOOKUPS = {
    "ingest_alias": ("ingest_alias", has_alias),
    "salesforce_account_id": ("salesforce_account_ids", has_salesforce_account),
}


class Directory:
    def __init__(self, client: Customers) -> None:
        self.client = client

    def find(self, reference: Reference, before_next_page: Callable[[], object] = lambda: None) -> Found:
        """Asks Metronome, and takes no customer that does not carry the value itself."""
        parameter, carries = LOOKUPS[reference.kind]
        query = {parameter: reference.value, "limit": "100"}
        found: list[str] = []
        for number in range(MAX_PAGES):
            if number:
                before_next_page()
            outcome, page = self.client.customers(query)
            if outcome.verdict is not Verdict.ACCEPTED:
                return Found(outcome)
            found += [one["id"] for one in page["data"] if is_customer(one) and carries(one, reference.value)]
            if not page.get("next_page"):
                break
            query = {**query, "next_page": str(page["next_page"])}
        return Found(outcome, tuple(dict.fromkeys(found)))


def is_customer(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("id"), str)
