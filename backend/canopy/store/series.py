"""The ids of series, kept in memory by the writer."""

from typing import NamedTuple

from sqlalchemy import Connection, bindparam, insert, select

from canopy.store.database import Database, Prepared
from canopy.store.schema import series


class Labels(NamedTuple):
    """What the votes of one series share. `prompt_id` and `model` are empty where none is known."""

    feature: str
    name: str
    kind: str
    value: str
    sentiment: int
    prompt_id: str
    model: str


class SeriesIds:
    """Only for the writer's thread. `forget` after a rollback and after series were deleted."""

    def __init__(self, database: Database) -> None:
        labels = [series.c[name] for name in Labels._fields]
        self._find = Prepared(
            select(series.c.id).where(*(label == bindparam(label.name) for label in labels)), database.writer.dialect
        )
        self._ids: dict[Labels, int] = {}

    def id(self, conn: Connection, labels: Labels) -> int:
        """The id of the series with these labels; a new one if there is none."""
        known = self._ids.get(labels)
        if known is not None:
            return known
        found = self._find.rows(conn, **labels._asdict())
        if found:
            number: int = found[0].id
        else:
            number = conn.execute(insert(series).values(labels._asdict()).returning(series.c.id)).scalar_one()
        self._ids[labels] = number
        return number

    def forget(self) -> None:
        """Look everything up again."""
        self._ids.clear()
