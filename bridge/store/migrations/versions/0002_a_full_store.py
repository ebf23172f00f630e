"""Indexes that lead to just the rows that somebody looks for, so that a full store is as quick as an empty one."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    left = "state IN ('failed', 'ignored')"
    create_index("events_source", "events", ["source", "id"])
    create_index("events_left", "events", ["state", "id"], left)
    create_index("events_left_source", "events", ["source", "state", "id"], left)
    op.drop_index("events_state")

    op.drop_index("changes_open")
    age = ["occurred_at", "event", "id"]
    create_index("changes_open", "changes", ["entity", "entity_id", *age], "state IN ('pending', 'parked')")
    create_index("changes_undone", "changes", ["state", "id"], "state IN ('pending', 'parked', 'refused')")
    op.drop_index("changes_state")

    op.drop_index("references_due")
    create_index("references_due", "references", ["due_at"], "due_at IS NOT NULL")


def create_index(name: str, table: str, columns: list[str], where: str | None = None) -> None:
    part = sa.text(where) if where else None
    op.create_index(name, table, columns, postgresql_where=part, sqlite_where=part)
