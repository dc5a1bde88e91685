"""The database keeps the oldest revision whose code runs on it, so that an older version can tell."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table. No code from before can run on what follows, since it refuses whatever it doesn't know."""
    op.create_table("schema_floor", sa.Column("floor", sa.String(4), primary_key=True))
    op.execute("INSERT INTO schema_floor (floor) VALUES ('0015')")


def downgrade() -> None:
    """Drop it again."""
    op.drop_table("schema_floor")
