"""Experiments whose variant B has another model, or other parameters."""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the columns, empty: experiments of before compared prompts alone."""
    op.add_column("experiments", sa.Column("model_b", sa.Text(), nullable=True))
    op.add_column("experiments", sa.Column("temperature_b", sa.Float(), nullable=True))
    op.add_column("experiments", sa.Column("max_tokens_b", sa.Integer(), nullable=True))


def downgrade() -> None:
    """Drop them again."""
    for column in ("max_tokens_b", "temperature_b", "model_b"):
        op.drop_column("experiments", column)
