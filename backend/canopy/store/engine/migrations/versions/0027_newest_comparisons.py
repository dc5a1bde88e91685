"""Finds the newest comparisons of an experiment without a look at the others: a page tells what they cost."""

from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the index."""
    op.create_index("ix_comparisons_newest", "comparisons", ["experiment_id", "created_at", "id"])


def downgrade() -> None:
    """Drop it again."""
    op.drop_index("ix_comparisons_newest", "comparisons")
