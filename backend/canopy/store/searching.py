"""Searches: feedback that has a text in it, or a response that a judge gave a certain label.

They look at rows, newest first, a window in each transaction; who calls sees to it that they end in time.
"""

from sqlalchemy import Connection, select, tuple_

from canopy.store.base import Filter, Page
from canopy.store.cursors import Place, decode_cursor
from canopy.store.database import Database
from canopy.store.filters import Search, labelled, matching_series, time_conditions
from canopy.store.pages import ID, TIME, Pages, ordered
from canopy.store.schema import feedback

_WINDOW = 500  # rows in one transaction
_WINDOW_CHARS = 4_000_000  # unless their texts are long
_COUNTED = 1_000  # matches; more are not counted


class Searches:
    """Reads in whatever thread calls, with connections of `Database.scanner`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._pages = Pages(database, database.scanner)

    def page(self, where: Filter, limit: int, cursor: str | None, excerpt: int | None = None) -> Page:
        """Read one page; with `excerpt` so many characters of each text."""
        before = decode_cursor(cursor, "fb") if cursor is not None else None
        return self._pages.shown(self._places(where, limit + 1, before), limit, excerpt)

    def count(self, where: Filter) -> int | None:
        """How many votes match; None for more than a thousand."""
        found = len(self._places(where, _COUNTED + 1, None))
        return found if found <= _COUNTED else None

    def _places(self, where: Filter, limit: int, before: Place | None) -> list[Place]:
        with self._database.scanner.connect() as conn:
            ids = matching_series(conn, where)
        found: list[Place] = []
        end = before
        while len(found) < limit and ids != []:
            start, rows = self._window(where, ids, end)
            found += rows
            if start is None:
                break
            end = start
        return found[:limit]

    def _window(self, where: Filter, ids: list[int] | None, before: Place | None) -> tuple[Place | None, list[Place]]:
        """Search the next window of rows: where the next one begins (None: this was the last) and what was found."""
        search = Search.of(self._database, where.search)
        with self._database.scanner.connect() as conn:
            edge = self._edge(conn, where, before)
            statement = ordered(search.select(TIME, ID).where(*time_conditions(where)), before)
            parameters = {}
            if edge is not None:
                statement = statement.where(tuple_(TIME, ID) >= tuple_(*edge))
            if ids is not None:
                statement = statement.where(self._database.member(feedback.c.series_id, "series"))
                parameters["series"] = self._database.values(ids)
            if where.label is not None:
                statement = statement.where(labelled(conn, where.label))
            rows = conn.execute(statement, parameters).all()
        return edge, [(row.updated_at, row.id) for row in search.accepted(rows)]

    def _edge(self, conn: Connection, where: Filter, before: Place | None) -> Place | None:
        """The last place of the window; None where the table ends first."""
        columns = (TIME, ID, feedback.c.input_length + feedback.c.response_length)
        rows = conn.execute(ordered(select(*columns).where(*time_conditions(where)), before).limit(_WINDOW)).all()
        chars = 0
        for time, key, length in rows:
            chars += length
            if chars > _WINDOW_CHARS:
                return time, key
        return (rows[-1][0], rows[-1][1]) if len(rows) == _WINDOW else None
