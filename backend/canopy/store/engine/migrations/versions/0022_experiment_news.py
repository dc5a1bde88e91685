"""What happened to an experiment, so that people are told of it once."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the table, empty: what is decided already is told of while its experiment runs."""
    op.create_table(
        "experiment_news",
        sa.Column("experiment_id", KEY, nullable=False),
        sa.Column("what", KEY, nullable=False),
        sa.Column("happened_at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["experiment_id"], ["experiments.id"], name="fk_experiment_news_experiment_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("experiment_id", "what", name="pk_experiment_news"),
    )
    set_ = sa.text("due_at IS NOT NULL")
    op.create_index(
        "ix_experiment_news_due_at", "experiment_news", ["due_at"], postgresql_where=set_, sqlite_where=set_
    )


def downgrade() -> None:
    """Drop it again."""
    op.drop_table("experiment_news")
