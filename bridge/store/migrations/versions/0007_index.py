"""Customers by their custom fields: what was read, and how far.

Whatever runs the version before knows nothing of these tables, and looks nothing up in them.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "index_entries",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("value", sa.Text, primary_key=True),
        sa.Column("entity_id", sa.Text, primary_key=True),
        sa.Column("walk", NUMBER, nullable=False),
    )
    op.create_index("index_entries_walk", "index_entries", ["walk"])
    walk = op.create_table(
        "index_walk",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("walk", NUMBER, nullable=False),
        sa.Column("keys", sa.Text, nullable=False),
        sa.Column("began_at", NUMBER, nullable=False),
        sa.Column("pages", sa.Integer, nullable=False),
        sa.Column("cursor", sa.Text),
        sa.Column("is_walking", sa.Boolean, nullable=False),
        sa.Column("lease", sa.Text),
        sa.Column("leased_until", NUMBER, nullable=False),
        sa.Column("complete_keys", sa.Text, nullable=False),
        sa.Column("complete_at", NUMBER, nullable=False),
    )
    nothing = {"walk": 0, "keys": "[]", "began_at": 0, "pages": 0, "is_walking": False}
    op.bulk_insert(walk, [{"id": 1, **nothing, "leased_until": 0, "complete_keys": "[]", "complete_at": 0}])
