"""Keeps the hourly counts of feedback, in the transaction that changes the feedback."""

from collections import Counter

from sqlalchemy import Connection, bindparam, delete

from canopy.store.engine.database import CompiledStatement, Database
from canopy.store.tables import feedback_counts

HOUR = 3_600_000_000  # microseconds
DAY = 24 * HOUR


def hour_of(timestamp: int) -> int:
    """Return the start of the hour that a time lies in."""
    return timestamp - timestamp % HOUR


class HourlyCounts:
    """Adds differences by (series, hour). A count that falls to zero has no row."""

    def __init__(self, database: Database) -> None:
        c = feedback_counts.c
        self._add = database.bulk(feedback_counts, (c.series_id, c.hour), lambda new: {"n": c.n + new.n})
        self._drop = CompiledStatement(
            delete(feedback_counts).where(c.series_id == bindparam("series_id"), c.hour == bindparam("hour"), c.n == 0),
            database.writer.dialect,
        )

    def add(self, conn: Connection, differences: Counter[tuple[int, int]]) -> None:
        """Apply differences; zeros among them cost nothing."""
        rows = [{"series_id": key[0], "hour": key[1], "n": n} for key, n in sorted(differences.items()) if n]
        if rows:
            self._add.run(conn, rows)
        if fallen := [{"series_id": row["series_id"], "hour": row["hour"]} for row in rows if row["n"] < 0]:
            self._drop.run(conn, fallen)
