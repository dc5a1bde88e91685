"""With which Git commit values came into force."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the table, empty: what was in force before, nobody has noted."""
    op.create_table(
        "values_commits",
        sa.Column("config_revision", KEY, nullable=False),
        sa.Column("git_revision", KEY, nullable=False),
        sa.Column("first_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("config_revision", "git_revision", name="pk_values_commits"),
    )


def downgrade() -> None:
    """Drop it again."""
    op.drop_table("values_commits")
