"""Metronome's allow-lists: which custom field keys each kind of entity may have.

https://docs.metronome.com/api-reference/custom-fields/create-a-custom-field-key
"""

from collections.abc import Mapping
from typing import Any

from bridge.metronome.client import Client
from bridge.model import Outcome, Verdict

LIST_KEYS = "/v1/customFields/listKeys"
ADD_KEY = "/v1/customFields/addKey"

#: (entity, key) -> whether Metronome sees to it that no two entities have the same value.
Allowed = Mapping[tuple[str, str], bool]


def list_keys(client: Client, next_page: str | None = None) -> tuple[Outcome, tuple[Allowed, str | None]]:
    """One page of all allow-lists, and where the next begins. Empty unless accepted."""
    query = {"next_page": next_page} if next_page else {}
    outcome, page = client.listing("POST", LIST_KEYS, {}, query=query)
    if outcome.verdict is not Verdict.ACCEPTED:
        return outcome, ({}, None)
    allowed = {(row["entity"], row["key"]): row["enforce_uniqueness"] is True for row in page["data"] if is_key(row)}
    return outcome, (allowed, str(page["next_page"]) if page.get("next_page") else None)


def is_key(row: Any) -> bool:
    return isinstance(row, dict) and all(isinstance(row.get(name), str) for name in ("entity", "key"))


def add_key(client: Client, entity: str, key: str, *, unique: bool) -> tuple[Outcome, None]:
    """What a key is added with stays: the API can only remove it, and its values with it."""
    outcome, _ = client.call("POST", ADD_KEY, {"entity": entity, "key": key, "enforce_uniqueness": unique})
    return outcome, None
