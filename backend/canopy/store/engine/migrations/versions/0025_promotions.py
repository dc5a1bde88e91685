"""What Git's side has told of promotions, by their commits."""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the table, empty: the evidence of before is in Git, which tells of it when it is asked to."""
    op.create_table(
        "promotions",
        sa.Column("git_revision", KEY, nullable=False),
        sa.Column("digest", KEY, nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("told_at", sa.BigInteger(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("feature", sa.Text(), nullable=False),
        sa.Column("experiment_id", KEY, nullable=False),
        sa.Column("prompt_id", KEY, nullable=False),
        sa.Column("prompt_b_id", KEY, nullable=False),
        sa.Column("verified", sa.Boolean(), nullable=False),
        sa.Column("findings", sa.Text(), nullable=False),
        sa.Column("statement", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("git_revision", name="pk_promotions"),
        sa.UniqueConstraint("digest", name="uq_promotions_digest"),
    )
    op.create_index("ix_promotions_made_at", "promotions", ["made_at"])


def downgrade() -> None:
    """Drop it again."""
    op.drop_table("promotions")
