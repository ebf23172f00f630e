"""What is remembered, as tables. Times are microseconds since 1970 in UTC.

A change here needs a migration beside it; the tests compare the two.
"""

from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, Table, Text, UniqueConstraint

metadata = MetaData()

#: SQLite counts rows up only for a column that is exactly INTEGER PRIMARY KEY.
Number = BigInteger().with_variant(Integer, "sqlite")

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
Index(
    "events_received",
    events.c.id,
    postgresql_where=events.c.state == "received",
    sqlite_where=events.c.state == "received",
)
Index("events_state", events.c.state, events.c.id)

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
    sqlite_autoincrement=True,
)
OPEN = changes.c.state.in_(("pending", "parked"))
Index("changes_event", changes.c.event)
Index("changes_open", changes.c.entity, changes.c.entity_id, changes.c.id, postgresql_where=OPEN, sqlite_where=OPEN)
Index(
    "changes_parked",
    changes.c.entity,
    changes.c.reference_kind,
    changes.c.reference_value,
    postgresql_where=changes.c.state == "parked",
    sqlite_where=changes.c.state == "parked",
)
Index("changes_state", changes.c.state, changes.c.id)

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
)
Index("entities_due", entities.c.due_at)

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
)
Index("references_due", references.c.due_at)

#: One row: how many calls to Metronome may be made, for all replicas. See `model.GateState`.
gate = Table(
    "gate",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("closed_until", Number, nullable=False),
    Column("cause", Text),
    Column("reason", Text),
    Column("closings", Integer, nullable=False),
    Column("width", Integer, nullable=False),
    Column("in_flight", Integer, nullable=False),
    Column("permits_end", Number, nullable=False),
    Column("widened_at", Number, nullable=False),
    Column("next_call_at", Number, nullable=False),
)
