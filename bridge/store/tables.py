"""What is remembered, as tables. Times are microseconds since 1970 in UTC.

A change here needs a migration beside it; the tests compare the two.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    and_,
    false,
    literal_column,
    not_,
)
from sqlalchemy.sql import ColumnElement

from bridge.model import ChangeState, EventState

metadata = MetaData()

#: SQLite counts rows up only for a column that is exactly INTEGER PRIMARY KEY.
Number = BigInteger().with_variant(Integer, "sqlite")


def state_is(column: ColumnElement[str], *states: EventState | ChangeState) -> ColumnElement[bool]:
    """Written out, not bound: only so is an index of a part of the table known to hold what a statement asks for."""
    written = [literal_column(f"'{state}'", Text) for state in states]
    return column == written[0] if len(written) == 1 else column.in_(written)


def index_part(name: str, where: ColumnElement[bool], *columns: Column[str] | Column[int]) -> Index:
    """An index of only those rows that somebody looks for, so that the others cost nothing."""
    return Index(name, *columns, postgresql_where=where, sqlite_where=where)


events = Table(
    "events",
    metadata,
    Column("id", Number, primary_key=True, autoincrement=True),
    Column("source", Text, nullable=False),
    Column("event_id", Text, nullable=False),
    Column("event_type", Text, nullable=False),
    Column("occurred_at", Number, nullable=False),
    Column("received_at", Number, nullable=False),
    Column("payload", Text, nullable=False),
    Column("headers", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Text),
    Column("digest", Text),
    UniqueConstraint("source", "event_id", name="events_once"),
    #: A number is never given twice, not even after old events were pruned: it decides ties.
    sqlite_autoincrement=True,
)
RECEIVED = state_is(events.c.state, EventState.RECEIVED)
#: Nobody will do anything about these unless an operator does.
LEFT = state_is(events.c.state, EventState.FAILED, EventState.IGNORED)
#: Nearly all are. Said so that PostgreSQL expects that, even if its statistics are of a time when nearly none were.
TRANSLATED = not_(state_is(events.c.state.concat(""), *(one for one in EventState if one != EventState.TRANSLATED)))
Index("events_source", events.c.source, events.c.id)
index_part("events_received", RECEIVED, events.c.source, events.c.id)
index_part("events_left", LEFT, events.c.state, events.c.id)
index_part("events_left_source", LEFT, events.c.source, events.c.state, events.c.id)

changes = Table(
    "changes",
    metadata,
    Column("id", Number, primary_key=True, autoincrement=True),
    Column("event", Number, nullable=False),
    Column("source", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("entity", Text, nullable=False),
    Column("reference_kind", Text, nullable=False),
    Column("reference_value", Text, nullable=False),
    Column("entity_id", Text),
    Column("sets", Text, nullable=False),
    Column("removes", Text, nullable=False),
    Column("occurred_at", Number, nullable=False),
    Column("created_at", Number, nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Text),
    #: Whether the keys that Metronome takes are set although it refuses others.
    Column("partial", Boolean, nullable=False, server_default=false()),
    Column("retry_at", Number),
    Column("digest", Text),
    #: The key whose unique value another entity holds. Null: the change does not wait for one.
    Column("conflict", Text),
    sqlite_autoincrement=True,
)
OPEN = state_is(changes.c.state, ChangeState.PENDING, ChangeState.PARKED)
PARKED = state_is(changes.c.state, ChangeState.PARKED)
REFUSED = state_is(changes.c.state, ChangeState.REFUSED)
UNDONE = state_is(changes.c.state, ChangeState.PENDING, ChangeState.PARKED, ChangeState.REFUSED)
#: What is done: what Metronome holds or held, and what had a newer value.
SETTLED = state_is(changes.c.state, ChangeState.DELIVERED, ChangeState.SUPERSEDED)
#: The order in which a delivery takes them on, backwards.
AGE = (changes.c.occurred_at, changes.c.event, changes.c.id)
Index("changes_event", changes.c.event)
index_part("changes_open", OPEN, changes.c.entity, changes.c.entity_id, *AGE)
index_part("changes_parked", PARKED, changes.c.entity, changes.c.reference_kind, changes.c.reference_value)
index_part("changes_refused", REFUSED, changes.c.event)
index_part("changes_settled", SETTLED, changes.c.entity, changes.c.entity_id, *AGE)
index_part("changes_undone", UNDONE, changes.c.state, changes.c.id)
CONFLICTING = and_(OPEN, changes.c.conflict.is_not(None))
index_part("changes_conflict", CONFLICTING, changes.c.entity, changes.c.conflict, changes.c.entity_id)

#: The work queue: an entity is here while it has open changes.
entities = Table(
    "entities",
    metadata,
    Column("entity", Text, primary_key=True),
    Column("entity_id", Text, primary_key=True),
    Column("due_at", Number, nullable=False),
    Column("lease", Text),
    Column("leased_until", Number, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("last_error", Text),
    #: How often somebody who had lost the lease has written all the same.
    Column("doubts", Integer, nullable=False, server_default="0"),
    #: Lanes are served in turn, so that one source cannot delay another: see `store.lanes`.
    Column("lane", Text, nullable=False, server_default=""),
    #: What only time or an operator can give: see `model.Wait`.
    Column("waits_for", Text),
    #: How far the search for a key that Metronome refuses has come: see `store.isolation`.
    Column("isolation", Text),
)
Index("entities_due", entities.c.lane, entities.c.due_at)
index_part("entities_waiting", entities.c.waits_for.is_not(None), entities.c.waits_for)

fields = Table(
    "fields",
    metadata,
    Column("entity", Text, primary_key=True),
    Column("entity_id", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("value", Text),
    Column("occurred_at", Number, nullable=False),
    Column("event", Number, nullable=False),
    Column("change", Number, nullable=False),
    Column("set_at", Number, nullable=False),
    #: Whether somebody who had lost the lease may have written over it: then it is written again.
    Column("doubted", Boolean, nullable=False, server_default=false()),
    #: True if Metronome may hold something newer that we do not know of, since the database was restored from a backup.
    Column("unsure", Boolean, nullable=False, server_default=false()),
)

attempts = Table(
    "attempts",
    metadata,
    Column("id", Number, primary_key=True, autoincrement=True),
    Column("entity", Text, nullable=False),
    Column("entity_id", Text, nullable=False),
    Column("call", Text, nullable=False),
    Column("keys", Text, nullable=False),
    Column("status", Integer),
    Column("verdict", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("started_at", Number, nullable=False),
    Column("duration", Number, nullable=False),
    Column("changes", Text, nullable=False),
    sqlite_autoincrement=True,
)
Index("attempts_entity", attempts.c.entity, attempts.c.entity_id, attempts.c.id)

references = Table(
    "references",
    metadata,
    Column("entity", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("value", Text, primary_key=True),
    Column("entity_id", Text),
    Column("checked_at", Number),
    #: When to look it up (again); null while nobody needs it.
    Column("due_at", Number),
    Column("lease", Text),
    Column("leased_until", Number, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("last_error", Text),
    Column("lane", Text, nullable=False, server_default=""),
    Column("waits_for", Text),
)
index_part("references_due", references.c.due_at.is_not(None), references.c.lane, references.c.due_at)
index_part("references_waiting", references.c.waits_for.is_not(None), references.c.waits_for)

#: Requests that were refused while a mapping file asked for them to be kept.
captures = Table(
    "captures",
    metadata,
    Column("id", Number, primary_key=True, autoincrement=True),
    Column("source", Text, nullable=False),
    Column("received_at", Number, nullable=False),
    Column("reason", Text, nullable=False),
    Column("findings", Text, nullable=False),
    Column("method", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("headers", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("is_whole", Boolean, nullable=False),
    sqlite_autoincrement=True,
)
Index("captures_source", captures.c.source, captures.c.id)

#: Since when a source captures, by which text of its mapping file.
capturing = Table(
    "capturing",
    metadata,
    Column("source", Text, primary_key=True),
    Column("digest", Text, nullable=False),
    Column("began_at", Number, nullable=False),
)


def gate_columns() -> list[Column[Any]]:
    """What is remembered of a gate: see `model.GateState`."""
    return [
        Column("closed_until", Number, nullable=False),
        Column("cause", Text),
        Column("reason", Text),
        Column("closings", Integer, nullable=False),
        Column("width", Integer, nullable=False),
        Column("in_flight", Integer, nullable=False),
        Column("permits_end", Number, nullable=False),
        Column("widened_at", Number, nullable=False),
        Column("next_call_at", Number, nullable=False),
    ]


#: One row: how many calls to Metronome may be made, for all replicas.
gate = Table("gate", metadata, Column("id", Integer, primary_key=True), *gate_columns())

#: The same for single endpoints: only those that are not wide open have a row.
endpoint_gates = Table("endpoint_gates", metadata, Column("endpoint", Text, primary_key=True), *gate_columns())

#: What is counted over all processes.
counters = Table(
    "counters",
    metadata,
    Column("name", Text, primary_key=True),
    Column("source", Text, primary_key=True),
    Column("number", Number, nullable=False),
)


#: Customers by their custom fields: hints, since whoever is found here is looked at again before anything is written.
index_entries = Table(
    "index_entries",
    metadata,
    Column("key", Text, primary_key=True),
    Column("value", Text, primary_key=True),
    Column("entity_id", Text, primary_key=True),
    #: Which walk saw it last.
    Column("walk", Number, nullable=False),
)
Index("index_entries_walk", index_entries.c.walk)

#: One row: how far all customers are read. See `model.IndexState`.
index_walk = Table(
    "index_walk",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("walk", Number, nullable=False),
    Column("keys", Text, nullable=False),
    Column("began_at", Number, nullable=False),
    Column("pages", Integer, nullable=False),
    Column("cursor", Text),
    Column("is_walking", Boolean, nullable=False),
    Column("lease", Text),
    Column("leased_until", Number, nullable=False),
    Column("complete_keys", Text, nullable=False),
    Column("complete_at", Number, nullable=False),
)
