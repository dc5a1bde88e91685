"""Indexes that lead to the newest generations of a trace, or with the same texts, without reading the others."""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_COLUMNS = {"trace_id": "ix_generations_trace_time", "texts_digest": "ix_generations_texts_time"}


def upgrade() -> None:
    """Put them in the place of those without the time."""
    for column, name in _COLUMNS.items():
        op.create_index(name, "generations", [column, "created_at"])
        op.drop_index(f"ix_generations_{column}", "generations")


def downgrade() -> None:
    """Put those without the time back."""
    for column, name in _COLUMNS.items():
        op.create_index(f"ix_generations_{column}", "generations", [column])
        op.drop_index(name, "generations")
