"""Changes of which Metronome takes a part, and fields that may no longer hold what they should.

Whatever runs the version before goes on meanwhile: it knows nothing of these columns, and their defaults stand.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.add_column("changes", sa.Column("partial", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("changes", sa.Column("retry_at", NUMBER))
    op.add_column("entities", sa.Column("doubts", sa.Integer, nullable=False, server_default="0"))
    op.add_column("fields", sa.Column("doubted", sa.Boolean, nullable=False, server_default=sa.false()))
