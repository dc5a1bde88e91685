"""Defines the tables about experiments and variants: notes, news, what came into force, and promotions in Git."""

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, Table, Text

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

# What happened to an experiment, and when it last did: see `canopy.store.experiments.experiment_news`.
experiment_news = Table(
    "experiment_news",
    metadata,
    Column("experiment_id", KEY, ForeignKey("experiments.id", ondelete="CASCADE"), primary_key=True),
    Column("what", KEY, primary_key=True),  # a decision's status, `stale`, `paused` or `resumed`
    Column("happened_at", BigInteger, nullable=False),
    Column("due_at", BigInteger),  # when somebody is to be told; NULL: nobody is, or is any more
    Column("failures", Integer, nullable=False),  # to tell them
)

_due = experiment_news.c.due_at.is_not(None)
Index("ix_experiment_news_due_at", experiment_news.c.due_at, sqlite_where=_due)

# Which prompt and model of a feature came into force when: see `canopy.store.experiments.variants_in_force`.
variants_in_force = Table(
    "variants_in_force",
    metadata,
    Column("feature", KEY, primary_key=True),
    Column("since", BigInteger, primary_key=True, autoincrement=False),
    Column("prompt_id", KEY, nullable=False),
    Column("model", KEY, nullable=False),
    Column("change", KEY, nullable=False),
    Column("former_prompt_id", KEY),  # NULL: nobody knows what was in force before
    Column("former_model", KEY),
    Column("good_before", BigInteger, nullable=False),  # people, when it came
    Column("bad_before", BigInteger, nullable=False),
    Column("config_revision", KEY, nullable=False),
    Column("git_revision", KEY),
    Column("worse_at", BigInteger),  # when votes first said so; NULL: they never have
    Column("good_after", BigInteger),  # people, then
    Column("bad_after", BigInteger),
    Column("due_at", BigInteger),  # when somebody is to be told; NULL: nobody is, or is any more
    Column("failures", Integer, nullable=False),  # to tell them
)

# What Git's side has told of promotions: see `canopy.store.experiments.promotions`. No experiment is referred to: the
# evidence outlives it, as it does in Git.
promotions = Table(
    "promotions",
    metadata,
    Column("git_revision", KEY, primary_key=True),
    Column("digest", KEY, nullable=False, unique=True),  # of the statement
    Column("made_at", BigInteger, nullable=False, index=True),
    Column("told_at", BigInteger, nullable=False),
    Column("action", Text, nullable=False),
    Column("feature", Text, nullable=False),
    Column("experiment_id", KEY, nullable=False),
    Column("prompt_id", KEY, nullable=False),
    Column("prompt_b_id", KEY, nullable=False),
    Column("verified", Boolean, nullable=False),  # in a repository, and nothing is wrong with it
    Column("findings", Text, nullable=False),  # JSON: what is, in sentences; null: nobody has verified it
    Column("statement", Text, nullable=False),  # JSON
)
