"""Requests that were refused, kept for a while so that the setting up of their source can be mended."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "captures",
        sa.Column("id", NUMBER, primary_key=True, autoincrement=True),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("received_at", NUMBER, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("findings", sa.Text, nullable=False),
        sa.Column("method", sa.Text, nullable=False),
        sa.Column("target", sa.Text, nullable=False),
        sa.Column("headers", sa.Text, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("is_whole", sa.Boolean, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("captures_source", "captures", ["source", "id"])
    op.create_table(
        "capturing",
        sa.Column("source", sa.Text, primary_key=True),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("began_at", NUMBER, nullable=False),
    )
