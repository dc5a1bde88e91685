"""The index of the searches in blocks, on PostgreSQL: it is filled anew."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make it, without contents."""
    if op.get_bind().dialect.name != "sqlite":
        _make_anew(sa.Column("block", sa.BigInteger, nullable=False), sa.Column("nth", sa.Integer, nullable=False))
        op.create_index("ix_search_block", "search", ["block"])


def downgrade() -> None:
    """Make the one without blocks."""
    if op.get_bind().dialect.name != "sqlite":
        _make_anew()


def _make_anew(*columns: sa.Column[int]) -> None:
    op.drop_table("search")
    op.execute("UPDATE feedback SET search_place = NULL WHERE search_place IS NOT NULL")
    op.create_table(
        "search",
        sa.Column("place", sa.BigInteger, autoincrement=False, nullable=False),
        *columns,
        sa.Column("trigrams", postgresql.ARRAY(sa.Integer), nullable=False),
        sa.PrimaryKeyConstraint("place", name="pk_search"),
    )
    op.create_index("ix_search_trigrams", "search", ["trigrams"], postgresql_using="gin")
