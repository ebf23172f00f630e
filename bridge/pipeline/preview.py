"""What the bridge would do about an event: the rules explained, and the calls that would come of them. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bridge.authoring.explain import Explanation, FieldStory, Found, RuleStory, ScopeStory, explain
from bridge.authoring.steps import Step, steps_of
from bridge.mapping.rules import Source
from bridge.metronome.client import DELETE_VALUES, SET_VALUES, delete_body, set_body
from bridge.model import UNREADABLE, Change, Event, Reference, Request, StoredChange, StoredEvent
from bridge.payload import MISSING
from bridge.pipeline.fold import fold
from bridge.times import to_iso


@dataclass(frozen=True, slots=True)
class Call:
    """One call as the API would get it, but for an id that is still to be looked up."""

    path: str
    body: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Preview:
    """`calls` are made as if Metronome held nothing yet: what it holds already is not sent again."""

    explanations: tuple[Explanation, ...]
    calls: tuple[Call, ...]

    @property
    def failed(self) -> bool:
        return any(explanation.translation.failures for explanation in self.explanations)


def of_request(source: Source, request: Request, now: int) -> Preview:
    """What would come of a request. Nothing is verified. Raises SenderError."""
    events = source.sender.read(request, now)
    return preview([explain(source.rules, event, now, source.future_events) for event in events], source.name)


def of_stored(source: Source, stored: StoredEvent) -> Preview:
    """What would come of an event that was received, by the rules as they are now."""
    event = Event(
        stored.event_id,
        stored.event_type,
        stored.payload,
        # Where the sender does not say, the time of receipt was stored.
        None if stored.occurred_at == stored.received_at else stored.occurred_at,
        problem=stored.reason if stored.event_type == UNREADABLE else None,
    )
    return preview([explain(source.rules, event, stored.received_at, source.future_events)], source.name)


def preview(explanations: Sequence[Explanation], source: str) -> Preview:
    changes = [
        (number, change)
        for number, explanation in enumerate(explanations)
        for change in explanation.translation.changes
    ]
    return Preview(tuple(explanations), tuple(calls_for(changes, source)))


def calls_for(changes: Iterable[tuple[int, Change]], source: str) -> Iterable[Call]:
    """Each with the number of its event; all of an entity become one write, as when they are delivered together."""
    entities: dict[tuple[str, Reference], list[StoredChange]] = {}
    for number, (event, change) in enumerate(changes):
        together = entities.setdefault((change.entity, change.reference), [])
        together.append(stored(number, event, change, source))
    for (entity, reference), together in entities.items():
        write = fold(together, {}).write
        entity_id = reference.entity_id or f"<found by {reference}>"
        if write.set:
            yield Call(SET_VALUES, set_body(entity, entity_id, write.set))
        if write.remove:
            yield Call(DELETE_VALUES, delete_body(entity, entity_id, write.remove))


def stored(number: int, event: int, change: Change, source: str) -> StoredChange:
    """As it would be remembered."""
    return StoredChange(
        id=number,
        event=event,
        source=source,
        rule=change.rule,
        entity=change.entity,
        reference=change.reference,
        entity_id=change.reference.entity_id,
        values={**change.set, **dict.fromkeys(change.remove)},
        occurred_at=change.occurred_at,
        created_at=change.occurred_at,
        partial=change.partial,
    )


def as_json(made: Preview) -> dict[str, Any]:
    """All of it as plain values. What a path does not find has `missing` in the place of `value`."""
    return {
        "events": [explanation_json(explanation) for explanation in made.explanations],
        "calls": [{"method": "POST", "path": call.path, "body": call.body} for call in made.calls],
        "failed": made.failed,
    }


def explanation_json(explanation: Explanation) -> dict[str, Any]:
    event = explanation.event
    return {
        "event_id": event.event_id,
        "event_type": event.event_type,
        "occurred_at": to_iso(event.occurred_at or 0),
        "dated_by": "sender" if explanation.dated else "receipt",
        "rules": [rule_json(story, event.payload) for story in explanation.rules],
        "failures": list(explanation.translation.failures),
        "nothing_done": explanation.translation.idle,
    }


def rule_json(story: RuleStory, payload: Any) -> dict[str, Any]:
    return {
        "rule": story.rule.name,
        "entity": story.rule.entity,
        "events": list(story.rule.events),
        "fate": story.fate,
        "for_each": found_json(story.for_each, payload),
        "problem": story.problem,
        "scopes": [scope_json(scope) for scope in story.scopes],
    }


def scope_json(story: ScopeStory) -> dict[str, Any]:
    return {
        "element": story.number,
        "fate": story.fate,
        "when": found_json(story.when, story.scope),
        "id": found_json(story.identity, story.scope),
        "customer": found_json(story.customer, story.scope),
        "reference": story.reference and str(story.reference),
        "reference_problem": story.reference_problem,
        "occurred_at": found_json(story.occurred_at, story.scope),
        "time": None if story.time is None else to_iso(story.time),
        "time_problem": story.time_problem,
        "dated_by_receipt": bool(story.change and story.change.ahead),
        "fields": [field_json(field, story.scope) for field in story.fields],
        "change": story.change and {"set": story.change.set, "remove": story.change.remove},
        "failure": story.failure,
    }


def field_json(story: FieldStory, scope: Any) -> dict[str, Any]:
    return {
        "key": story.key,
        "branch": story.branch,
        "from": found_json(story.found, scope),
        "set": story.outcome if isinstance(story.outcome, str) else None,
        "problem": story.problem,
    }


def found_json(found: Found | None, scope: Any) -> dict[str, Any] | None:
    if found is None:
        return None
    steps = steps_of(found.expression, scope)
    return {"expression": found.expression.text, "steps": [step_json(step) for step in steps]}


def step_json(step: Step) -> dict[str, Any]:
    value = {"missing": True} if step.value is MISSING else {"value": step.value}
    return {"text": step.text, **value, "problem": step.problem, "ending": step.ending}
