"""Counts the review queue's items anew where a version that doesn't know them has written: after going back to it.

Such a version keeps the hourly counts of votes, and the reviews. Where these say something else than the items, all
items are made from what there is; what reviewers did stays with them.
"""

from collections.abc import Sequence

from sqlalchemy import Connection, func, select, text

from canopy.config.feature_values import CHAT_SUFFIX
from canopy.store.engine.database import Database
from canopy.store.feedback.review_items import MOST_WEIGHT
from canopy.store.review_tables import review_counts
from canopy.store.tables import feedback_counts, reviews, series

_STEPS = (
    "UPDATE review_items SET people = 0, judges = 0, wrong = 0, severity = -1",
    f"""
    INSERT INTO review_items (input_digest, feature, state, severity, bad_at, people, judges, wrong, revision)
    SELECT f.input_digest, s.feature, 'waiting', 0, MAX(f.updated_at),
        SUM(CASE WHEN s.kind = 'judgement' THEN 0 ELSE 1 END),
        SUM(CASE WHEN s.kind = 'judgement' THEN 1 ELSE 0 END), 0, 0
    FROM feedback f JOIN series s ON s.id = f.series_id
    WHERE s.sentiment < 0 AND substr(s.feature, length(s.feature) - {len(CHAT_SUFFIX) - 1}) <> '{CHAT_SUFFIX}'
    GROUP BY f.input_digest, s.feature
    ON CONFLICT (input_digest, feature) DO UPDATE
    SET people = excluded.people, judges = excluded.judges, bad_at = excluded.bad_at
    """,  # noqa: S608  # a constant
    """
    UPDATE review_items SET wrong = (
        SELECT COUNT(*) FROM label_opinions o JOIN feedback f ON f.id = o.feedback_id
            JOIN series s ON s.id = f.series_id
        WHERE f.input_digest = review_items.input_digest AND s.feature = review_items.feature
            AND s.sentiment < 0 AND o.sentiment > 0 AND o.series_id = f.series_id
    ) WHERE judges > 0 AND EXISTS (SELECT 1 FROM label_opinions)
    """,
    f"""
    UPDATE review_items SET severity = CASE WHEN people = 0 THEN 0 WHEN judges > wrong THEN 2 ELSE 1 END
        + 3 * CASE WHEN 2 * people + judges - wrong > {MOST_WEIGHT} THEN {MOST_WEIGHT}
            ELSE 2 * people + judges - wrong END
    WHERE people + judges > 0
    """,  # noqa: S608  # a constant
    """
    INSERT INTO review_items
        (input_digest, feature, state, severity, bad_at, people, judges, wrong, revision, reviewed_at)
    SELECT input_digest, feature, 'expected', -1, 0, 0, 0, 0, 1, updated_at FROM reviews WHERE true
    ON CONFLICT (input_digest, feature) DO UPDATE
    SET state = 'expected', revision = review_items.revision + 1, reviewed_at = excluded.reviewed_at
    WHERE review_items.state <> 'expected'
    """,
    """
    UPDATE review_items SET state = 'waiting', revision = revision + 1 WHERE state = 'expected' AND NOT EXISTS (
        SELECT 1 FROM reviews r WHERE r.input_digest = review_items.input_digest AND r.feature = review_items.feature
    )
    """,
    """
    DELETE FROM review_items WHERE severity < 0 AND (
        state = 'waiting' OR NOT EXISTS (SELECT 1 FROM feedback f WHERE f.input_digest = review_items.input_digest)
    )
    """,
    "DELETE FROM review_events WHERE NOT EXISTS "
    "(SELECT 1 FROM feedback f WHERE f.input_digest = review_events.input_digest)",
    "DELETE FROM review_counts",
    """
    INSERT INTO review_counts (feature, state, severity, n, verdicts)
    SELECT feature, state, severity, COUNT(*), SUM(people + judges) FROM review_items GROUP BY feature, state, severity
    """,
)


def is_outdated(database: Database) -> bool:
    """Return whether something wrote verdicts or reviews and not the items. Reads counts alone, all at one time."""
    c, counts = review_counts.c, feedback_counts.c
    bad = (
        select(func.coalesce(func.sum(counts.n), 0))
        .join_from(series, feedback_counts)
        .where(series.c.sentiment < 0, ~series.c.feature.endswith(CHAT_SUFFIX, autoescape=True))
    )
    known = select(func.coalesce(func.sum(c.verdicts), 0)).select_from(review_counts)
    written = select(func.count()).select_from(reviews)
    expected = select(func.coalesce(func.sum(c.n), 0)).where(c.state == "expected")
    numbers = select(*(it.scalar_subquery() for it in (bad, known, written, expected)))
    with database.reader.connect() as conn:
        there, counted, texts, states = conn.execute(numbers).one()
    return bool(there != counted or texts != states)


def recount(conn: Connection, requests: Sequence[None]) -> list[None]:
    """Make all items from what there is, in the writer's transaction: some seconds for a million votes."""
    for step in _STEPS:
        conn.execute(text(step))
    return list(requests)
