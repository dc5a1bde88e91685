"""Generations that an evaluation asked for are marked, so that they count for nothing that is told of users."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column, empty: whatever was asked before counts as users'."""
    op.add_column("generations", sa.Column("evaluation", sa.Boolean(), nullable=True))


def downgrade() -> None:
    """Drop it again."""
    op.drop_column("generations", "evaluation")
