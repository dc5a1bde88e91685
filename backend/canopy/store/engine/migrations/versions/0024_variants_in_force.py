"""Which prompt and model of a feature came into force when, and what votes said before and after."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the table, empty: what is in force when it comes is the first that is known."""
    op.create_table(
        "variants_in_force",
        sa.Column("feature", KEY, nullable=False),
        sa.Column("since", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("prompt_id", KEY, nullable=False),
        sa.Column("model", KEY, nullable=False),
        sa.Column("change", KEY, nullable=False),
        sa.Column("former_prompt_id", KEY, nullable=True),
        sa.Column("former_model", KEY, nullable=True),
        sa.Column("good_before", sa.BigInteger(), nullable=False),
        sa.Column("bad_before", sa.BigInteger(), nullable=False),
        sa.Column("config_revision", KEY, nullable=False),
        sa.Column("git_revision", KEY, nullable=True),
        sa.Column("worse_at", sa.BigInteger(), nullable=True),
        sa.Column("good_after", sa.BigInteger(), nullable=True),
        sa.Column("bad_after", sa.BigInteger(), nullable=True),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("feature", "since", name="pk_variants_in_force"),
    )


def downgrade() -> None:
    """Drop it again."""
    op.drop_table("variants_in_force")
