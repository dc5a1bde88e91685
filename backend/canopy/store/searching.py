"""Searches: feedback that has a text in it, or a response that a judge gave a certain label.

They look at rows, newest first, a window in each transaction, and for a text of three characters or more at what the
index of trigrams has of it; who calls sees to it that they end in time.
"""

import heapq
import itertools
from collections.abc import Generator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, select, tuple_

from canopy.store.base import Filter, Page
from canopy.store.cursors import Place, decode_cursor
from canopy.store.database import Database
from canopy.store.filters import Search, labelled, matching_series, time_conditions
from canopy.store.folding import trigrams
from canopy.store.pages import ID, TIME, Pages, ordered
from canopy.store.schema import feedback
from canopy.store.trigrams import SAME, first_place

_WINDOW = 500  # rows in one transaction
_WINDOW_CHARS = 4_000_000  # unless their texts are long
_CANDIDATES = 100  # of the index, in one transaction
_TRIGRAMS = 24  # of a needle that the index is asked for; the texts themselves are looked at for all
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
        if ids == []:
            return []
        # What is common is found among the newest; then the index leads to what is rare.
        edge, found = self._window(where, ids, before)
        if edge is not None and len(found) < limit:
            found += itertools.islice(self._older(where, ids, edge), limit - len(found))
        return found[:limit]

    def _older(self, where: Filter, ids: list[int] | None, before: Place) -> Generator[Place]:
        """What is found before a place: by the index, and among the votes that it can't find or doesn't have yet."""
        needle = trigrams((where.search or "").casefold())[:_TRIGRAMS]
        end: Place | None = before
        while end is not None:
            start, found = self._window(where, ids, end, waiting=bool(needle))
            if needle:
                # The index is asked after the votes that it doesn't have: one that came into it between is in both.
                merged = heapq.merge(found, self._indexed(where, ids, start, end, needle), reverse=True)
                yield from (place for place, _ in itertools.groupby(merged))
            else:
                yield from found
            end = start

    def _indexed(
        self, where: Filter, ids: list[int] | None, start: Place | None, before: Place, needle: Sequence[str]
    ) -> Generator[Place]:
        """Look at the candidates of the index from a place to before another."""
        oldest = max(where.since or 0, 0 if start is None else start[0])
        end = first_place(before[0] + 1_000)
        search = Search.of(self._database, where.search)
        full = True
        while full:
            with self._database.scanner.connect() as conn:
                places = self._database.candidates(conn, needle, first_place(oldest), end, _CANDIDATES)
                full = len(places) == _CANDIDATES
                if full:  # the votes of one millisecond come together: their order is that of their ids
                    end = places[-1] >> SAME << SAME
                    places += self._database.candidates(conn, needle, end, places[-1], 1 << SAME)
                statement = search.select(TIME, ID).where(
                    self._database.member(feedback.c.search_place, "places"), tuple_(TIME + 0, ID) < tuple_(*before)
                )
                if start is not None:
                    statement = statement.where(tuple_(TIME + 0, ID) >= tuple_(*start))
                parameters = {"places": self._database.values(places)}
                accepted = self._accepted(conn, where, ids, search, statement, parameters)
            yield from sorted(accepted, reverse=True)

    def _accepted(
        self,
        conn: Connection,
        where: Filter,
        ids: list[int] | None,
        search: Search,
        statement: Select[Any],
        parameters: dict[str, Any],
    ) -> list[Place]:
        """The places of those rows that match in everything."""
        statement = statement.where(*time_conditions(where))
        if ids is not None:
            statement = statement.where(self._database.member(feedback.c.series_id, "series"))
            parameters["series"] = self._database.values(ids)
        if where.label is not None:
            statement = statement.where(labelled(conn, where.label))
        rows = conn.execute(statement, parameters).all()
        return [(row.updated_at, row.id) for row in search.accepted(rows)]

    def _window(
        self, where: Filter, ids: list[int] | None, before: Place | None, *, waiting: bool = False
    ) -> tuple[Place | None, list[Place]]:
        """Search the next window of rows: where the next one begins (None: this was the last) and what was found."""
        search = Search.of(self._database, where.search)
        with self._database.scanner.connect() as conn:
            rows = [feedback.c.search_place.is_(None)] if waiting else []
            edge = self._edge(conn, where, before, rows)
            statement = ordered(search.select(TIME, ID).where(*rows), before)
            if edge is not None:
                statement = statement.where(tuple_(TIME, ID) >= tuple_(*edge))
            return edge, self._accepted(conn, where, ids, search, statement, {})

    def _edge(
        self, conn: Connection, where: Filter, before: Place | None, rows: Sequence[ColumnElement[bool]]
    ) -> Place | None:
        """The last place of the window; None where there is no more."""
        columns = (TIME, ID, feedback.c.input_length + feedback.c.response_length)
        window = ordered(select(*columns).where(*rows, *time_conditions(where)), before).limit(_WINDOW)
        seen = conn.execute(window).all()
        chars = 0
        for time, key, length in seen:
            chars += length
            if chars > _WINDOW_CHARS:
                return time, key
        return (seen[-1][0], seen[-1][1]) if len(seen) == _WINDOW else None
