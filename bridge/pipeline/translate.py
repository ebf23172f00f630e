"""Received events become changes, by the mapping of their source."""

from collections.abc import Mapping

from bridge.errors import RuleError
from bridge.mapping.rules import Source, apply
from bridge.model import UNREADABLE, Event, EventState, StoredEvent
from bridge.store.events import Translated

NO_RULE = "no rule applies"
MAX_REASON_LENGTH = 2000


def translate(event: StoredEvent, sources: Mapping[str, Source]) -> Translated:
    """Never raises: whatever goes wrong with one event is its own reason, and the others go on."""
    source = sources.get(event.source)
    if source is None:
        return Translated(EventState.FAILED, no_mapping(event.source))
    if event.event_type == UNREADABLE:
        return Translated(EventState.FAILED, event.reason or "it could not be read", source.digest)
    try:
        made = apply(source.rules, Event(event.event_id, event.event_type, event.payload, event.occurred_at))
    except (RuleError, ArithmeticError, LookupError, TypeError, ValueError, RecursionError) as error:
        return Translated(EventState.FAILED, f"the rules cannot be applied: {type(error).__name__}", source.digest)
    if made.failures:
        reason = "; ".join(made.failures)[:MAX_REASON_LENGTH]
        return Translated(EventState.FAILED, reason, source.digest, made.changes)
    if not made.changes:
        return Translated(EventState.IGNORED, NO_RULE, source.digest)
    return Translated(EventState.TRANSLATED, None, source.digest, made.changes)


def no_mapping(source: str) -> str:
    return f"there is no mapping file for the source {source!r} any more"
