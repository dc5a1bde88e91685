"""Pages of feedback, newest first.

The cost of a page doesn't depend on the size of the table: with labels in the filter, the newest of each matching
series are read from the index and merged; without, the newest of all. A search scans, a window in each transaction;
so do votes on what a judge gave a certain label.
"""

from collections.abc import Sequence
from typing import Any

import orjson
from sqlalchemy import (
    Connection,
    Select,
    func,
    select,
    text,
    tuple_,
    union_all,
)

from canopy.store.base import Feedback, Filter, Generation, Page
from canopy.store.cursors import Place, decode_cursor, encode_cursor
from canopy.store.database import Database
from canopy.store.filters import INPUT, RESPONSE, Search, labelled, matching_series, time_conditions
from canopy.store.schema import feedback, generations, prompts, series

WINDOW = 500  # rows that a search looks at in one transaction
_TOGETHER = 100  # series in one statement; SQLite takes 500

_TIME, _ID = feedback.c.updated_at, feedback.c.id


class Pages:
    """Reads in whatever thread calls, with a connection for each transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database
        f, g, s, p = feedback.c, generations.c, series.c, prompts.c
        columns = {
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
        self._whole = (
            select(*(columns[name].label(name) for name in Feedback._fields))
            .select_from(feedback.join(series).outerjoin(generations).outerjoin(prompts, p.prompt_id == g.prompt_id))
            .where(database.member(f.id, "ids"))
        )
        self._generation = select(generations, p.text.label("prompt_text")).join_from(generations, prompts)
        self._prompts = select(prompts).where(database.member(p.prompt_id, "ids"))

    def page(self, where: Filter, limit: int, cursor: str | None) -> Page:
        """Read one page."""
        before = decode_cursor(cursor, "fb") if cursor is not None else None
        places = self.places(where, limit + 1, before)
        shown = places[:limit]
        return Page(self.read(shown), encode_cursor(shown[-1]) if len(places) > limit and shown else None)

    def places(self, where: Filter, limit: int, before: Place | None) -> list[Place]:
        """The newest places that match, at most `limit` of them."""
        with self._database.reader.connect() as conn:
            ids = matching_series(conn, where)
            if not scans(where):
                return self._newest(conn, where, ids, limit, before)
        found: list[Place] = []
        end = before
        while len(found) < limit and ids != []:
            start, rows = self.window(where, ids, end)
            found += rows
            if start is None:
                break
            end = start
        return found[:limit]

    def window(self, where: Filter, ids: list[int] | None, before: Place | None) -> tuple[Place | None, list[Place]]:
        """Search the next window of rows: where the next one begins (None: this was the last) and what was found."""
        search = Search.of(self._database, where.search)
        with self._database.reader.connect() as conn:
            times = time_conditions(where)
            edge = conn.execute(_ordered(select(_TIME, _ID).where(*times), before).limit(1).offset(WINDOW - 1)).first()
            statement = _ordered(search.select(_TIME, _ID).where(*times), before)
            if edge is not None:
                statement = statement.where(tuple_(_TIME, _ID) >= tuple_(edge[0], edge[1]))
            if ids is not None:
                statement = statement.where(feedback.c.series_id.in_(ids))
            if where.label is not None:
                statement = statement.where(labelled(conn, where.label))
            rows = conn.execute(statement).all()
        found = [(row.updated_at, row.id) for row in search.accepted(rows)]
        return (None if edge is None else (edge[0], edge[1])), found

    def _newest(
        self, conn: Connection, where: Filter, ids: list[int] | None, limit: int, before: Place | None
    ) -> list[Place]:
        wanted = _ordered(select(_TIME, _ID).where(*time_conditions(where)), before).limit(limit)
        if ids is None:
            return [(row[0], row[1]) for row in conn.execute(wanted)]
        places: list[Place] = []
        for start in range(0, len(ids), _TOGETHER):
            together = ids[start : start + _TOGETHER]
            parts = (select(wanted.where(feedback.c.series_id == number).subquery()) for number in together)
            places += [(row[0], row[1]) for row in conn.execute(union_all(*parts))]
        return sorted(places, reverse=True)[:limit]

    def read(self, places: Sequence[Place]) -> list[Feedback]:
        """The feedback at these places; what was deleted since a place was read is left out."""
        with self._database.reader.connect() as conn:
            rows = conn.execute(self._whole, {"ids": self._database.values([key for _, key in places])}).all()
        by_id = {row.id: _feedback(row) for row in rows}
        return [by_id[key] for _, key in places if key in by_id]

    def generation(self, generation_id: str) -> Generation | None:
        """Read one generation."""
        with self._database.reader.connect() as conn:
            row = conn.execute(self._generation.where(generations.c.id == generation_id)).first()
        if row is None:
            return None
        values = {name: getattr(row, name) for name in Generation.__dataclass_fields__}
        values["parameters"] = _json(row.parameters)
        values["messages"] = _json(row.messages)
        return Generation(**values)

    def prompt_texts(self, prompt_ids: list[str]) -> dict[str, str]:
        """The texts of prompts, by id."""
        with self._database.reader.connect() as conn:
            rows = conn.execute(self._prompts, {"ids": self._database.values(prompt_ids)}).all()
        return {row.prompt_id: row.text for row in rows}

    def ping(self) -> None:
        """Return when the database answers."""
        with self._database.reader.connect() as conn:
            # A table's page, not a constant: a database file that is gone or broken must not look alive.
            conn.execute(text("SELECT version_num FROM alembic_version"))


def scans(where: Filter) -> bool:
    """Whether no index leads to what matches."""
    return where.search is not None or where.label is not None


def _ordered(statement: Select[Any], before: Place | None) -> Select[Any]:
    if before is not None:
        statement = statement.where(tuple_(_TIME, _ID) < tuple_(*before))
    return statement.order_by(_TIME.desc(), _ID.desc())


def _feedback(row: Any) -> Feedback:
    stored = Feedback._make(row)
    return stored._replace(reasons=_json(row.reasons), parameters=_json(row.parameters), messages=_json(row.messages))


def _json(stored: str | None) -> Any:
    return None if stored is None else orjson.loads(stored)
