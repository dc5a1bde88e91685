"""Voters may say what a good answer would have been."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column, empty: nobody was asked before."""
    op.add_column("feedback", sa.Column("suggestion", sa.Text(), nullable=True))


def downgrade() -> None:
    """Drop it again."""
    op.drop_column("feedback", "suggestion")
