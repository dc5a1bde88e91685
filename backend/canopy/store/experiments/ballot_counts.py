"""Keeps the hourly counts of ballots, and which ballot is its voter's first, in the transaction that changes ballots.

They are kept by the hour, so that any stretch of time can be counted, and once more in rows that stay few: of ballots
in force without a time, of first ones by the day.

Each comparison says in `counted` and `counted_at` what was counted of its ballot. Where that isn't the ballot in force,
a version from before the counts has written it, and `settle` catches up.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, delete, select, update

from canopy.store.engine.database import CompiledStatement, Database
from canopy.store.feedback.hourly_counts import DAY, hour_of
from canopy.store.tables import ballot_counts, comparisons, uncounted

IN_FORCE, FIRST, EVER, FIRST_BY_DAY = range(4)  # values of `of_first`; EVER: in force, the time is 0
_TOGETHER = 500  # ballots that are caught up with at once, so that no vote waits long


class _Key(NamedTuple):
    experiment_id: str
    of_first: int
    hour: int
    preference: str
    prompt_b_side: str


class BallotCounter:
    """Counts in the writer's thread."""

    def __init__(self, database: Database) -> None:
        c, n = comparisons.c, ballot_counts.c
        dialect = database.writer.dialect
        key = [n[name] for name in _Key._fields]
        self._add = database.bulk(ballot_counts, key, lambda new: {"n": n.n + new.n})
        same = [column == bindparam(column.name) for column in key]
        self._drop = CompiledStatement(delete(ballot_counts).where(*same, n.n == 0), dialect)
        of_voter = (
            c.experiment_id == bindparam("experiment"),
            c.voter == bindparam("of_voter"),
            c.preference.is_not(None),
        )
        firsts = select(c.id, c.experiment_id, c.voted_at, c.first_preference, c.prompt_b_side, c.first_at)
        by_time = (c.voted_at, c.id)
        self._earliest = CompiledStatement(firsts.where(*of_voter).order_by(*by_time).limit(1), dialect)
        self._marked = CompiledStatement(
            firsts.where(*of_voter, c.first_at.is_not(None)).order_by(*by_time).limit(1), dialect
        )
        self._mark = CompiledStatement(
            update(comparisons)
            .where(c.id == bindparam("wanted"))
            .values({name: bindparam(name) for name in ("counted", "counted_at", "first_at")}),
            dialect,
        )
        self._mark_first = CompiledStatement(
            update(comparisons).where(c.id == bindparam("wanted")).values(first_at=bindparam("first_at")), dialect
        )
        columns = (
            c.id,
            c.experiment_id,
            c.voter,
            c.prompt_b_side,
            c.preference,
            c.updated_at,
            c.first_preference,
            c.voted_at,
            c.counted,
            c.counted_at,
            c.first_at,
        )
        self.columns = columns  # what `remove` needs of a comparison
        self._uncounted = CompiledStatement(
            select(*columns).where(uncounted).order_by(c.voted_at, c.id).limit(_TOGETHER), dialect
        )

    def first_at(self, conn: Connection, row: Any, voter: str, voted_at: int) -> int | None:
        """Return `voted_at` if a comparison's ballot, new or not counted yet, is the first of its voter, else None.

        Of one that is counted it is what the row says.
        """
        if row.first_at is not None or row.counted is not None:
            first_at: int | None = row.first_at
            return first_at
        of_voter = {"experiment": row.experiment_id, "of_voter": voter}
        earliest = self._earliest.rows(conn, **of_voter)
        if earliest and (earliest[0].id != row.id or self._marked.rows(conn, **of_voter)):
            return None
        return voted_at

    def change(self, conn: Connection, row: Any, after: dict[str, Any]) -> None:
        """Count a ballot in a comparison's row. `after` are the columns that the row will have, those here too."""
        differences = _counted(row, -1)
        _add_in_force(differences, row, after["counted_at"], after["counted"], 1)
        if after["first_at"] is not None and row.first_at is None:
            _add_first(differences, row, after["first_at"], after["first_preference"], 1)
        self._apply(conn, differences)

    def remove(self, conn: Connection, rows: Sequence[Any]) -> None:
        """Take deleted comparisons out of the counts. A voter's next ballot becomes the first."""
        differences: Counter[_Key] = Counter()
        bereft: dict[tuple[str, str], None] = {}
        for row in rows:
            differences.update(_counted(row, -1))
            if row.first_at is not None:
                _add_first(differences, row, row.first_at, row.first_preference, -1)
                bereft[row.experiment_id, row.voter] = None
        for experiment_id, voter in bereft:
            for heir in self._earliest.rows(conn, experiment=experiment_id, of_voter=voter):
                if heir.first_at is None:
                    self._mark_first.run(conn, [{"wanted": heir.id, "first_at": heir.voted_at}])
                    _add_first(differences, heir, heir.voted_at, heir.first_preference, 1)
        self._apply(conn, differences)

    def settle(self, conn: Connection, asked: Sequence[None]) -> list[bool]:
        """Count some ballots that a version from before the counts has written. Returns whether there may be more."""
        rows = self._uncounted.rows(conn)
        for row in rows:
            first_at = self.first_at(conn, row, row.voter, row.voted_at)
            after = {"counted": row.preference, "counted_at": row.updated_at, "first_at": first_at}
            self.change(conn, row, {**after, "first_preference": row.first_preference})
            self._mark.run(conn, [{"wanted": row.id, **after}])
        return [len(rows) == _TOGETHER] * len(asked)

    def _apply(self, conn: Connection, differences: Counter[_Key]) -> None:
        rows = [{**key._asdict(), "n": n} for key, n in sorted(differences.items()) if n]
        if rows:
            self._add.run(conn, rows)
        fallen = [{name: row[name] for name in _Key._fields} for row in rows if row["n"] < 0]
        if fallen:
            self._drop.run(conn, fallen)


def _add_in_force(differences: Counter[_Key], row: Any, at: int, preference: str, n: int) -> None:
    for of_first, time in ((IN_FORCE, hour_of(at)), (EVER, 0)):
        differences[_Key(row.experiment_id, of_first, time, preference, row.prompt_b_side)] += n


def _add_first(differences: Counter[_Key], row: Any, at: int, preference: str, n: int) -> None:
    for of_first, time in ((FIRST, hour_of(at)), (FIRST_BY_DAY, at - at % DAY)):
        differences[_Key(row.experiment_id, of_first, time, preference, row.prompt_b_side)] += n


def _counted(row: Any, n: int) -> Counter[_Key]:
    """Return what was counted of a comparison's ballot in force, `n` times."""
    differences: Counter[_Key] = Counter()
    if row.counted is not None:
        _add_in_force(differences, row, row.counted_at, row.counted, n)
    return differences
