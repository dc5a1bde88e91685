"""Pages of feedback, newest first.

The cost of a page doesn't depend on the size of the table: with labels in the filter, the newest of each matching
series are read from the index and merged; without, the newest of all. A page ends where its texts are too many for
one answer; texts are read only when their lengths are known to fit.
"""

import functools
import itertools
import operator
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Connection, Engine, Select, case, func, select, tuple_, union_all

from canopy.store.base import Feedback, Filter, Generation, Page
from canopy.store.cursors import Place, decode_cursor, encode_cursor
from canopy.store.database import Database
from canopy.store.filters import INPUT, RESPONSE, matching_series, time_conditions
from canopy.store.schema import feedback, generations, prompts, series

PAGE_CHARS = 8_000_000  # of texts on a page
_TOGETHER = 100  # series in one statement; SQLite takes 500

TIME, ID = feedback.c.updated_at, feedback.c.id


class Pages:
    """Reads in whatever thread calls, with a connection for each transaction."""

    def __init__(self, database: Database, engine: Engine) -> None:
        """`engine` is the one of the database's engines to take connections from."""
        self._database = database
        self._engine = engine
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
        beside = (func.coalesce(func.length(text), 0) for text in (f.comment, g.messages, p.text))
        self._lengths = self._entries(
            {"id": f.id, "length": functools.reduce(operator.add, beside, f.input_length + f.response_length)}
        )
        self._generation = select(generations, p.text.label("prompt_text")).join_from(generations, prompts)
        self._prompts = select(prompts).where(database.member(p.prompt_id, "ids"))

    def page(self, where: Filter, limit: int, cursor: str | None, excerpt: int | None = None) -> Page:
        """Read one page; with `excerpt` so many characters of each text."""
        before = decode_cursor(cursor, "fb") if cursor is not None else None
        return self.shown(self.places(where, limit + 1, before), limit, excerpt)

    def shown(self, places: Sequence[Place], limit: int, excerpt: int | None, stopped: Place | None = None) -> Page:
        """The page that these places begin: the first `limit` of them, or as many as a page may be large.

        `stopped` is where to go on after the last of them.
        """
        fitting = self.fitting(places[:limit], excerpt)
        more = len(places) > len(fitting) > 0
        end = fitting[-1] if more else stopped
        following = None if end is None else encode_cursor(end)
        return Page(self.read(fitting, excerpt), following, None if more or stopped is None else stopped[0])

    def places(self, where: Filter, limit: int, before: Place | None) -> list[Place]:
        """The newest places that match, at most `limit` of them. Nothing is searched."""
        with self._engine.connect() as conn:
            ids = matching_series(conn, where)
            newest = ordered(select(TIME, ID).where(*time_conditions(where)), before).limit(limit)
            if ids is None:
                return [(row[0], row[1]) for row in conn.execute(newest)]
            if len(ids) > _TOGETHER:
                ids = self._with_newest(conn, where, ids, limit, before)
            places: list[Place] = []
            for together in itertools.batched(ids, _TOGETHER):
                parts = (select(newest.where(feedback.c.series_id == number).subquery()) for number in together)
                places += [(row[0], row[1]) for row in conn.execute(union_all(*parts))]
        return sorted(places, reverse=True)[:limit]

    def _with_newest(
        self, conn: Connection, where: Filter, ids: list[int], limit: int, before: Place | None
    ) -> list[int]:
        """The series in which the newest `limit` places of all these series are: one look into the index for each."""
        own = select(TIME).where(feedback.c.series_id == series.c.id, *time_conditions(where))
        head = ordered(own, before).limit(1).correlate(series).scalar_subquery().label("head")
        statement = select(series.c.id, head).where(self._database.member(series.c.id, "series"))
        rows = conn.execute(statement, {"series": self._database.values(ids)}).all()
        heads = sorted(((row.head, row.id) for row in rows if row.head is not None), reverse=True)
        if len(heads) > limit:
            oldest = heads[limit - 1][0]
            heads = [head for head in heads if head[0] >= oldest]
        return [number for _, number in heads]

    def fitting(self, places: Sequence[Place], excerpt: int | None) -> Sequence[Place]:
        """As many of these as a page may be large, by their lengths alone; at least one, and all where they are cut."""
        if excerpt is not None or not places:
            return places
        with self._engine.connect() as conn:
            rows = conn.execute(self._lengths, {"ids": self._database.values([key for _, key in places])}).all()
        lengths = {row.id: row.length for row in rows}
        total = 0
        for number, (_, key) in enumerate(places):
            total += lengths.get(key, 0)
            if number and total > PAGE_CHARS:
                return places[:number]
        return places

    def read(self, places: Sequence[Place], excerpt: int | None = None) -> list[Feedback]:
        """The feedback at these places; what was deleted since a place was read is left out."""
        statement = self._whole if excerpt is None else self._excerpts(excerpt)
        with self._engine.connect() as conn:
            rows = conn.execute(statement, {"ids": self._database.values([key for _, key in places])}).all()
        by_id = {row.id: _feedback(row) for row in rows}
        return [by_id[key] for _, key in places if key in by_id]

    def generation(self, generation_id: str) -> Generation | None:
        """Read one generation."""
        with self._engine.connect() as conn:
            row = conn.execute(self._generation.where(generations.c.id == generation_id)).first()
        if row is None:
            return None
        values = {name: getattr(row, name) for name in Generation.__dataclass_fields__}
        values["parameters"] = _json(row.parameters)
        values["messages"] = _json(row.messages)
        return Generation(**values)

    def prompt_texts(self, prompt_ids: list[str]) -> dict[str, str]:
        """The texts of prompts, by id."""
        with self._engine.connect() as conn:
            rows = conn.execute(self._prompts, {"ids": self._database.values(prompt_ids)}).all()
        return {row.prompt_id: row.text for row in rows}

    def _entries(self, columns: Mapping[str, ColumnElement[Any]]) -> Select[Any]:
        p, g = prompts.c, generations.c
        return (
            select(*(columns[name].label(name) for name in (Feedback._fields if "timestamp" in columns else columns)))
            .select_from(feedback.join(series).outerjoin(generations).outerjoin(prompts, p.prompt_id == g.prompt_id))
            .where(self._database.member(feedback.c.id, "ids"))
        )

    def _excerpts(self, chars: int) -> Select[Any]:
        """The beginnings of texts; a conversation, of which a beginning says little, whole where it is short."""
        cut = {name: func.substr(self._columns[name], 1, chars) for name in ("input_text", "response_text")}
        prompt = func.substr(self._columns["prompt_text"], 1, chars)
        messages = self._columns["messages"]
        short = case((func.length(messages) <= 2 * chars, messages))
        return self._entries({**self._columns, **cut, "prompt_text": prompt, "messages": short})


def ordered(statement: Select[Any], before: Place | None) -> Select[Any]:
    """Newest first, from a place on."""
    if before is not None:
        statement = statement.where(tuple_(TIME, ID) < tuple_(*before))
    return statement.order_by(TIME.desc(), ID.desc())


def _feedback(row: Any) -> Feedback:
    stored = Feedback._make(row)
    return stored._replace(reasons=_json(row.reasons), parameters=_json(row.parameters), messages=_json(row.messages))


def _json(stored: str | None) -> Any:
    return None if stored is None else orjson.loads(stored)
