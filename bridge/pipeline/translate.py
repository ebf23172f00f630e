"""Received events become changes, by the mapping of their source."""

from collections.abc import Mapping

from bridge.errors import RuleError
from bridge.mapping.rules import Source, Translation, apply
from bridge.model import UNREADABLE, Event, EventState, StoredEvent
from bridge.store.events import Translated

MAX_REASON_LENGTH = 2000


def translate(event: StoredEvent, sources: Mapping[str, Source]) -> Translated:
    """Never raises: whatever goes wrong with one event is its own reason, and the others go on."""
    source = sources.get(event.source)
    made = outcome(event, source)
    digest = source.digest if source else None
    if made.failures:
        return Translated(EventState.FAILED, "; ".join(made.failures)[:MAX_REASON_LENGTH], digest, made.changes)
    if not made.changes:
        return Translated(EventState.IGNORED, (made.idle or "")[:MAX_REASON_LENGTH], digest)
    return Translated(EventState.TRANSLATED, None, digest, made.changes)


def outcome(event: StoredEvent, source: Source | None) -> Translation:
    """What a source's rules make of a stored event; None: the source has no mapping file. Never raises."""
    if source is None:
        return Translation((), (no_mapping(event.source),))
    if event.event_type == UNREADABLE:
        return Translation((), (event.reason or "it could not be read",))
    try:
        return apply(source.rules, Event(event.event_id, event.event_type, event.payload, event.occurred_at))
    except (RuleError, ArithmeticError, LookupError, TypeError, ValueError, RecursionError) as error:
        return Translation((), (f"the rules cannot be applied: {type(error).__name__}",))


def no_mapping(source: str) -> str:
    return f"there is no mapping file for the source {source!r} any more"
