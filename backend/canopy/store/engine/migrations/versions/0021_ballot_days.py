"""Counts of ballots also without a time and by the day, so that a report reads few rows."""

from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

_EVER = """
INSERT INTO ballot_counts (experiment_id, of_first, hour, preference, prompt_b_side, n)
SELECT experiment_id, 2, 0, preference, prompt_b_side, SUM(n)
FROM ballot_counts WHERE of_first = 0 GROUP BY experiment_id, preference, prompt_b_side
"""
_FIRST_BY_DAY = """
INSERT INTO ballot_counts (experiment_id, of_first, hour, preference, prompt_b_side, n)
SELECT experiment_id, 3, hour - hour % 86400000000, preference, prompt_b_side, SUM(n)
FROM ballot_counts WHERE of_first = 1 GROUP BY 1, 3, 4, 5
"""


def upgrade() -> None:
    """Sum up what was counted by the hour: ballots in force without a time, voters' first ones by the day."""
    op.execute(_EVER)
    op.execute(_FIRST_BY_DAY)


def downgrade() -> None:
    """Forget the sums."""
    op.execute("DELETE FROM ballot_counts WHERE of_first > 1")
