"""The texts that MLflow's prompt registry gave last."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "registered_prompts",
        sa.Column("reference", KEY, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("source_version", sa.Integer()),
        sa.Column("source_alias", sa.Text()),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("reference", name="pk_registered_prompts"),
    )


def downgrade() -> None:
    """Drop it again."""
    op.drop_table("registered_prompts")
