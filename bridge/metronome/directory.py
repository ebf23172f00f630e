"""Whose entity is this? Finds UUIDs by ids of somebody else's."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from bridge.gates import Endpoint
from bridge.model import Outcome, Reference, Verdict

#: Enough to see that a filter was ignored, and to name who else answers to it.
MAX_PAGES = 3
#: Metronome's ids are UUIDs; more than this is none.
MAX_ID_LENGTH = 255
#: What a page has at most.
PAGE = "100"

#: Salesforce ids have 15 characters, or 18 with a checksum.
SALESFORCE_ID_LENGTH = 15
LONG_SALESFORCE_ID_LENGTH = 18


class Lists(Protocol):
    """The two calls of Metronome's API that lookups make."""

    def customers(self, query: Mapping[str, str | Sequence[str]]) -> tuple[Outcome, Mapping[str, Any]]: ...

    def contracts(self, customer_id: str) -> tuple[Outcome, Mapping[str, Any]]: ...


@dataclass(frozen=True, slots=True)
class Found:
    """The entities that answer to a reference: none, one, or several if it is ambiguous."""

    #: None: there was no need to ask.
    outcome: Outcome | None
    entity_ids: tuple[str, ...] = ()
    #: Whom nobody was found for, if that is not the reference itself but the customer in it.
    about: Reference | None = None
    #: No answer yet: the customers are being read, and then it is worth asking again.
    again_at: int | None = None
    #: What it waits for until then.
    waiting: str = "waits for the index of Metronome's customers"
    #: None was found, and before then nothing new will be known.
    not_before: int = 0
    #: What the last call was.
    endpoint: Endpoint = Endpoint.CUSTOMERS


@dataclass(frozen=True, slots=True)
class Page:
    """Some of all customers."""

    outcome: Outcome
    customers: tuple[Mapping[str, Any], ...] = ()
    #: Where the next page begins; None: this is the last.
    cursor: str | None = None


def has_alias(customer: Mapping[str, Any], alias: str) -> bool:
    aliases = customer.get("ingest_aliases")
    return isinstance(aliases, list) and alias in aliases


def has_salesforce_account(customer: Mapping[str, Any], account: str) -> bool:
    config = customer.get("customer_config")
    return is_same_salesforce_id(config.get("salesforce_account_id") if isinstance(config, dict) else None, account)


def is_same_salesforce_id(known: Any, wanted: str) -> bool:
    return isinstance(known, str) and known != "" and without_checksum(known) == without_checksum(wanted)


def without_checksum(account: str) -> str:
    return account[:SALESFORCE_ID_LENGTH] if len(account) == LONG_SALESFORCE_ID_LENGTH else account


def has_uniqueness_key(contract: Mapping[str, Any], key: str) -> bool:
    return bool(contract.get("uniqueness_key") == key)


def has_salesforce_opportunity(contract: Mapping[str, Any], opportunity: str) -> bool:
    return is_same_salesforce_id(contract.get("salesforce_opportunity_id"), opportunity)


def has_custom_field(entity: Mapping[str, Any], key: str, value: str) -> bool:
    held = entity.get("custom_fields")
    return isinstance(held, dict) and held.get(key) == value


#: Kind of reference -> the query parameter of GET /v1/customers, and what a customer must show to be the one.
LOOKUPS = {
    "ingest_alias": ("ingest_alias", has_alias),
    "salesforce_account_id": ("salesforce_account_ids", has_salesforce_account),
}
#: Kind of reference -> what a contract must show to be the one.
CONTRACT_LOOKUPS: Mapping[str, Callable[..., bool]] = {
    "uniqueness_key": has_uniqueness_key,
    "salesforce_opportunity_id": has_salesforce_opportunity,
    "custom_field": has_custom_field,
}


class Directory:
    def __init__(self, client: Lists) -> None:
        self.client = client

    def find(self, reference: Reference, before_next_page: Callable[[], object] = lambda: None) -> Found:
        """Asks Metronome, and takes no customer that does not carry the value itself."""
        parameter, carries = LOOKUPS[reference.kind]
        query = {parameter: reference.value, "limit": PAGE}
        found: list[str] = []
        for number in range(MAX_PAGES):
            if number:
                before_next_page()
            outcome, page = self.client.customers(query)
            if outcome.verdict is not Verdict.ACCEPTED:
                return Found(outcome)
            found += [one["id"] for one in entities_in(page) if carries(one, reference.value)]
            if not page.get("next_page"):
                break
            query = {**query, "next_page": str(page["next_page"])}
        return Found(outcome, tuple(dict.fromkeys(found)))

    def carrying(self, key: str, value: str, candidates: Sequence[str]) -> Found:
        """Which of these customers have the custom field now. At most 100."""
        outcome, page = self.client.customers({"customer_ids": candidates, "limit": PAGE})
        return found_in(outcome, page, lambda one: one["id"] in candidates and has_custom_field(one, key, value))

    def contracts(self, reference: Reference, customer_id: str) -> Found:
        """The customer's contracts that answer to the reference. Archived ones do not."""
        outcome, page = self.client.contracts(customer_id)
        if outcome.verdict is Verdict.UNKNOWN:
            # No such customer, so no such contract: as clear an answer as an empty list.
            return Found(Outcome(Verdict.ACCEPTED, outcome.status, outcome.message), endpoint=Endpoint.CONTRACTS)
        carries = CONTRACT_LOOKUPS[reference.kind]
        found = found_in(outcome, page, lambda one: carries(one, *reference.parts))
        return replace(found, endpoint=Endpoint.CONTRACTS)

    def page(self, cursor: str | None) -> Page:
        """Some of all customers that are not archived; None: the first."""
        query = {"limit": PAGE} if cursor is None else {"limit": PAGE, "next_page": cursor}
        outcome, page = self.client.customers(query)
        if outcome.verdict is not Verdict.ACCEPTED:
            return Page(outcome)
        following = page.get("next_page")
        return Page(outcome, tuple(entities_in(page)), str(following) if following else None)


def found_in(outcome: Outcome, page: Mapping[str, Any], is_wanted: Callable[[Mapping[str, Any]], bool]) -> Found:
    if outcome.verdict is not Verdict.ACCEPTED:
        return Found(outcome)
    return Found(outcome, tuple(dict.fromkeys(one["id"] for one in entities_in(page) if is_wanted(one))))


def entities_in(page: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [one for one in page["data"] if isinstance(one, dict) and is_id(one.get("id"))]


def is_id(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= MAX_ID_LENGTH and value.isprintable()
