"""Hands out rows of which somebody is to be told, to one process at a time, and notes how telling ended.

Such a table has `due_at`, when to tell (microseconds; NULL: nobody, or no more), and `failures`. Whoever claims a row
has it for a while alone, so that a process that ends meanwhile loses nothing.
"""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, Table, and_, select, update

_AT_ONCE = 10  # rows that are claimed together


class DueRows:
    """Works on one table, in whatever thread calls."""

    def __init__(self, table: Table, clock: Callable[[], int]) -> None:
        self._table = table
        self._clock = clock

    def any(self, conn: Connection) -> bool:
        """Return whether something is due."""
        return conn.execute(self._due().limit(1)).first() is not None

    def claim(self, conn: Connection, lease: int) -> Sequence[Row[Any]]:
        """Take what is due, for `lease` microseconds in which nobody else gets it."""
        found = conn.execute(self._due().limit(_AT_ONCE)).all()
        for row in found:
            key = tuple(getattr(row, column.name) for column in self._table.primary_key)
            self._change(conn, key, due_at=self._clock() + lease)
        return found

    def settle(self, conn: Connection, key: Sequence[Any], due_at: int | None, failures: int) -> None:
        """Note when to tell again, None for never; `key` holds the primary key."""
        self._change(conn, key, due_at=due_at, failures=failures)

    def _due(self) -> Select[Any]:
        due_at = self._table.c.due_at
        return select(self._table).where(due_at <= self._clock()).order_by(due_at)

    def _change(self, conn: Connection, key: Sequence[Any], **values: int | None) -> None:
        same = and_(*(column == value for column, value in zip(self._table.primary_key, key, strict=True)))
        conn.execute(update(self._table).where(same).values(values))
