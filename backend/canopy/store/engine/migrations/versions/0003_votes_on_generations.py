"""What a vote on a generation needs: the span to link to, and the comparison that must have its ballot first."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Add the columns."""
    op.add_column("generations", sa.Column("span_id", sa.Text()))
    op.add_column("generations", sa.Column("comparison_id", KEY))


def downgrade() -> None:
    """Drop them again."""
    op.drop_column("generations", "comparison_id")
    op.drop_column("generations", "span_id")
