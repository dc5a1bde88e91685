"""The distinct input texts of feedback, for the evaluation dataset."""

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Connection, select

from canopy.store.base import Filter
from canopy.store.database import Database
from canopy.store.filters import INPUT, WITH_TEXTS, Search, matching_series
from canopy.store.schema import feedback

_WINDOW = 2_000  # rows looked at in one transaction
_BATCH = 200  # texts handed on at once
_BATCH_CHARS = 500_000  # unless they are long


@dataclass(slots=True)
class Position:
    """How far a walk has come. `seen` is used by searches only; anything else needs the same memory at any length."""

    after: str = ""
    done: bool = False
    seen: set[str] = field(default_factory=set)


class Inputs:
    """Walks along the ids, which are in the order of the first votes. Each step reads in short transactions."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._texts = select(feedback.c.id, INPUT).select_from(WITH_TEXTS).where(database.member(feedback.c.id, "ids"))

    def step(self, where: Filter, position: Position) -> list[list[str]]:
        """Look at the next window; its distinct texts in batches."""
        with self._database.reader.connect() as conn:
            ids = matching_series(conn, where)
            if ids == []:
                position.done = True
                return []
            rows = self._window(conn, where, ids, position)
        return [self._read(batch) for batch in _by_size(rows)]

    def _window(self, conn: Connection, where: Filter, ids: list[int] | None, position: Position) -> list[Any]:
        f = feedback.c
        after = f.id > position.after
        edge = conn.execute(select(f.id).where(after).order_by(f.id).limit(1).offset(_WINDOW - 1)).scalar()
        conditions = [after, *_matching(feedback, where, f.series_id + 0, ids)]
        if edge is not None:
            conditions.append(f.id <= edge)
        columns = (f.id, f.input_length, f.input_digest)
        if where.search is None:
            statement = select(*columns).where(*conditions, ~_earlier(where, ids))
            rows: list[Any] = list(conn.execute(statement.order_by(f.id).limit(_BATCH)))
        else:
            search = Search.of(self._database, where.search)
            found = search.accepted(conn.execute(search.select(*columns).where(*conditions).order_by(f.id)).all())
            rows = []
            for row in found:
                if row.input_digest not in position.seen:
                    position.seen.add(row.input_digest)
                    rows.append(row)
        if where.search is None and len(rows) == _BATCH:
            position.after = rows[-1].id
        elif edge is not None:
            position.after = edge
        else:
            position.done = True
        return rows

    def _read(self, rows: list[Any]) -> list[str]:
        wanted = [row.id for row in rows]
        with self._database.reader.connect() as conn:
            found = conn.execute(self._texts, {"ids": self._database.values(wanted)}).all()
        texts: dict[str, str] = {row[0]: row[1] for row in found}
        return [texts[key] for key in wanted if key in texts]


def _matching(votes: Any, where: Filter, series_id: Any, ids: list[int] | None) -> list[ColumnElement[bool]]:
    """The filter, with additions of zero that keep planners from walking along another index than the one meant."""
    updated_at = votes.c.updated_at + 0
    conditions = []
    if ids is not None:
        conditions.append(series_id.in_(ids))
    if where.since is not None:
        conditions.append(updated_at >= where.since)
    if where.until is not None:
        conditions.append(updated_at < where.until)
    return conditions


def _earlier(where: Filter, ids: list[int] | None) -> ColumnElement[bool]:
    """Whether an earlier vote that matches is on the same text."""
    e, f = feedback.alias("earlier"), feedback.c
    same = select(e.c.id).where(
        e.c.input_digest == f.input_digest, e.c.id < f.id, *_matching(e, where, e.c.series_id, ids)
    )
    # The offset keeps PostgreSQL from turning this into a join with the whole table.
    return same.offset(0).correlate(feedback).exists()


def _by_size(rows: list[Any]) -> list[list[Any]]:
    batches: list[list[Any]] = []
    chars = 0
    for row in rows:
        if not batches or len(batches[-1]) >= _BATCH or chars + row.input_length > _BATCH_CHARS:
            batches.append([])
            chars = 0
        batches[-1].append(row)
        chars += row.input_length
    return batches
