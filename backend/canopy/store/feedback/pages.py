"""Reads pages of feedback, newest first.

The cost of a page doesn't depend on the size of the table: with labels in the filter, the newest of each matching
series are read from the index and merged; without, the newest of all. Texts are read in pieces, and only when their
lengths are known to fit.
"""

import functools
import itertools
import operator
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Connection, Select, case, func, select, tuple_, union_all

from canopy.store.engine.cursors import FoundIds, Place, decode_cursor, encode_cursor
from canopy.store.engine.database import Database
from canopy.store.feedback.filters import INPUT, RESPONSE, matching_series, time_conditions
from canopy.store.feedback.query import Feedback, Filter
from canopy.store.tables import feedback, generations, prompts, series

PIECE_CHARS = 1_000_000  # of texts that are read at once
_PIECE = 200  # entries that are read, or places that are looked for, at once
_TOGETHER = 100  # series in one statement; SQLite takes 500

TIME, ID = feedback.c.updated_at, feedback.c.id


class Pages:
    """Reads in whatever thread calls, with a connection for each transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database
        f, g, s, p = feedback.c, generations.c, series.c, prompts.c
        self._columns: dict[str, ColumnElement[Any]] = {
            **dict(g.items()),
            **dict(s.items()),
            **dict(f.items()),
            "timestamp": f.updated_at,
            "input_text": INPUT,
            "response_text": RESPONSE,
            "prompt_id": func.nullif(s.prompt_id, ""),
            "prompt_text": p.text,
            "model": func.nullif(s.model, ""),
        }
        self._whole = self._entries(self._columns)
        beside = (func.coalesce(func.length(text), 0) for text in (f.comment, f.suggestion, g.messages, p.text))
        self._lengths = self._entries(
            {"id": f.id, "length": functools.reduce(operator.add, beside, f.input_length + f.response_length)}
        )

    def find(self, where: Filter, limit: int, cursor: str | None) -> FoundIds:
        """Find one page."""
        before = decode_cursor(cursor, "fb") if cursor is not None else None
        return found(self.places(where, limit + 1, before), limit)

    def places(self, where: Filter, limit: int, before: Place | None) -> list[Place]:
        """Return the newest places that match, at most `limit` of them. Nothing is searched."""
        places: list[Place] = []
        while len(places) < limit:  # in steps: each is looked for in every series
            wanted = min(limit - len(places), _PIECE + 1)
            places += (some := self._newest(where, wanted, before))
            if len(some) < wanted:
                break
            before = some[-1]
        return places

    def _newest(self, where: Filter, limit: int, before: Place | None) -> list[Place]:
        with self._database.reader.connect() as conn:
            ids = matching_series(conn, where)
            if ids is None:
                newest = newest_first(select(TIME, ID).where(*time_conditions(where)), (TIME, ID), before).limit(limit)
                return [(row[0], row[1]) for row in conn.execute(newest)]
            if len(ids) > _TOGETHER:
                ids = self._with_newest(conn, where, ids, limit, before)
            places: list[Place] = []
            for together in itertools.batched(ids, _TOGETHER):
                parts = (
                    select(_of_series(select(TIME, ID), number, where, before).limit(limit).subquery())
                    for number in together
                )
                places += [(row[0], row[1]) for row in conn.execute(union_all(*parts))]
        return sorted(places, reverse=True)[:limit]

    def _with_newest(
        self, conn: Connection, where: Filter, ids: list[int], limit: int, before: Place | None
    ) -> list[int]:
        """Return those of the series in which their newest `limit` places are: one look into the index for each."""
        newest = _of_series(select(TIME), series.c.id, where, before)
        head = newest.limit(1).correlate(series).scalar_subquery().label("head")
        statement = select(series.c.id, head).where(self._database.in_list(series.c.id, "series"))
        rows = conn.execute(statement, {"series": self._database.list_param(ids)}).all()
        heads = sorted(((row.head, row.id) for row in rows if row.head is not None), reverse=True)
        if len(heads) > limit:
            oldest = heads[limit - 1][0]
            heads = [head for head in heads if head[0] >= oldest]
        return [number for _, number in heads]

    def read(self, ids: Sequence[str], excerpt: int | None = None) -> tuple[list[Feedback], int]:
        """Return the feedback under the first of these ids, as much as is read at once, and how many ids that took.

        What was deleted since is left out.
        """
        taken = self._fitting(ids[:_PIECE]) if excerpt is None else ids
        statement = self._whole if excerpt is None else self._excerpts(excerpt)
        with self._database.reader.connect() as conn:
            rows = conn.execute(statement, {"ids": self._database.list_param(taken)}).all()
        by_id = {row.id: _feedback(row) for row in rows}
        return [by_id[key] for key in taken if key in by_id], len(taken)

    def _fitting(self, ids: Sequence[str]) -> Sequence[str]:
        """Return as many of these as are few characters, at least one."""
        with self._database.reader.connect() as conn:
            rows = conn.execute(self._lengths, {"ids": self._database.list_param(ids)}).all()
        lengths = {row.id: row.length for row in rows}
        return ids[: fitting([lengths.get(key, 0) for key in ids])]

    def _entries(self, columns: Mapping[str, ColumnElement[Any]]) -> Select[Any]:
        p, g = prompts.c, generations.c
        return (
            select(*(columns[name].label(name) for name in (Feedback._fields if "timestamp" in columns else columns)))
            .select_from(feedback.join(series).outerjoin(generations).outerjoin(prompts, p.prompt_id == g.prompt_id))
            .where(self._database.in_list(feedback.c.id, "ids"))
        )

    def _excerpts(self, chars: int) -> Select[Any]:
        """Return the beginnings of texts; a conversation, of which a beginning says little, whole where it is short."""
        cut = {
            name: func.substr(self._columns[name], 1, chars) for name in ("input_text", "response_text", "suggestion")
        }
        prompt = func.substr(self._columns["prompt_text"], 1, chars)
        messages = self._columns["messages"]
        short = case((func.length(messages) <= 2 * chars, messages))
        return self._entries({**self._columns, **cut, "prompt_text": prompt, "messages": short})


def found(places: Sequence[Place], limit: int, stopped: Place | None = None) -> FoundIds:
    """Return the page of the first `limit` of these places. `stopped` is where to go on after the last."""
    cursors = [encode_cursor(place) for place in places[:limit]]
    ids = [key for _, key in places[:limit]]
    if len(places) > limit:
        return FoundIds(ids, cursors, cursors[-1])
    return FoundIds(ids, cursors) if stopped is None else FoundIds(ids, cursors, encode_cursor(stopped), stopped[0])


def fitting(lengths: Sequence[int]) -> int:
    """Return how many of the first texts with these lengths are read at once; at least one."""
    together = itertools.accumulate(lengths)
    return max(sum(1 for _ in itertools.takewhile(lambda chars: chars <= PIECE_CHARS, together)), 1)


def newest_first(
    statement: Select[Any], columns: Sequence[ColumnElement[Any]], before: tuple[Any, ...] | None
) -> Select[Any]:
    """Order by an index's columns from their highest values down, beginning below `before`."""
    if before is not None:
        statement = statement.where(tuple_(*columns) < tuple_(*before))
    return statement.order_by(*(column.desc() for column in columns))


def _of_series(
    statement: Select[Any], number: int | ColumnElement[int], where: Filter, before: Place | None
) -> Select[Any]:
    """Select the newest first, from a place on, of one series along its index.

    The series is a range from itself to itself. Where a column equals something, a planner may take the order from
    any index of the times, and with that of all times it walks past every vote since the last one of a rare series.
    """
    its = feedback.c.series_id
    statement = statement.where(
        its >= number if where.since is None else tuple_(its, TIME) >= tuple_(number, where.since)
    )
    if where.until is not None:
        statement = statement.where(tuple_(its, TIME) < tuple_(number, where.until))
    elif before is None:
        statement = statement.where(its <= number)
    return newest_first(statement, (its, TIME, ID), None if before is None else (number, *before))


def _feedback(row: Any) -> Feedback:
    stored = Feedback._make(row)
    return stored._replace(reasons=_json(row.reasons), parameters=_json(row.parameters), messages=_json(row.messages))


def _json(stored: str | None) -> Any:
    return None if stored is None else orjson.loads(stored)
