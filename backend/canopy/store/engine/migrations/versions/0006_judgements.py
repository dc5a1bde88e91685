"""Which judge has judged which generation."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "judgements",
        sa.Column("generation_id", KEY, nullable=False),
        sa.Column("judge", KEY, nullable=False),
        sa.Column("version", KEY, nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("leased_until", sa.BigInteger(), nullable=False),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.Column("feedback_id", KEY, nullable=True),
        sa.PrimaryKeyConstraint("generation_id", "judge", "version", name="pk_judgements"),
        sa.ForeignKeyConstraint(["generation_id"], ["generations.id"], name="fk_judgements_generation_id"),
    )


def downgrade() -> None:
    """Drop it again."""
    op.drop_table("judgements")
