"""Rows become the model's values here, and go no further."""

from typing import Any

import orjson
from sqlalchemy import Row

from bridge.model import (
    Attempt,
    Capture,
    ChangeState,
    EventState,
    Field,
    Outcome,
    Reference,
    Request,
    Stamp,
    StoredChange,
    StoredEvent,
    Verdict,
)


def event_of(row: Row[Any]) -> StoredEvent:
    return StoredEvent(
        id=row.id,
        source=row.source,
        event_id=row.event_id,
        event_type=row.event_type,
        occurred_at=row.occurred_at,
        received_at=row.received_at,
        payload=orjson.loads(row.payload),
        headers=orjson.loads(row.headers),
        state=EventState(row.state),
        reason=row.reason,
        digest=row.digest,
    )


def change_of(row: Row[Any]) -> StoredChange:
    return StoredChange(
        id=row.id,
        event=row.event,
        source=row.source,
        rule=row.rule,
        entity=row.entity,
        reference=Reference(row.reference_kind, row.reference_value),
        entity_id=row.entity_id,
        values={**dict.fromkeys(orjson.loads(row.removes)), **orjson.loads(row.sets)},
        occurred_at=row.occurred_at,
        created_at=row.created_at,
        state=ChangeState(row.state),
        reason=row.reason,
        partial=row.partial,
        retry_at=row.retry_at,
        digest=row.digest,
    )


def field_of(row: Row[Any]) -> Field:
    return Field(row.value, Stamp(row.occurred_at, row.event, row.change), row.doubted, row.unsure)


def attempt_of(row: Row[Any]) -> Attempt:
    return Attempt(
        call=row.call,
        keys=tuple(orjson.loads(row.keys)),
        outcome=Outcome(Verdict(row.verdict), row.status, row.message),
        started_at=row.started_at,
        duration=row.duration,
        changes=tuple(orjson.loads(row.changes)),
    )


def capture_of(row: Row[Any]) -> Capture:
    return Capture(
        id=row.id,
        source=row.source,
        received_at=row.received_at,
        reason=row.reason,
        findings=tuple(orjson.loads(row.findings)),
        request=Request(row.method, row.target, orjson.loads(row.headers), bytes(row.body)),
        is_whole=row.is_whole,
    )
