"""Finds the ids of series. The writer keeps those used last in memory."""

from collections import OrderedDict
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, insert, select

from canopy.store.engine.database import CompiledStatement, Database
from canopy.store.tables import series


class SeriesDimensions(NamedTuple):
    """Holds what the votes of one series share. `prompt_id` and `model` are empty where none is known."""

    feature: str
    name: str
    kind: str
    value: str
    sentiment: int
    prompt_id: str
    model: str


_KEPT = 4_096  # ids in memory; others are looked up again


class SeriesIds:
    """Finds and makes series in the writer's thread. Call `forget` after a rollback, and after series were deleted."""

    def __init__(self, database: Database) -> None:
        labels = [series.c[name] for name in SeriesDimensions._fields]
        self._find = CompiledStatement(
            select(series.c.id).where(*(label == bindparam(label.name) for label in labels)), database.writer.dialect
        )
        self._ids: OrderedDict[SeriesDimensions, int] = OrderedDict()

    def id(self, conn: Connection, labels: SeriesDimensions) -> int:
        """Return the id of the series with these labels; a new one if there is none."""
        known = self._ids.get(labels)
        if known is not None:
            self._ids.move_to_end(labels)
            return known
        found = self._find.rows(conn, **labels._asdict())
        if found:
            number: int = found[0].id
        else:
            number = conn.execute(insert(series).values(labels._asdict()).returning(series.c.id)).scalar_one()
        self._ids[labels] = number
        if len(self._ids) > _KEPT:
            self._ids.popitem(last=False)
        return number

    def forget(self) -> None:
        """Look everything up again."""
        self._ids.clear()
