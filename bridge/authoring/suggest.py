"""What is in a payload that could be mapped: every path, as rules write it, with what its value looks like. Pure."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from bridge.authoring.notation import path_text
from bridge.errors import RuleError
from bridge.mapping.functions import moment
from bridge.mapping.presence import Path
from bridge.mapping.sharing import ELEMENT
from bridge.mapping.values import is_uuid
from bridge.model import MAX_VALUE_LENGTH, Request
from bridge.payload import describe, parts
from bridge.times import MILLISECONDS_FROM

#: A header that only this sender's requests have, or how its `user-agent` begins.
HEADERS: Mapping[str, str] = {
    "attio-signature": "attio",
    "close-sig-hash": "close",
    "x-ms-dynamics-organization": "dataverse",
    "x-github-event": "github",
    "x-hubspot-signature": "hubspot",
    "x-hubspot-signature-v3": "hubspot",
    "metronome-webhook-signature": "metronome",
    "x-netsuite-signature": "netsuite",
    "paddle-signature": "paddle",
    "shopify-hmac-sha256": "shopify",
    "x-shopify-hmac-sha256": "shopify",
    "stripe-signature": "stripe",
    "svix-signature": "standard-webhooks",
    "webhook-signature": "standard-webhooks",
    "x-zendesk-webhook-signature": "zendesk",
    "zuora-notification-id": "zuora",
}
AGENTS: Mapping[str, str] = {
    "chargebee": "chargebee",
    "intercom": "intercom",
    "microsoft azure monitoring": "microsoft-graph",
    "pipedrive": "pipedrive",
    "rudder": "rudderstack",
    "sfdc-callout": "salesforce-json",
    "segment": "segment",
    "https://www.zoho.com": "zoho",
    "zohocrm": "zoho-workflow",
    "zuora": "zuora",
}

_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_CENTS = re.compile(r"cents|minor", re.IGNORECASE)
_MONEY = re.compile(r"amount|price|total|balance|mrr|arr\b|fee|cost|value|revenue|limit", re.IGNORECASE)
#: Numbers between these are taken for times: seconds, or milliseconds, since 1970.
EPOCHS = tuple(int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) for year in (2001, 2101))


@dataclass(frozen=True, slots=True)
class Entry:
    """One value of a payload, and how a rule writes where it is."""

    steps: Path
    value: Any = field(repr=False)
    #: The list of objects that it is in, as `for_each` writes it, and its path from an element on: `item.x`.
    for_each: str | None = None
    item: str | None = None
    #: What it looks like, and what to do about it.
    notes: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        return path_text(self.steps)

    @property
    def is_uuid(self) -> bool:
        return isinstance(self.value, str) and is_uuid(self.value)


def sender_of(request: Request) -> str | None:
    """Whose request it is, by its headers."""
    for header, name in HEADERS.items():
        if request.header(header):
            return name
    agent = (request.header("user-agent") or "").casefold()
    return next((name for beginning, name in AGENTS.items() if agent.startswith(beginning)), None)


def entries_of(payload: Any) -> list[Entry]:
    """Every value that is no object, in the order of the payload; of a list, what its first element to have it has."""
    entries: list[Entry] = []
    seen: set[Path] = set()
    for steps, value in parts(payload):
        if isinstance(value, dict) and value:
            continue
        # All elements of a list are alike: what the first has need not be said of the others.
        alike = tuple(0 if isinstance(step, int) else step for step in steps)
        if alike not in seen:
            seen.add(alike)
            for_each, item = through(payload, steps)
            entries.append(Entry(steps, value, for_each, item, tuple(notes_of(steps, value))))
    return entries


def through(payload: Any, steps: Path) -> tuple[str | None, str | None]:
    """How to reach every such value with for_each: through the innermost list of objects that it is in."""
    here = payload
    innermost = None
    for number, step in enumerate(steps):
        here = here[step]
        if isinstance(step, int) and isinstance(here, dict):
            innermost = number
    if innermost is None:
        return None, None
    return flattened(steps[:innermost]), path_text((ELEMENT, *steps[innermost + 1 :]))


def flattened(steps: Path) -> str:
    """A path to a list of lists' elements: `orders[].items`."""
    if not any(isinstance(step, int) for step in steps):
        return path_text(steps)
    pieces = ["[]" if isinstance(step, int) else f".{path_text((step,))}" for step in steps]
    return "".join(pieces).removeprefix(".") + "[]"


def notes_of(steps: Path, value: Any) -> Iterator[str]:
    name = next((step for step in reversed(steps) if isinstance(step, str)), "")
    if isinstance(value, str) and is_uuid(value):
        yield "a UUID: an id of Metronome?"
    if is_time(value):
        yield "a date" if isinstance(value, str) and _DATE.fullmatch(value) else "a time: see date()"
    elif isinstance(value, int) and not isinstance(value, bool) and _CENTS.search(name):
        yield "cents: divide(..., `100`)"
    elif isinstance(value, int) and not isinstance(value, bool) and value and _MONEY.search(name):
        yield "cents? then divide(..., `100`)"
    if isinstance(value, str) and len(value) > MAX_VALUE_LENGTH:
        yield f"{len(value)} characters, and {MAX_VALUE_LENGTH} fit: see too_long"
    if isinstance(value, list) and value and isinstance(value[0], dict):
        yield "a list of objects: see for_each"
    elif isinstance(value, list) and value:
        yield "a list: see join()"


def is_time(value: Any) -> bool:
    if isinstance(value, str):
        if value.replace(".", "", 1).isdecimal():
            return False
        try:
            moment(value)
        except RuleError:
            return False
        return True
    if not isinstance(value, int) or isinstance(value, bool):
        return False
    seconds = value // 1000 if value >= MILLISECONDS_FROM else value
    return EPOCHS[0] <= seconds < EPOCHS[1]


def kind_of(value: Any) -> str:
    """In words, as messages have it, but that empty is told apart."""
    if value == "":
        return "empty text"
    if value in ([], {}):
        return f"empty {'list' if value == [] else 'object'}"
    return describe(value).removeprefix("a ").removeprefix("an ")
