"""Counts people, not votes: one outcome each, that of the first vote that is for or against.

Votes of one person aren't independent of each other. Who says neither a user nor a session is left out: such votes
may be one person's or a hundred's.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal, NamedTuple

from sqlalchemy import Connection, Row, select

from canopy.stats.before_after import Outcomes
from canopy.store.engine.database import Database
from canopy.store.feedback.filters import series_conditions
from canopy.store.feedback.query import Filter
from canopy.store.keys import ANONYMOUS, voter_of
from canopy.store.tables import feedback, series

MOST_VOTES = 10_000  # of one rating: what a count reads is bounded, however many votes there are

type End = Literal["oldest", "newest"]


class RatingVotes(NamedTuple):
    """Holds votes of one rating, in order."""

    sentiment: int
    rows: Sequence[Row[Any]]


class VoterCounts:
    """Reads in whatever thread calls."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def count(self, where: Sequence[Filter], features: Sequence[str], end: End, most: int) -> Outcomes:
        """Count the people behind the votes that any filter selects, on any of the features. Nothing is searched.

        Of a rating with more than `most` votes the `end` is looked at: of all ratings then no more time than of that.
        """
        with self._database.reader.connect() as conn:
            found = [
                RatingVotes(sentiment, self._votes(conn, number, each, end, most))
                for each in where
                for number, sentiment in self._series(conn, each, features)
            ]
        cut = [it.rows[-1].updated_at for it in found if len(it.rows) >= most]
        votes = sorted(
            (row.updated_at, row.id, voter_of(row.user_id, row.user_proof, row.session_id), it.sentiment)
            for it in found
            for row in it.rows
            if not cut or (row.updated_at <= min(cut) if end == "oldest" else row.updated_at >= max(cut))
        )
        outcomes: dict[str, int] = {}
        for _, _, voter, sentiment in votes:
            if voter != ANONYMOUS:
                outcomes.setdefault(voter, sentiment)
        good = sum(sentiment > 0 for sentiment in outcomes.values())
        return Outcomes(good, len(outcomes) - good)

    def _series(self, conn: Connection, where: Filter, features: Sequence[str]) -> list[tuple[int, int]]:
        """Return the ratings for or against: the series' ids with their sentiments."""
        s = series.c
        found: list[tuple[int, int]] = []
        for feature in features:
            conditions = series_conditions(replace(where, feature=feature))
            statement = select(s.id, s.sentiment).where(*conditions, s.sentiment != 0).order_by(s.id)
            found += [(number, sentiment) for number, sentiment in conn.execute(statement)]
        return found

    def _votes(self, conn: Connection, number: int, where: Filter, end: End, most: int) -> Sequence[Row[Any]]:
        f = feedback.c
        conditions = [f.series_id == number]
        if where.since is not None:
            conditions.append(f.updated_at >= where.since)
        if where.until is not None:
            conditions.append(f.updated_at < where.until)
        order = (f.updated_at, f.id) if end == "oldest" else (f.updated_at.desc(), f.id.desc())
        columns: list[Any] = [f.updated_at, f.id, f.user_id, f.user_proof, f.session_id]
        return conn.execute(select(*columns).where(*conditions).order_by(*order).limit(most)).all()
