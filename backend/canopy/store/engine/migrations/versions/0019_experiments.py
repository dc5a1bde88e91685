"""Experiments have a name, a hypothesis and notes, and counts of their ballots by the hour."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_FIRST = ("experiment_id", "first_at", "id", "first_preference", "prompt_b_side")

_MARK = """
UPDATE comparisons SET
    counted = preference,
    counted_at = updated_at,
    first_at = CASE WHEN id IN (
        SELECT id FROM (
            SELECT id, ROW_NUMBER() OVER (PARTITION BY experiment_id, voter ORDER BY voted_at, id) AS place
            FROM comparisons WHERE preference IS NOT NULL
        ) AS ranked WHERE place = 1
    ) THEN voted_at END
WHERE preference IS NOT NULL
"""
_COUNT = """
INSERT INTO ballot_counts (experiment_id, of_first, hour, preference, prompt_b_side, n)
SELECT experiment_id, 0, updated_at - updated_at % 3600000000, preference, prompt_b_side, COUNT(*)
FROM comparisons WHERE preference IS NOT NULL GROUP BY 1, 2, 3, 4, 5
"""
_COUNT_FIRST = """
INSERT INTO ballot_counts (experiment_id, of_first, hour, preference, prompt_b_side, n)
SELECT experiment_id, 1, first_at - first_at % 3600000000, first_preference, prompt_b_side, COUNT(*)
FROM comparisons WHERE first_at IS NOT NULL GROUP BY 1, 2, 3, 4, 5
"""


def upgrade() -> None:
    """Make the columns and tables, and count the ballots that there are."""
    for column in ("name", "hypothesis"):
        op.add_column("experiments", sa.Column(column, sa.Text(), nullable=True))
    op.add_column("comparisons", sa.Column("counted", sa.Text(), nullable=True))
    for column in ("counted_at", "first_at"):
        op.add_column("comparisons", sa.Column(column, sa.BigInteger(), nullable=True))
    op.create_table(
        "experiment_notes",
        sa.Column("id", KEY, nullable=False),
        sa.Column("experiment_id", KEY, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("author", sa.Text()),
        sa.Column("text", sa.Text(), nullable=False),
        _experiment("fk_experiment_notes_experiment_id"),
        sa.PrimaryKeyConstraint("id", name="pk_experiment_notes"),
    )
    op.create_index("ix_experiment_notes_experiment_id", "experiment_notes", ["experiment_id"])
    op.create_table(
        "ballot_counts",
        sa.Column("experiment_id", KEY, nullable=False),
        sa.Column("of_first", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("hour", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("preference", KEY, nullable=False),
        sa.Column("prompt_b_side", KEY, nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        _experiment("fk_ballot_counts_experiment_id"),
        sa.PrimaryKeyConstraint(
            "experiment_id", "of_first", "hour", "preference", "prompt_b_side", name="pk_ballot_counts"
        ),
    )
    for statement in (_MARK, _COUNT, _COUNT_FIRST):
        op.execute(statement)
    uncounted = "preference IS NOT NULL AND (counted_at IS NULL OR counted_at <> updated_at)"
    op.create_index("ix_comparisons_uncounted", "comparisons", ["voted_at", "id"], **_where(uncounted))
    op.create_index("ix_comparisons_first", "comparisons", list(_FIRST), **_where("first_at IS NOT NULL"))


def _experiment(name: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["experiment_id"], ["experiments.id"], name=name, ondelete="CASCADE")


def _where(condition: str) -> dict[str, Any]:
    return {"postgresql_where": sa.text(condition), "sqlite_where": sa.text(condition)}


def downgrade() -> None:
    """Drop them again."""
    for index in ("ix_comparisons_first", "ix_comparisons_uncounted"):
        op.drop_index(index, "comparisons")
    for table in ("ballot_counts", "experiment_notes"):
        op.drop_table(table)
    for column in ("first_at", "counted_at", "counted"):
        op.drop_column("comparisons", column)
    for column in ("hypothesis", "name"):
        op.drop_column("experiments", column)
