"""Generations, feedback and the counts of it."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def where_set(column: str) -> dict[str, Any]:
    """Index only the rows where the column is set."""
    condition = sa.text(f"{column} IS NOT NULL")
    return {"postgresql_where": condition, "sqlite_where": condition}


def upgrade() -> None:
    """Create the first tables."""
    op.create_table(
        "idempotency_keys",
        sa.Column("digest", KEY, nullable=False),
        sa.Column("body_digest", sa.Text(), nullable=False),
        sa.Column("feedback_id", KEY, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("receipt", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_idempotency_keys"),
    )
    op.create_index("ix_idempotency_keys_created_at", "idempotency_keys", ["created_at"])
    op.create_index("ix_idempotency_keys_feedback_id", "idempotency_keys", ["feedback_id"])
    op.create_table(
        "prompts",
        sa.Column("prompt_id", KEY, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("prompt_id", name="pk_prompts"),
    )
    op.create_table(
        "series",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("feature", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("sentiment", sa.SmallInteger(), nullable=False),
        sa.Column("prompt_id", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_series"),
        sa.UniqueConstraint(
            "feature", "name", "kind", "value", "sentiment", "prompt_id", "model", name="uq_series_labels"
        ),
    )
    op.create_table(
        "feedback_counts",
        sa.Column("series_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("hour", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["series_id"], ["series.id"], name="fk_feedback_counts_series_id"),
        sa.PrimaryKeyConstraint("series_id", "hour", name="pk_feedback_counts"),
    )
    op.create_table(
        "generations",
        sa.Column("id", KEY, nullable=False),
        sa.Column("trace_id", KEY, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("feature", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("error_code", sa.Text()),
        sa.Column("session_id", KEY),
        sa.Column("user_id", KEY),
        sa.Column("prompt_id", KEY, nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("config_revision", sa.Text(), nullable=False),
        sa.Column("input_digest", KEY, nullable=False),
        sa.Column("texts_digest", KEY, nullable=False),
        sa.Column("input_length", sa.Integer(), nullable=False),
        sa.Column("response_length", sa.Integer(), nullable=False),
        sa.Column("finish_reason", sa.Text()),
        sa.Column("time_to_first_token", sa.Float()),
        sa.Column("duration", sa.Float(), nullable=False),
        sa.Column("input_tokens", sa.Integer()),
        sa.Column("output_tokens", sa.Integer()),
        sa.Column("parameters", sa.Text(), nullable=False),
        sa.Column("messages", sa.Text()),
        sa.Column("input_text", sa.Text(), nullable=False),
        sa.Column("response_text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["prompt_id"], ["prompts.prompt_id"], name="fk_generations_prompt_id"),
        sa.PrimaryKeyConstraint("id", name="pk_generations"),
    )
    op.create_index("ix_generations_created_at", "generations", ["created_at"])
    op.create_index("ix_generations_prompt_id", "generations", ["prompt_id"])
    op.create_index("ix_generations_session_id", "generations", ["session_id"], **where_set("session_id"))
    op.create_index("ix_generations_texts_digest", "generations", ["texts_digest"])
    op.create_index("ix_generations_trace_id", "generations", ["trace_id"])
    op.create_index("ix_generations_user_id", "generations", ["user_id"], **where_set("user_id"))
    op.create_table(
        "feedback",
        sa.Column("id", KEY, nullable=False),
        sa.Column("slot", KEY),
        sa.Column("series_id", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("generation_id", KEY),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("source_id", sa.Text()),
        sa.Column("user_id", KEY),
        sa.Column("session_id", KEY),
        sa.Column("config_revision", sa.Text(), nullable=False),
        sa.Column("input_digest", KEY, nullable=False),
        sa.Column("input_length", sa.Integer(), nullable=False),
        sa.Column("response_length", sa.Integer(), nullable=False),
        sa.Column("reasons", sa.Text(), nullable=False),
        sa.Column("comment", sa.Text()),
        sa.Column("input_text", sa.Text()),
        sa.Column("response_text", sa.Text()),
        sa.ForeignKeyConstraint(["generation_id"], ["generations.id"], name="fk_feedback_generation_id"),
        sa.ForeignKeyConstraint(["series_id"], ["series.id"], name="fk_feedback_series_id"),
        sa.PrimaryKeyConstraint("id", name="pk_feedback"),
        sa.UniqueConstraint("slot", name="uq_feedback_slot"),
    )
    op.create_index("ix_feedback_generation_id", "feedback", ["generation_id"], **where_set("generation_id"))
    op.create_index("ix_feedback_input", "feedback", ["input_digest", "series_id", "id"])
    op.create_index("ix_feedback_series_time", "feedback", ["series_id", "updated_at", "id"])
    op.create_index("ix_feedback_session_id", "feedback", ["session_id"], **where_set("session_id"))
    op.create_index("ix_feedback_time", "feedback", ["updated_at", "id"])
    op.create_index("ix_feedback_user_id", "feedback", ["user_id"], **where_set("user_id"))


def downgrade() -> None:
    """Drop them."""
    for table in ("feedback_counts", "feedback", "series", "generations", "prompts", "idempotency_keys"):
        op.drop_table(table)
