"""Searches feedback for a text, a reason, a comment, or responses that a judge gave a certain label.

Searches look at rows, newest first, a window in each transaction, and for a text of three characters or more at what
the index of trigrams has of it. After `_LOOKS` looks, or when too much of its time is used, a search that has not found
enough says where it stopped, so that what one costs has a bound.
"""

from collections.abc import Generator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, select, tuple_

from canopy.store.engine.cursors import LOWEST, FoundIds, Place, decode_cursor
from canopy.store.engine.database import Database
from canopy.store.engine.scans import Scans
from canopy.store.engine.search_terms import first_place, millisecond_of, time_of, trigrams
from canopy.store.feedback.filters import TextMatch, content_conditions, matching_series, time_conditions
from canopy.store.feedback.pages import ID, TIME, found, newest_first
from canopy.store.feedback.query import Filter, MatchCount
from canopy.store.tables import feedback

_LOOKS = 100  # of one search: at a window of rows, or at candidates of the index
_TIME = 0.5  # of what a search may take: no look begins after that
_WINDOW = 500  # rows in one transaction
_WINDOW_CHARS = 4_000_000  # unless their texts are long
_CANDIDATES = 100  # of the index, in one transaction
_TRIGRAMS = 24  # of a text that the index is asked for; the texts themselves are looked at for all
_COUNTED = 1_000  # matches; more are not counted

# Down to where a search has looked (None: to the end), and what it found since the step before.
type SearchStep = tuple[Place | None, list[Place]]


class Searches:
    """Finds and counts the votes of a filter that no index leads to.

    Methods read in the thread that calls them, which has to be one of `Scans`.
    """

    def __init__(self, database: Database, scans: Scans) -> None:
        self._database = database
        self._scans = scans

    def find(self, where: Filter, limit: int, cursor: str | None) -> FoundIds:
        """Find one page."""
        before = decode_cursor(cursor, "fb") if cursor is not None else None
        end, places = self._search(where, limit + 1, before)
        return found(places, limit, end)

    def count(self, where: Filter) -> MatchCount:
        """Return how many votes match: up to a thousand, or fewer where that takes too many looks to know."""
        end, places = self._search(where, _COUNTED + 1, None)
        return MatchCount(min(len(places), _COUNTED), whole=end is None and len(places) <= _COUNTED)

    def _search(self, where: Filter, limit: int, before: Place | None) -> SearchStep:
        """Return what is found, and where this stopped before it had found so much."""
        with self._database.scanner.connect() as conn:
            ids = matching_series(conn, where)
        if ids == []:
            return None, []
        looks = self._looks(where, ids, before)
        end, places = next(looks)
        left = _LOOKS - 1
        with self._scans.cutting():
            while end is not None and len(places) < limit and left and self._scans.used() < _TIME:
                end, some = next(looks)
                places += some
                left -= 1
        return (None if len(places) >= limit else end), places[:limit]

    def _looks(self, where: Filter, ids: list[int] | None, before: Place | None) -> Generator[SearchStep]:
        """Look further and further back."""
        # What is common is found among the newest; then the index leads to what is rare.
        end, some = self._window(where, ids, before)
        yield end, some
        wanted = trigrams((where.search or "").casefold())[:_TRIGRAMS]
        while end is not None:
            if not wanted:
                end, some = self._window(where, ids, end)
                yield end, some
                continue
            # The index is asked after the votes that it doesn't have: one that came into it between is in both.
            start, waiting = self._window(where, ids, end, waiting=True)
            for reached, candidates in self._indexed(where, ids, start, end, wanted):
                some = [place for place in waiting if reached is None or place >= reached]
                waiting = waiting[len(some) :]
                yield reached, sorted({*some, *candidates}, reverse=True)
            end = start

    def _indexed(
        self, where: Filter, ids: list[int] | None, start: Place | None, before: Place, wanted: Sequence[str]
    ) -> Generator[SearchStep]:
        """Look at the candidates of the index from a place to before another."""
        oldest = first_place(max(where.since or 0, 0 if start is None else start[0]))
        end = first_place(before[0] + 1_000)
        while end > oldest:
            with self._database.scanner.connect() as conn:
                candidates, end = self._database.candidates(conn, wanted, oldest, end)
            for batch, down_to in _batches(candidates, end):
                some = self._matching(where, ids, start, before, batch) if batch else []
                if down_to > oldest:
                    reached = (time_of(down_to), LOWEST)
                    yield reached if start is None else max(reached, start), some
                else:
                    yield start, some

    def _matching(
        self, where: Filter, ids: list[int] | None, start: Place | None, before: Place, places: Sequence[int]
    ) -> list[Place]:
        """Return those of the candidates that match, from a place to before another."""
        search = TextMatch.of(self._database, where.search)
        statement = search.select(TIME, ID).where(
            self._database.in_list(feedback.c.search_place, "places"), tuple_(TIME + 0, ID) < tuple_(*before)
        )
        if start is not None:
            statement = statement.where(tuple_(TIME + 0, ID) >= tuple_(*start))
        with self._database.scanner.connect() as conn:
            return self._accepted(conn, where, ids, search, statement, {"places": self._database.list_param(places)})

    def _accepted(
        self,
        conn: Connection,
        where: Filter,
        ids: list[int] | None,
        search: TextMatch,
        statement: Select[Any],
        parameters: dict[str, Any],
    ) -> list[Place]:
        """Return the places of those rows that match in everything."""
        statement = statement.where(*time_conditions(where), *content_conditions(conn, where))
        if ids is not None:
            statement = statement.where(self._database.in_list(feedback.c.series_id, "series"))
            parameters["series"] = self._database.list_param(ids)
        rows = conn.execute(statement, parameters).all()
        return [(row.updated_at, row.id) for row in search.accepted(rows)]

    def _window(
        self, where: Filter, ids: list[int] | None, before: Place | None, *, waiting: bool = False
    ) -> tuple[Place | None, list[Place]]:
        """Search the next window of rows: where the next one begins (None: this was the last) and what was found."""
        search = TextMatch.of(self._database, where.search)
        with self._database.scanner.connect() as conn:
            rows = [feedback.c.search_place.is_(None)] if waiting else []
            edge = self._edge(conn, where, before, rows)
            statement = newest_first(search.select(TIME, ID).where(*rows), (TIME, ID), before)
            if edge is not None:
                statement = statement.where(tuple_(TIME, ID) >= tuple_(*edge))
            return edge, self._accepted(conn, where, ids, search, statement, {})

    def _edge(
        self, conn: Connection, where: Filter, before: Place | None, rows: Sequence[ColumnElement[bool]]
    ) -> Place | None:
        """Return the last place of the window; None where there is no more."""
        columns = (TIME, ID, feedback.c.input_length + feedback.c.response_length)
        statement = select(*columns).where(*rows, *time_conditions(where))
        window = newest_first(statement, (TIME, ID), before).limit(_WINDOW)
        seen = conn.execute(window).all()
        chars = 0
        for time, key, length in seen:
            chars += length
            if chars > _WINDOW_CHARS:
                return time, key
        return (seen[-1][0], seen[-1][1]) if len(seen) == _WINDOW else None


def _batches(places: Sequence[int], since: int) -> Generator[tuple[Sequence[int], int]]:
    """Some at a time, those of a millisecond together, each with the place that it reaches down to."""
    begin = 0
    while True:
        end = begin + _CANDIDATES
        while end < len(places) and millisecond_of(places[end]) == millisecond_of(places[end - 1]):
            end += 1
        if end >= len(places):
            yield places[begin:], since
            return
        yield places[begin:end], millisecond_of(places[end - 1])
        begin = end
