"""Which text of a mapping file made a change: a replay by another one does not change what was."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("changes", sa.Column("digest", sa.Text))
