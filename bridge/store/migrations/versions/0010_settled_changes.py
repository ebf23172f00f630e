"""Settled changes by their entity, so that a corrected time can let the next newest win; and counters."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    settled = sa.text("state IN ('delivered', 'superseded')")
    age = ["entity", "entity_id", "occurred_at", "event", "id"]
    op.create_index("changes_settled", "changes", age, postgresql_where=settled, sqlite_where=settled)
    op.create_table(
        "counters",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("source", sa.Text, primary_key=True),
        sa.Column("number", NUMBER, nullable=False),
    )
