"""Defines the tables of reviews: the queue's items, what reviewers did, and what they say of judges' labels."""

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, SmallInteger, Table, Text

from canopy.store.tables import KEY, metadata

# A text that somebody found badly answered, or that was reviewed: see `canopy.store.feedback.review_items`.
review_items = Table(
    "review_items",
    metadata,
    Column("input_digest", KEY, primary_key=True),
    Column("feature", KEY, primary_key=True),
    Column("state", KEY, nullable=False),
    # How many find it bad, and who: see `severity_of`; -1 nobody.
    Column("severity", SmallInteger, nullable=False),
    Column("bad_at", BigInteger, nullable=False),  # the time of the newest bad verdict
    Column("people", Integer, nullable=False),  # bad votes
    Column("judges", Integer, nullable=False),  # bad labels
    Column("wrong", Integer, nullable=False),  # of these, labels that a reviewer contradicts
    Column("revision", BigInteger, nullable=False),  # grows with each action of a reviewer
    Column("reviewer", Text),  # who did the last; NULL: nobody, or it isn't known
    Column("reviewed_at", BigInteger),
    Index("ix_review_items_queue", "feature", "state", "severity", "bad_at", "input_digest"),
)

# How many items there are, so that no page has to count them.
review_counts = Table(
    "review_counts",
    metadata,
    Column("feature", KEY, primary_key=True),
    Column("state", KEY, primary_key=True),
    Column("severity", SmallInteger, primary_key=True, autoincrement=False),
    Column("n", BigInteger, nullable=False),
    Column("verdicts", BigInteger, nullable=False),  # bad votes and labels on them
)

# What reviewers did, for as long as there is a vote on the text.
review_events = Table(
    "review_events",
    metadata,
    Column("id", KEY, primary_key=True),
    Column("input_digest", KEY, nullable=False),
    Column("feature", KEY, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("reviewer", Text),
    Column("action", Text, nullable=False),
    Column("state_before", Text, nullable=False),
    Column("state_after", Text, nullable=False),
    Column("revision", BigInteger, nullable=False),  # of the item, after it
    Column("undone", Boolean),
    Column("opinions", Text),  # JSON: the opinions about labels before it changed them
    Column("former_result", Text),  # what was expected before
    Index("ix_review_events_text", "input_digest", "feature", "id"),
)

# What a reviewer says of a judge's label: it is one more pair in the judge's agreement with people.
label_opinions = Table(
    "label_opinions",
    metadata,
    Column("feedback_id", KEY, ForeignKey("feedback.id", ondelete="CASCADE"), primary_key=True),
    Column("series_id", Integer, nullable=False),  # what the label said: another one is without opinion
    Column("sentiment", SmallInteger, nullable=False),  # what the reviewer says of the response
    Column("at", BigInteger, nullable=False),
)

for _column in (review_items.c.reviewer, review_events.c.reviewer):  # mostly NULL
    Index(f"ix_{_column.table.name}_reviewer", _column, sqlite_where=_column.is_not(None))
