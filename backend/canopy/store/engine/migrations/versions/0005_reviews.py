"""What people expect of the answers to texts that were badly answered."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "reviews",
        sa.Column("input_digest", KEY, nullable=False),
        sa.Column("feature", KEY, nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("expected_result", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("input_digest", "feature", name="pk_reviews"),
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("reviews")
