"""The outbox: what MLflow was, or is to be, told of."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "outbox",
        sa.Column("subject", KEY, nullable=False),
        sa.Column("trace_id", KEY, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("waiting_since", sa.BigInteger),
        sa.Column("due_at", sa.BigInteger),
        sa.Column("claim", sa.Text),
        sa.Column("sent", sa.SmallInteger, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("problem", sa.Text),
        sa.Column("parked_at", sa.BigInteger),
        sa.PrimaryKeyConstraint("subject", name="pk_outbox"),
    )
    for columns in (("due_at", "waiting_since"), ("parked_at",)):
        condition = sa.text(f"{columns[0]} IS NOT NULL")
        op.create_index(
            f"ix_outbox_{columns[0]}", "outbox", columns, postgresql_where=condition, sqlite_where=condition
        )


def downgrade() -> None:
    """Drop it again."""
    op.drop_table("outbox")
