"""Received events become changes, by the mapping of their source."""

from collections.abc import Callable, Iterable, Mapping

from bridge.errors import RuleError
from bridge.mapping.dating import Limit, span
from bridge.mapping.rules import Source, Translation, apply
from bridge.mapping.work import Limits, TooMuchWorkError, limited
from bridge.model import UNREADABLE, Change, Event, EventState, StoredEvent
from bridge.store.events import Translated

MAX_REASON_LENGTH = 2000
NO_LIMITS = Limits()


def translate(
    event: StoredEvent,
    sources: Mapping[str, Source],
    limits: Limits = NO_LIMITS,
    clock: Callable[[], int] = lambda: 0,
) -> Translated:
    """Returns what became of an event. Never raises: what goes wrong with one is its own reason, and others go on.

    `limits`: what its rules may use; `clock`: nanoseconds of this thread's processor time.
    """
    source = sources.get(event.source)
    with limited(limits, clock):
        made = outcome(event, source)
    digest = source.digest if source else None
    if made.failures:
        return Translated(EventState.FAILED, "; ".join(made.failures)[:MAX_REASON_LENGTH], digest, made.changes)
    if not made.changes:
        return Translated(EventState.IGNORED, (made.idle or "")[:MAX_REASON_LENGTH], digest)
    return Translated(EventState.TRANSLATED, dated_by_receipt(made.changes), digest, made.changes)


def outcome(event: StoredEvent, source: Source | None) -> Translation:
    """What a source's rules make of a stored event; None: the source has no mapping file. Never raises."""
    if source is None:
        return Translation((), (no_mapping(event.source),))
    if event.event_type == UNREADABLE:
        return Translation((), (event.reason or "it could not be read",))
    try:
        given = Event(event.event_id, event.event_type, event.payload, event.occurred_at)
        return apply(source.rules, given, Limit(event.received_at, source.future_events))
    except TooMuchWorkError as error:
        return Translation((), (str(error),))
    except (RuleError, ArithmeticError, LookupError, TypeError, ValueError, RecursionError, MemoryError) as error:
        return Translation((), (f"the rules cannot be applied: {type(error).__name__}",))


def dated_by_receipt(changes: Iterable[Change]) -> str | None:
    """Returns which rules did not use a time because it lies in the future; None: all used theirs."""
    rules = {change.rule: span(change.ahead) for change in changes if change.ahead}
    said = (f"rule {rule!r} was dated by receipt: its time lies {ahead} in the future" for rule, ahead in rules.items())
    return "; ".join(said)[:MAX_REASON_LENGTH] or None


def no_mapping(source: str) -> str:
    return f"there is no mapping file for the source {source!r} any more"
