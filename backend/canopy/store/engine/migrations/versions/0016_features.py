"""Experiments say whose prompts they compare, since there are other features than the built-in one."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column, empty: whatever was compared before were the built-in feature's prompts."""
    op.add_column("experiments", sa.Column("feature", sa.Text(), nullable=True))


def downgrade() -> None:
    """Drop it again."""
    op.drop_column("experiments", "feature")
