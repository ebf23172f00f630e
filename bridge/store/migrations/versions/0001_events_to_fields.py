"""Everything that the first version remembers."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "events",
        sa.Column("id", NUMBER, primary_key=True, autoincrement=True),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("event_id", sa.Text, nullable=False),
        sa.Column("event_type", sa.Text, nullable=False),
        sa.Column("occurred_at", NUMBER, nullable=False),
        sa.Column("received_at", NUMBER, nullable=False),
        sa.Column("payload", sa.Text, nullable=False),
        sa.Column("headers", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("digest", sa.Text),
        sa.UniqueConstraint("source", "event_id", name="events_once"),
        sqlite_autoincrement=True,
    )
    create_index("events_received", "events", ["id"], "state = 'received'")
    create_index("events_state", "events", ["state", "id"])

    op.create_table(
        "changes",
        sa.Column("id", NUMBER, primary_key=True, autoincrement=True),
        sa.Column("event", NUMBER, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("rule", sa.Text, nullable=False),
        sa.Column("entity", sa.Text, nullable=False),
        sa.Column("reference_kind", sa.Text, nullable=False),
        sa.Column("reference_value", sa.Text, nullable=False),
        sa.Column("entity_id", sa.Text),
        sa.Column("sets", sa.Text, nullable=False),
        sa.Column("removes", sa.Text, nullable=False),
        sa.Column("occurred_at", NUMBER, nullable=False),
        sa.Column("created_at", NUMBER, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("reason", sa.Text),
        sqlite_autoincrement=True,
    )
    create_index("changes_event", "changes", ["event"])
    create_index("changes_open", "changes", ["entity", "entity_id", "id"], "state IN ('pending', 'parked')")
    create_index("changes_parked", "changes", ["entity", "reference_kind", "reference_value"], "state = 'parked'")
    create_index("changes_state", "changes", ["state", "id"])

    op.create_table(
        "entities",
        sa.Column("entity", sa.Text, primary_key=True),
        sa.Column("entity_id", sa.Text, primary_key=True),
        sa.Column("due_at", NUMBER, nullable=False),
        sa.Column("lease", sa.Text),
        sa.Column("leased_until", NUMBER, nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("last_error", sa.Text),
    )
    create_index("entities_due", "entities", ["due_at"])

    op.create_table(
        "fields",
        sa.Column("entity", sa.Text, primary_key=True),
        sa.Column("entity_id", sa.Text, primary_key=True),
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("value", sa.Text),
        sa.Column("occurred_at", NUMBER, nullable=False),
        sa.Column("event", NUMBER, nullable=False),
        sa.Column("change", NUMBER, nullable=False),
        sa.Column("set_at", NUMBER, nullable=False),
    )

    op.create_table(
        "attempts",
        sa.Column("id", NUMBER, primary_key=True, autoincrement=True),
        sa.Column("entity", sa.Text, nullable=False),
        sa.Column("entity_id", sa.Text, nullable=False),
        sa.Column("call", sa.Text, nullable=False),
        sa.Column("keys", sa.Text, nullable=False),
        sa.Column("status", sa.Integer),
        sa.Column("verdict", sa.Text, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("started_at", NUMBER, nullable=False),
        sa.Column("duration", NUMBER, nullable=False),
        sa.Column("changes", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    create_index("attempts_entity", "attempts", ["entity", "entity_id", "id"])

    op.create_table(
        "references",
        sa.Column("entity", sa.Text, primary_key=True),
        sa.Column("kind", sa.Text, primary_key=True),
        sa.Column("value", sa.Text, primary_key=True),
        sa.Column("entity_id", sa.Text),
        sa.Column("checked_at", NUMBER),
        sa.Column("due_at", NUMBER),
        sa.Column("lease", sa.Text),
        sa.Column("leased_until", NUMBER, nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("last_error", sa.Text),
    )
    create_index("references_due", "references", ["due_at"])

    gate = op.create_table(
        "gate",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("closed_until", NUMBER, nullable=False),
        sa.Column("cause", sa.Text),
        sa.Column("reason", sa.Text),
        sa.Column("closings", sa.Integer, nullable=False),
        sa.Column("width", sa.Integer, nullable=False),
        sa.Column("in_flight", sa.Integer, nullable=False),
        sa.Column("permits_end", NUMBER, nullable=False),
        sa.Column("widened_at", NUMBER, nullable=False),
        sa.Column("next_call_at", NUMBER, nullable=False),
    )
    counts = ("closed_until", "closings", "width", "in_flight", "permits_end", "widened_at", "next_call_at")
    op.bulk_insert(gate, [{"id": 1, **dict.fromkeys(counts, 0)}])


def create_index(name: str, table: str, columns: list[str], where: str | None = None) -> None:
    condition = None if where is None else sa.text(where)
    op.create_index(name, table, columns, postgresql_where=condition, sqlite_where=condition)
