"""What vouches for the users of generations and feedback. What is there already counts as claimed."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns, empty: whether a name was claimed or proved was not written down before."""
    for table in ("generations", "feedback"):
        op.add_column(table, sa.Column("user_proof", sa.Text(), nullable=True))


def downgrade() -> None:
    """Drop them again."""
    for table in ("feedback", "generations"):
        op.drop_column(table, "user_proof")
