"""Lanes that are served in turn, a gate for each endpoint, and what waits for a permission or a unique value.

The version before goes on meanwhile: the new columns have defaults, and it needs none of the old indexes to be right.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.add_column("entities", sa.Column("lane", sa.Text, nullable=False, server_default=""))
    op.add_column("entities", sa.Column("waits_for", sa.Text))
    op.add_column("entities", sa.Column("isolation", sa.Text))
    op.add_column("references", sa.Column("lane", sa.Text, nullable=False, server_default=""))
    op.add_column("references", sa.Column("waits_for", sa.Text))
    op.add_column("changes", sa.Column("conflict", sa.Text))

    op.drop_index("events_received")
    create_index("events_received", "events", ["source", "id"], "state = 'received'")
    op.drop_index("entities_due")
    create_index("entities_due", "entities", ["lane", "due_at"])
    create_index("entities_waiting", "entities", ["waits_for"], "waits_for IS NOT NULL")
    op.drop_index("references_due")
    create_index("references_due", "references", ["lane", "due_at"], "due_at IS NOT NULL")
    create_index("references_waiting", "references", ["waits_for"], "waits_for IS NOT NULL")
    conflicting = "state IN ('pending', 'parked') AND conflict IS NOT NULL"
    create_index("changes_conflict", "changes", ["entity", "conflict", "entity_id"], conflicting)

    op.create_table(
        "endpoint_gates",
        sa.Column("endpoint", sa.Text, primary_key=True),
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


def create_index(name: str, table: str, columns: list[str], where: str | None = None) -> None:
    part = sa.text(where) if where else None
    op.create_index(name, table, columns, postgresql_where=part, sqlite_where=part)
