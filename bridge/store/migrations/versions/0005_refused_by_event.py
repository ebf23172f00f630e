"""What was refused, by its event: dead letters are listed in that order, however many there are."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    refused = sa.text("state = 'refused'")
    op.create_index("changes_refused", "changes", ["event"], postgresql_where=refused, sqlite_where=refused)
