"""What in a payload names an entity of Metronome: each makes a rule. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bridge.authoring.suggest import Entry
from bridge.errors import BridgeError
from bridge.model import ENTITIES, MAX_VALUE_LENGTH, Event

#: What vendors call a customer of Metronome.
CUSTOMERS = ("customer", "account", "company", "organization", "organisation", "org", "tenant", "workspace")

_WORDS = re.compile(r"[A-Z]+(?![a-z])\d*|[A-Z]?[a-z]+\d*|\d+|[^\W\d_A-Za-z]+")


@dataclass(frozen=True, slots=True)
class Anchor:
    """What names an entity, and so makes a rule."""

    entity: str
    entry: Entry
    kind: str = "id"
    #: Why this one, where that is not plain.
    comment: str = ""

    @property
    def for_each(self) -> str | None:
        return self.entry.for_each

    @property
    def path(self) -> str:
        return self.entry.item or self.entry.path


def anchors_of(event: Event, entries: Sequence[Entry]) -> list[Anchor]:
    """Ids of Metronome, told by a name; else UUIDs whose names say of what; else what a customer may be found by."""
    uuids = [one for one in entries if one.is_uuid and one.value != event.event_id]
    ours = [one for one in uuids if "metronome" in one.path.casefold()]
    named = [one for one in uuids if entity_named(one.steps[-2:])]
    comment = "" if ours else "a guess: is this an id of Metronome?"
    found: dict[tuple[str, str | None], Anchor] = {}
    for one in ours or named:
        entity = entity_named(one.steps) or "customer"
        found.setdefault((entity, one.for_each), Anchor(entity, one, comment=comment))
    return list(found.values()) or [customer_of(entries)]


def customer_of(entries: Sequence[Entry]) -> Anchor:
    """Raises BridgeError if nothing can be the name of anything."""
    usable = [one for one in entries if one.for_each is None and is_name(one.value)]
    if not usable:
        raise BridgeError("there is nothing in this event that could name a customer")
    return Anchor(
        "customer",
        max(usable, key=likeness_to_customer),
        kind="ingest_alias",
        comment="a guess: what finds the customer by an ingest alias; or `id:` and the path of a Metronome id",
    )


def likeness_to_customer(one: Entry) -> int:
    names = [snake(step) for step in one.steps if isinstance(step, str)]
    last, before = names[-1] if names else "", names[-2] if len(names) > 1 else ""
    if last in {f"{word}_id" for word in CUSTOMERS} or (last == "id" and before in CUSTOMERS):
        return 3
    return 2 if last == "id" else 1 if last.endswith("_id") else 0


def is_name(value: Any) -> bool:
    if isinstance(value, str):
        return 0 < len(value) <= MAX_VALUE_LENGTH and value.isprintable()
    return isinstance(value, int) and not isinstance(value, bool)


def entity_named(steps: Sequence[str | int]) -> str | None:
    """The entity that the steps speak of; the later ones first."""
    for step in reversed(steps):
        words = f"_{snake(step)}_" if isinstance(step, str) else ""
        for entity in sorted(ENTITIES, key=len, reverse=True):
            if f"_{entity}_" in words:
                return entity
        if any(f"_{word}_" in words for word in CUSTOMERS):
            return "customer"
    return None


def snake(name: str) -> str:
    """`dealStageID` -> `deal_stage_id`"""
    return "_".join(word.casefold() for word in _WORDS.findall(name))
