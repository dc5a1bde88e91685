"""Experiments, comparisons and the ballots on them."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def where_set(column: str) -> dict[str, Any]:
    """Index only the rows where the column is set."""
    condition = sa.text(f"{column} IS NOT NULL")
    return {"postgresql_where": condition, "sqlite_where": condition}


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "experiments",
        sa.Column("id", KEY, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("used_at", sa.BigInteger(), nullable=False),
        sa.Column("prompt_id", KEY, nullable=False),
        sa.Column("prompt_b_id", KEY, nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("temperature", sa.Float(), nullable=False),
        sa.Column("max_tokens", sa.Integer(), nullable=False),
        sa.Column("alpha", sa.Float(), nullable=False),
        sa.Column("prior", sa.Float(), nullable=False),
        sa.Column("delta", sa.Float(), nullable=False),
        sa.Column("n_max", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["prompt_b_id"], ["prompts.prompt_id"], name="fk_experiments_prompt_b_id"),
        sa.ForeignKeyConstraint(["prompt_id"], ["prompts.prompt_id"], name="fk_experiments_prompt_id"),
        sa.PrimaryKeyConstraint("id", name="pk_experiments"),
    )
    op.create_table(
        "comparisons",
        sa.Column("id", KEY, nullable=False),
        sa.Column("experiment_id", KEY, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("trace_id", KEY, nullable=False),
        sa.Column("session_id", KEY),
        sa.Column("user_id", KEY),
        sa.Column("config_revision", sa.Text(), nullable=False),
        sa.Column("prompt_b_side", sa.Text(), nullable=False),
        sa.Column("generation_a", KEY, nullable=False),
        sa.Column("generation_b", KEY, nullable=False),
        sa.Column("voter", KEY),
        sa.Column("preference", sa.Text()),
        sa.Column("first_preference", sa.Text()),
        sa.Column("voted_at", sa.BigInteger()),
        sa.Column("updated_at", sa.BigInteger()),
        sa.Column("ballot_session_id", KEY),
        sa.Column("ballot_user_id", KEY),
        sa.Column("reasons", sa.Text()),
        sa.Column("comment", sa.Text()),
        sa.ForeignKeyConstraint(["experiment_id"], ["experiments.id"], name="fk_comparisons_experiment_id"),
        sa.ForeignKeyConstraint(["generation_a"], ["generations.id"], name="fk_comparisons_generation_a"),
        sa.ForeignKeyConstraint(["generation_b"], ["generations.id"], name="fk_comparisons_generation_b"),
        sa.PrimaryKeyConstraint("id", name="pk_comparisons"),
    )
    voted = where_set("preference")
    op.create_index("ix_comparisons_counts", "comparisons", ["experiment_id", "preference", "prompt_b_side"])
    op.create_index("ix_comparisons_created_at", "comparisons", ["created_at"])
    op.create_index("ix_comparisons_experiment_time", "comparisons", ["experiment_id", "updated_at", "id"], **voted)
    op.create_index("ix_comparisons_generation_a", "comparisons", ["generation_a"])
    op.create_index("ix_comparisons_generation_b", "comparisons", ["generation_b"])
    op.create_index("ix_comparisons_time", "comparisons", ["updated_at", "id"], **voted)
    op.create_index(
        "ix_comparisons_voter",
        "comparisons",
        ["experiment_id", "voter", "voted_at", "id", "first_preference", "prompt_b_side"],
        **voted,
    )
    for column in ("ballot_session_id", "ballot_user_id", "session_id", "user_id"):
        op.create_index(f"ix_comparisons_{column}", "comparisons", [column], **where_set(column))


def downgrade() -> None:
    """Drop them."""
    for table in ("comparisons", "experiments"):
        op.drop_table(table)
