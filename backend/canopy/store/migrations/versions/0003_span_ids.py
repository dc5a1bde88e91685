"""The span of each model call, which a vote on it links to."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    op.add_column("generations", sa.Column("span_id", sa.Text()))


def downgrade() -> None:
    """Drop it again."""
    op.drop_column("generations", "span_id")
