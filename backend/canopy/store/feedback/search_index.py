"""Fills the search index, which leads to the votes that have all the trigrams of a text, newest first.

It gives candidates: whoever reads it looks at the texts themselves, so that what is found never depends on it.
The writer fills it some time after the votes, in small steps; a vote without a `search_place` is not in it yet.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, func, select, update

from canopy.store.engine.database import CompiledStatement, Database
from canopy.store.engine.search_terms import first_place, folded
from canopy.store.feedback.filters import INPUT, RESPONSE, WITH_TEXTS
from canopy.store.tables import feedback

_CHARS = 3_000  # of texts that count as one vote in a step


class SearchIndex:
    """Handles the index in the writer's thread."""

    def __init__(self, database: Database) -> None:
        self._database = database
        f, dialect = feedback.c, database.writer.dialect
        self._waiting = CompiledStatement(
            select(f.id, f.updated_at, (f.input_length + f.response_length).label("chars"))
            .where(f.search_place.is_(None))
            .order_by(f.updated_at, f.id)
            .limit(bindparam("most")),
            dialect,
        )
        self._texts = CompiledStatement(
            select(f.id, INPUT, RESPONSE, f.comment).select_from(WITH_TEXTS).where(database.in_list(f.id, "ids")),
            dialect,
        )
        self._last = CompiledStatement(
            select(func.max(f.search_place)).where(
                f.search_place >= bindparam("first"), f.search_place < bindparam("end")
            ),
            dialect,
        )
        self._put = CompiledStatement(
            update(feedback).where(f.id == bindparam("of")).values(search_place=bindparam("at")), dialect
        )

    def step(self, conn: Connection, asked: Sequence[int]) -> list[int]:
        """Put the oldest votes that are not in the index into it, as many as asked or fewer. Returns how many."""
        most = max(asked)
        rows: list[Any] = []
        chars = 0
        for row in self._waiting.rows(conn, most=most):
            chars += row.chars
            if rows and chars > most * _CHARS:
                break
            rows.append(row)
        if rows:
            self._add(conn, {row.id: row.updated_at for row in rows})
        return [len(rows)] * len(asked)

    def forget(self, conn: Connection, ids: Sequence[str]) -> None:
        """Take votes out, before they change or go."""
        self._database.unindex(conn, ids)

    def _add(self, conn: Connection, times: dict[str, int]) -> None:
        texts = {row[0]: tuple(row)[1:] for row in self._texts.rows(conn, ids=self._database.list_param(list(times)))}
        places: dict[str, int] = {}
        taken: dict[int, int] = {}  # the last place of a millisecond
        for key, at in times.items():
            first = first_place(at)
            if first not in taken:
                last = self._last.rows(conn, first=first, end=first_place(at + 1_000))[0][0]
                taken[first] = first - 1 if last is None else last
            taken[first] += 1
            places[key] = taken[first]
        self._database.index(conn, {places[key]: folded(*texts[key]) for key in times})
        self._put.run(conn, [{"of": key, "at": place} for key, place in places.items()])
