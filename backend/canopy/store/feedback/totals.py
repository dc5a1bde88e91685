"""Counts feedback: whole hours by the hourly counts, only the rest of the first and the last hour by the votes."""

from typing import Any

from sqlalchemy import Connection, func, select

from canopy.store.engine.database import Database
from canopy.store.feedback.filters import matching_series
from canopy.store.feedback.hourly_counts import HOUR, hour_of
from canopy.store.feedback.query import Filter
from canopy.store.tables import feedback, feedback_counts


class Totals:
    """Reads in whatever thread calls."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def count(self, where: Filter) -> int:
        """Count the votes that match. Nothing is searched."""
        with self._database.reader.connect() as conn:
            ids = matching_series(conn, where)
            return 0 if ids == [] else self._from_roll_up(conn, where, ids)

    def _from_roll_up(self, conn: Connection, where: Filter, ids: list[int] | None) -> int:
        since, until = where.since, where.until
        if since is not None and until is not None and since >= until:
            return 0
        first = None if since is None else -(-since // HOUR) * HOUR  # the first whole hour
        last = None if until is None else hour_of(until)  # the end of the last whole hour
        if first is not None and last is not None and first > last:
            return self._votes(conn, ids, since, until)
        total = self._hours(conn, ids, first, last)
        if first != since:
            total += self._votes(conn, ids, since, first)
        if last != until:
            total += self._votes(conn, ids, last, until)
        return total

    def _hours(self, conn: Connection, ids: list[int] | None, first: int | None, last: int | None) -> int:
        c = feedback_counts.c
        statement = select(func.coalesce(func.sum(c.n), 0))
        if ids is not None:
            statement = statement.where(self._database.in_list(c.series_id, "series"))
        if first is not None:
            statement = statement.where(c.hour >= first)
        if last is not None:
            statement = statement.where(c.hour < last)
        return int(conn.execute(statement, self._parameters(ids)).scalar_one())

    def _votes(self, conn: Connection, ids: list[int] | None, since: int | None, until: int | None) -> int:
        f = feedback.c
        statement = select(func.count()).select_from(feedback)
        if ids is not None:
            statement = statement.where(self._database.in_list(f.series_id, "series"))
        if since is not None:
            statement = statement.where(f.updated_at >= since)
        if until is not None:
            statement = statement.where(f.updated_at < until)
        return int(conn.execute(statement, self._parameters(ids)).scalar_one())

    def _parameters(self, ids: list[int] | None) -> dict[str, Any]:
        return {} if ids is None else {"series": self._database.list_param(ids)}
