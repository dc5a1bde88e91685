"""The index of the searches: empty here, filled in the background."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make it."""
    op.add_column("feedback", sa.Column("search_place", sa.BigInteger))
    op.create_index("ix_feedback_search", "feedback", ["search_place", "updated_at", "id"])
    if op.get_bind().dialect.name == "sqlite":
        op.execute(
            "CREATE VIRTUAL TABLE search USING fts5"
            "(folded, content = '', detail = none, columnsize = 0, tokenize = 'trigram case_sensitive 1')"
        )
        return
    op.create_table(
        "search",
        sa.Column("place", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("trigrams", postgresql.ARRAY(sa.Integer), nullable=False),
        sa.PrimaryKeyConstraint("place", name="pk_search"),
    )
    op.create_index("ix_search_trigrams", "search", ["trigrams"], postgresql_using="gin")


def downgrade() -> None:
    """Drop it again."""
    op.drop_table("search")
    op.drop_index("ix_feedback_search", "feedback")
    op.drop_column("feedback", "search_place")
