"""Short ways to make the values that tests are about."""

from typing import Any

from bridge.model import Change, Event, EventState, Reference, StoredChange, StoredEvent
from bridge.store.events import Translated
from bridge.times import SECOND

NOW = 1_795_341_600 * SECOND
ENTITY_ID = "99594816-e8a5-4bca-be21-8d1de0f45120"
OTHER_ID = "0a5f2d3c-6c5b-4a7e-9d43-1c0a2f3b4d5e"


def event(name: str = "evt_1", at: int | None = NOW, payload: Any = None, **given: Any) -> Event:
    return Event(name, "customer.updated", payload if payload is not None else {"id": name}, at, **given)


def change(values: dict[str, str | None], at: int = NOW, *, entity_id: str = ENTITY_ID, **given: Any) -> Change:
    return Change(
        rule=given.get("rule", "customer"),
        entity=given.get("entity", "customer"),
        reference=given.get("reference", Reference("id", entity_id)),
        set={key: value for key, value in values.items() if value is not None},
        remove=tuple(key for key, value in values.items() if value is None),
        occurred_at=at,
    )


def stored_change(
    number: int, values: dict[str, str | None], at: int = NOW, *, event: int | None = None
) -> StoredChange:
    return StoredChange(
        id=number,
        event=number if event is None else event,
        source="stripe",
        rule="customer",
        entity="customer",
        reference=Reference("id", ENTITY_ID),
        entity_id=ENTITY_ID,
        values=values,
        occurred_at=at,
        created_at=at,
    )


def translated(*changes: Change) -> Translated:
    return Translated(EventState.TRANSLATED, None, "digest", changes)


def by_payload(event: StoredEvent) -> Translated:
    """A mapping for tests: the payload's `set` is what is asked of the customer."""
    asked = event.payload["set"]
    return translated(change(asked, event.occurred_at, entity_id=event.payload.get("customer", ENTITY_ID)))


def asking(name: str, asked: dict[str, str | None], at: int = NOW, customer: str = ENTITY_ID) -> Event:
    """An event for `by_payload`."""
    return Event(name, "customer.updated", {"set": asked, "customer": customer}, at)
