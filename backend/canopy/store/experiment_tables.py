"""Defines the tables of what is said about experiments: reviewers' notes, and what people were told of."""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, Table, Text

from canopy.store.tables import KEY, metadata

# What reviewers wrote about an experiment.
experiment_notes = Table(
    "experiment_notes",
    metadata,
    Column("id", KEY, primary_key=True),
    Column("experiment_id", KEY, ForeignKey("experiments.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("created_at", BigInteger, nullable=False),
    Column("author", Text),  # NULL: where nobody signs in
    Column("text", Text, nullable=False),
)

# What happened to an experiment, each once: see `canopy.store.experiments.experiment_news`.
experiment_news = Table(
    "experiment_news",
    metadata,
    Column("experiment_id", KEY, ForeignKey("experiments.id", ondelete="CASCADE"), primary_key=True),
    Column("what", KEY, primary_key=True),  # a decision's status, or `stale`
    Column("happened_at", BigInteger, nullable=False),
    Column("due_at", BigInteger),  # when somebody is to be told; NULL: nobody is, or is any more
    Column("failures", Integer, nullable=False),  # to tell them
)

_due = experiment_news.c.due_at.is_not(None)
Index("ix_experiment_news_due_at", experiment_news.c.due_at, sqlite_where=_due)
