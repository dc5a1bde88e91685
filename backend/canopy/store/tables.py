"""Defines the tables of the database, and how they are indexed.

A *series* is one set of labels (feature, name, value, prompt, model …) that votes share. A vote names its series, so
that `feedback_counts` is one small row per series and hour, and one index, (series, time), serves every combination of
filters.

Large texts come last in a row: SQLite then reads the other columns without following the text's overflow pages.

A new file of SQLite gets these tables at once, any other database gets them by the migrations. So an index of some rows
names its condition for SQLite alone: for PostgreSQL it would load that dialect wherever a process only uses SQLite.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Identity,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    }
)

# Ids and digests compare byte by byte on both engines, whatever the database's locale.
KEY = Text().with_variant(Text(collation="C"), "postgresql")

# The oldest revision of the schema whose code runs on this one: a single row. See `canopy.store.engine.migrate`.
schema_floor = Table("schema_floor", metadata, Column("floor", String(4), primary_key=True))

prompts = Table(
    "prompts",
    metadata,
    Column("prompt_id", KEY, primary_key=True),
    Column("text", Text, nullable=False),
)

generations = Table(
    "generations",
    metadata,
    Column("id", KEY, primary_key=True),
    Column("trace_id", KEY, nullable=False),
    Column("created_at", BigInteger, nullable=False, index=True),
    Column("feature", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("error_code", Text),
    Column("session_id", KEY),
    Column("user_id", KEY),
    Column("prompt_id", KEY, ForeignKey("prompts.prompt_id"), nullable=False, index=True),
    Column("model", Text, nullable=False),
    Column("config_revision", Text, nullable=False),
    Column("input_digest", KEY, nullable=False),
    Column("texts_digest", KEY, nullable=False),  # of input and response, to find it by them
    Column("input_length", Integer, nullable=False),  # characters, so that a vote needs no texts
    Column("response_length", Integer, nullable=False),
    Column("finish_reason", Text),
    Column("time_to_first_token", Float),
    Column("duration", Float, nullable=False),
    Column("input_tokens", Integer),
    Column("output_tokens", Integer),
    Column("parameters", Text, nullable=False),  # JSON
    Column("messages", Text),  # JSON
    Column("input_text", Text, nullable=False),
    Column("response_text", Text, nullable=False),
    Column("span_id", Text),
    Column("comparison_id", KEY),  # which it is one side of
    Column("user_proof", Text),  # what vouches for the user; NULL: the client alone
    Column("evaluation", Boolean),  # NULL: no, as before there was the column
    Index("ix_generations_trace_time", "trace_id", "created_at"),
    Index("ix_generations_texts_time", "texts_digest", "created_at"),
)

# What became of generations, by the hour and by what answered; kept when the generations are deleted. The columns
# `first_token_…` are a histogram of the time to the first token: see `canopy.store.generations.usage`.
_usage = ("completed", "failed", "stopped", "compared", "input_tokens", "output_tokens")
generation_counts = Table(
    "generation_counts",
    metadata,
    Column("hour", BigInteger, primary_key=True, autoincrement=False),  # microseconds since the epoch
    *(Column(_name, KEY, primary_key=True) for _name in ("feature", "prompt_id", "model", "config_revision")),
    *(Column(_name, BigInteger, nullable=False) for _name in (*_usage, *(f"first_token_{_n}" for _n in range(20)))),
)

series = Table(
    "series",
    metadata,
    Column("id", Integer, Identity(), primary_key=True),
    Column("feature", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("value", Text, nullable=False),
    Column("sentiment", SmallInteger, nullable=False),
    Column("prompt_id", Text, nullable=False),  # empty where none is known: a unique constraint ignores NULLs
    Column("model", Text, nullable=False),  # the same
    UniqueConstraint("feature", "name", "kind", "value", "sentiment", "prompt_id", "model", name="uq_series_labels"),
)

feedback = Table(
    "feedback",
    metadata,
    Column("id", KEY, primary_key=True),
    Column("slot", KEY, unique=True),  # digest of subject, voter and name; NULL: nothing replaces this vote
    Column("series_id", Integer, ForeignKey("series.id"), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("generation_id", KEY, ForeignKey("generations.id")),
    Column("source", Text, nullable=False),
    Column("source_id", Text),
    Column("user_id", KEY),
    Column("session_id", KEY),
    Column("config_revision", Text, nullable=False),
    Column("input_digest", KEY, nullable=False),
    Column("input_length", Integer, nullable=False),
    Column("response_length", Integer, nullable=False),
    Column("reasons", Text, nullable=False),  # JSON
    Column("comment", Text),
    Column("input_text", Text),  # both texts only where no generation is known
    Column("response_text", Text),
    Column("user_proof", Text),  # as with generations
    Column("search_place", BigInteger),  # in the index of `canopy.store.feedback.search_index`; NULL: not there yet
    Column("suggestion", Text),  # what the voter says a good answer would have been
    Index("ix_feedback_search", "search_place", "updated_at", "id"),
    Index("ix_feedback_time", "updated_at", "id"),
    Index("ix_feedback_series_time", "series_id", "updated_at", "id"),
    Index("ix_feedback_input", "input_digest", "series_id", "id"),
)

feedback_counts = Table(
    "feedback_counts",
    metadata,
    Column("series_id", Integer, ForeignKey("series.id"), primary_key=True, autoincrement=False),
    Column("hour", BigInteger, primary_key=True, autoincrement=False),  # microseconds since the epoch
    Column("n", BigInteger, nullable=False),
)

# A judge's turn on a generation, and its end. Each version of a judge has a turn of its own.
judgements = Table(
    "judgements",
    metadata,
    Column("generation_id", KEY, ForeignKey("generations.id"), primary_key=True),
    Column("judge", KEY, primary_key=True),
    Column("version", KEY, primary_key=True),
    Column("owner", Text, nullable=False),  # who took the turn last
    Column("leased_until", BigInteger, nullable=False),
    Column("finished_at", BigInteger),
    Column("feedback_id", KEY),  # the label; NULL: no answer that could be used
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("digest", KEY, primary_key=True),  # of voter and key
    Column("body_digest", Text, nullable=False),
    Column("feedback_id", KEY, nullable=False, index=True),
    Column("created_at", BigInteger, nullable=False, index=True),
    Column("receipt", Text, nullable=False),  # JSON: what a repetition answers, even after the vote is gone
)

# What a person expects of the answer to a text, for as long as there is a vote on the text.
reviews = Table(
    "reviews",
    metadata,
    Column("input_digest", KEY, primary_key=True),
    Column("feature", KEY, primary_key=True),
    Column("updated_at", BigInteger, nullable=False),
    Column("expected_result", Text, nullable=False),
)

# Browsers that have signed in: nothing here lets anybody in, since the id and the token are digests.
sessions = Table(
    "sessions",
    metadata,
    Column("digest", KEY, primary_key=True),  # of the id in the cookie
    Column("user_id", KEY, nullable=False),
    Column("token", KEY, nullable=False),  # its fingerprint
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),
    Index("ix_sessions_token_created_at", "token", "created_at"),
)

# The texts that MLflow's registry gave last, for a start while MLflow is away.
registered_prompts = Table(
    "registered_prompts",
    metadata,
    Column("reference", KEY, primary_key=True),  # `name/3` or `name@alias`, as the values name it, and the registry
    Column("name", Text, nullable=False),
    Column("source_version", Integer),  # the version or the alias that the values name
    Column("source_alias", Text),
    Column("version", Integer, nullable=False),
    Column("text", Text, nullable=False),
)

# With which Git commit values came into force: see `canopy.store.values.values_commits`.
values_commits = Table(
    "values_commits",
    metadata,
    Column("config_revision", KEY, primary_key=True),
    Column("git_revision", KEY, primary_key=True),
    Column("first_at", BigInteger, nullable=False),
)

experiments = Table(
    "experiments",
    metadata,
    Column("id", KEY, primary_key=True),
    Column("created_at", BigInteger, nullable=False),
    Column("used_at", BigInteger, nullable=False),  # when its newest comparison began
    Column("prompt_id", KEY, ForeignKey("prompts.prompt_id"), nullable=False),
    Column("prompt_b_id", KEY, ForeignKey("prompts.prompt_id"), nullable=False),
    Column("model", Text, nullable=False),
    Column("temperature", Float, nullable=False),
    Column("max_tokens", Integer, nullable=False),
    Column("alpha", Float, nullable=False),
    Column("prior", Float, nullable=False),
    Column("delta", Float, nullable=False),
    Column("n_max", Integer, nullable=False),
    Column("feature", Text),  # NULL: the built-in one
    Column("name", Text),  # as the values had it when it was last compared; NULL: none was given
    Column("hypothesis", Text),
    Column("model_b", Text),  # and the next two: NULL where variant B has what A has
    Column("temperature_b", Float),
    Column("max_tokens_b", Integer),
)

# Ballots by the hour: see `canopy.store.experiments.ballot_counts`.
ballot_counts = Table(
    "ballot_counts",
    metadata,
    Column("experiment_id", KEY, ForeignKey("experiments.id", ondelete="CASCADE"), primary_key=True),
    # What is counted, and by what time: see `canopy.store.experiments.ballot_counts`.
    Column("of_first", SmallInteger, primary_key=True, autoincrement=False),
    Column("hour", BigInteger, primary_key=True, autoincrement=False),  # microseconds since the epoch
    Column("preference", KEY, primary_key=True),
    Column("prompt_b_side", KEY, primary_key=True),
    Column("n", BigInteger, nullable=False),
)

# A comparison and its ballot, which is there when `preference` is.
comparisons = Table(
    "comparisons",
    metadata,
    Column("id", KEY, primary_key=True),
    Column("experiment_id", KEY, ForeignKey("experiments.id"), nullable=False),
    Column("created_at", BigInteger, nullable=False, index=True),
    Column("expires_at", BigInteger, nullable=False),
    Column("trace_id", KEY, nullable=False),
    Column("session_id", KEY),
    Column("user_id", KEY),
    Column("config_revision", Text, nullable=False),
    Column("prompt_b_side", Text, nullable=False),
    Column("generation_a", KEY, ForeignKey("generations.id"), nullable=False, index=True),
    Column("generation_b", KEY, ForeignKey("generations.id"), nullable=False, index=True),
    Column("voter", KEY),  # who may vote; NULL: whoever comes first
    Column("preference", Text),
    Column("first_preference", Text),  # before the ballot revealed which variant is which
    Column("voted_at", BigInteger),  # of the first ballot
    Column("updated_at", BigInteger),  # of the ballot in force
    Column("ballot_session_id", KEY),  # where it isn't the comparison's own; so is the user
    Column("ballot_user_id", KEY),
    Column("reasons", Text),  # JSON
    Column("comment", Text),
    Column("counted", Text),  # the preference as `ballot_counts` has it
    Column("counted_at", BigInteger),  # the `updated_at` of that
    Column("first_at", BigInteger),  # `voted_at` of a voter's first ballot in the experiment, else NULL
    Index("ix_comparisons_counts", "experiment_id", "preference", "prompt_b_side"),
    Index("ix_comparisons_newest", "experiment_id", "created_at", "id"),
)

for _name, _columns in {
    "ix_comparisons_time": ("updated_at", "id"),
    "ix_comparisons_experiment_time": ("experiment_id", "updated_at", "id"),
    "ix_comparisons_voter": ("experiment_id", "voter", "voted_at", "id", "first_preference", "prompt_b_side"),
}.items():
    _voted = comparisons.c.preference.is_not(None)
    Index(_name, *(comparisons.c[_column] for _column in _columns), sqlite_where=_voted)

uncounted = text("preference IS NOT NULL AND (counted_at IS NULL OR counted_at <> updated_at)")
Index("ix_comparisons_uncounted", comparisons.c.voted_at, comparisons.c.id, sqlite_where=uncounted)
_columns = ("experiment_id", "first_at", "id", "first_preference", "prompt_b_side")
_first = comparisons.c.first_at.is_not(None)
Index("ix_comparisons_first", *(comparisons.c[_column] for _column in _columns), sqlite_where=_first)

# What MLflow was, or is to be, told of: see `canopy.store.outbox.outbox`.
outbox = Table(
    "outbox",
    metadata,
    Column("subject", KEY, primary_key=True),  # the id of feedback, or of a generation that was compared
    Column("trace_id", KEY, nullable=False),
    Column("revision", BigInteger, nullable=False),  # grows with each change of the subject
    Column("waiting_since", BigInteger),  # the first change that is not delivered; NULL: all are
    Column("due_at", BigInteger),  # NULL: delivered or parked
    Column("claim", Text),  # of whoever delivers it now
    Column("sent", SmallInteger, nullable=False),  # 1 when it was claimed once
    Column("failures", Integer, nullable=False),
    Column("problem", Text),  # a sentence about the last failure
    Column("parked_at", BigInteger),
)

for _columns in (("due_at", "waiting_since"), ("parked_at",)):
    _set = outbox.c[_columns[0]].is_not(None)
    Index(f"ix_outbox_{_columns[0]}", *(outbox.c[_column] for _column in _columns), sqlite_where=_set)


# How often clients asked, added up over replicas: see `canopy.store.auth.request_counts`.
rate_counts = Table(
    "rate_counts",
    metadata,
    Column("counter", KEY, primary_key=True),  # kind, seconds of a slot, digest of the client
    Column("slot", BigInteger, primary_key=True, autoincrement=False),  # of time
    Column("n", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),  # seconds since the epoch
    Index("ix_rate_counts_expires_at", "expires_at"),
)


def _where_set(column: Column[str]) -> None:
    """Index a column that is mostly NULL."""
    condition = column.is_not(None)
    name = f"ix_{column.table.name}_{column.name}"
    Index(name, column, sqlite_where=condition)


for _column in (
    generations.c.session_id,
    generations.c.user_id,
    feedback.c.generation_id,
    feedback.c.session_id,
    feedback.c.user_id,
    comparisons.c.session_id,
    comparisons.c.user_id,
    comparisons.c.ballot_session_id,
    comparisons.c.ballot_user_id,
):
    _where_set(_column)
