"""Fields may be unsure: after a restore Metronome may hold something newer than we know.

The version before writes and reads them as it did: a key that it writes stays unsure, which costs one call more.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.add_column("fields", sa.Column("unsure", sa.Boolean, nullable=False, server_default=sa.false()))
