"""The review queue has its own table, with who did what, counts, and what reviewers say of judges' labels."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")

_ITEMS = """
    INSERT INTO review_items
        (input_digest, feature, state, severity, bad_at, people, judges, wrong, revision, reviewed_at)
    SELECT bad.input_digest, bad.feature, CASE WHEN r.feature IS NULL THEN 'waiting' ELSE 'expected' END,
        3 * CASE WHEN 2 * bad.people + bad.judges > 20 THEN 20 ELSE 2 * bad.people + bad.judges END
            + CASE WHEN bad.judges = 0 THEN 1 WHEN bad.people = 0 THEN 0 ELSE 2 END,
        bad.bad_at, bad.people, bad.judges, 0, CASE WHEN r.feature IS NULL THEN 0 ELSE 1 END, r.updated_at
    FROM (
        SELECT f.input_digest, s.feature, MAX(f.updated_at) AS bad_at,
            SUM(CASE WHEN s.kind = 'judgement' THEN 0 ELSE 1 END) AS people,
            SUM(CASE WHEN s.kind = 'judgement' THEN 1 ELSE 0 END) AS judges
        FROM feedback f JOIN series s ON s.id = f.series_id
        WHERE s.sentiment < 0 AND substr(s.feature, length(s.feature) - 4) <> '_chat'
        GROUP BY f.input_digest, s.feature
    ) bad LEFT JOIN reviews r ON r.input_digest = bad.input_digest AND r.feature = bad.feature
"""
_REVIEWED = """
    INSERT INTO review_items
        (input_digest, feature, state, severity, bad_at, people, judges, wrong, revision, reviewed_at)
    SELECT r.input_digest, r.feature, 'expected', -1, 0, 0, 0, 0, 1, r.updated_at FROM reviews r
    WHERE NOT EXISTS (
        SELECT 1 FROM review_items i WHERE i.input_digest = r.input_digest AND i.feature = r.feature
    )
"""
_COUNTS = """
    INSERT INTO review_counts (feature, state, severity, n, verdicts)
    SELECT feature, state, severity, COUNT(*), SUM(people + judges) FROM review_items GROUP BY feature, state, severity
"""


def upgrade() -> None:
    """Create the tables, and fill them with what is there."""
    op.create_table(
        "review_items",
        sa.Column("input_digest", KEY, nullable=False),
        sa.Column("feature", KEY, nullable=False),
        sa.Column("state", KEY, nullable=False),
        sa.Column("severity", sa.SmallInteger(), nullable=False),
        sa.Column("bad_at", sa.BigInteger(), nullable=False),
        sa.Column("people", sa.Integer(), nullable=False),
        sa.Column("judges", sa.Integer(), nullable=False),
        sa.Column("wrong", sa.Integer(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("reviewer", sa.Text(), nullable=True),
        sa.Column("reviewed_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("input_digest", "feature", name="pk_review_items"),
    )
    op.create_table(
        "review_counts",
        sa.Column("feature", KEY, nullable=False),
        sa.Column("state", KEY, nullable=False),
        sa.Column("severity", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("verdicts", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("feature", "state", "severity", name="pk_review_counts"),
    )
    op.create_table(
        "review_events",
        sa.Column("id", KEY, nullable=False),
        sa.Column("input_digest", KEY, nullable=False),
        sa.Column("feature", KEY, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("reviewer", sa.Text(), nullable=True),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("state_before", sa.Text(), nullable=False),
        sa.Column("state_after", sa.Text(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("undone", sa.Boolean(), nullable=True),
        sa.Column("opinions", sa.Text(), nullable=True),
        sa.Column("former_result", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_review_events"),
    )
    op.create_table(
        "label_opinions",
        sa.Column("feedback_id", KEY, nullable=False),
        sa.Column("series_id", sa.Integer(), nullable=False),
        sa.Column("sentiment", sa.SmallInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("feedback_id", name="pk_label_opinions"),
        sa.ForeignKeyConstraint(
            ["feedback_id"], ["feedback.id"], name="fk_label_opinions_feedback_id", ondelete="CASCADE"
        ),
    )
    op.execute(_ITEMS)
    op.execute(_REVIEWED)
    op.execute(_COUNTS)
    op.create_index("ix_review_items_queue", "review_items", ["feature", "state", "severity", "bad_at", "input_digest"])
    op.create_index("ix_review_events_text", "review_events", ["input_digest", "feature", "id"])
    for table in ("review_items", "review_events"):
        named = sa.text("reviewer IS NOT NULL")
        op.create_index(f"ix_{table}_reviewer", table, ["reviewer"], sqlite_where=named)


def downgrade() -> None:
    """Drop them."""
    for table in ("label_opinions", "review_events", "review_counts", "review_items"):
        op.drop_table(table)
