"""Hourly counts of generations: what became of them, their tokens, and how soon they began to answer."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_KEY = ("feature", "prompt_id", "model", "config_revision")
_NUMBERS = ("completed", "failed", "stopped", "compared", "input_tokens", "output_tokens")
_BOUNDS = (0.05, 0.07, 0.1, 0.15, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5, 7, 10, 15, 20, 30, 60)

_FILL = """
INSERT INTO generation_counts ({columns})
SELECT created_at - created_at % 3600000000, {key},
    SUM(CASE WHEN status = 'completed' THEN 1 ELSE 0 END),
    SUM(CASE WHEN status = 'failed' THEN 1 ELSE 0 END),
    SUM(CASE WHEN status = 'cancelled' THEN 1 ELSE 0 END),
    SUM(CASE WHEN status = 'completed' AND comparison_id IS NOT NULL THEN 1 ELSE 0 END),
    SUM(COALESCE(input_tokens, 0)),
    SUM(COALESCE(output_tokens, 0)),
    {classes}
FROM generations
WHERE evaluation IS NULL OR NOT evaluation
GROUP BY 1, 2, 3, 4, 5
"""


def upgrade() -> None:
    """Make the table, and count the generations that there are."""
    text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    classes = [f"first_token_{index}" for index in range(len(_BOUNDS) + 1)]
    op.create_table(
        "generation_counts",
        sa.Column("hour", sa.BigInteger(), autoincrement=False, nullable=False),
        *(sa.Column(name, text, nullable=False) for name in _KEY),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in (*_NUMBERS, *classes)),
        sa.PrimaryKeyConstraint("hour", *_KEY, name="pk_generation_counts"),
    )
    columns = ", ".join(("hour", *_KEY, *_NUMBERS, *classes))
    op.execute(_FILL.format(columns=columns, key=", ".join(_KEY), classes=", ".join(_counted())))


def _counted() -> list[str]:
    """Count each class of the time to the first token: above the bound before, up to its own."""
    found = []
    for low, high in zip((None, *_BOUNDS), (*_BOUNDS, None), strict=True):
        above = [] if low is None else [f"time_to_first_token > {low}"]
        upto = [] if high is None else [f"time_to_first_token <= {high}"]
        found.append(f"SUM(CASE WHEN {' AND '.join(above + upto)} THEN 1 ELSE 0 END)")
    return found


def downgrade() -> None:
    """Drop it again."""
    op.drop_table("generation_counts")
