"""Reads every ballot of an experiment in the order in which they were first cast, a page at a time."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import Any

from sqlalchemy import and_, bindparam, or_, select

from canopy.store.engine.executor import Executor, Facet
from canopy.store.experiments.experiment import CastBallot
from canopy.store.tables import comparisons

_EVER = 2**63 - 1  # microseconds
_PAGE = 25_000  # ballots that are read at once: for each page the database looks through the experiment's index


class BallotHistory(Facet):
    """Reads ballots for whoever counts them again."""

    def __init__(self, executor: Executor, catch_up: Callable[[], Awaitable[None]]) -> None:
        """`catch_up` marks the first ballots among those of former versions."""
        super().__init__(executor)
        self._catch_up = catch_up
        c = comparisons.c
        of_experiment = (c.experiment_id == bindparam("experiment"), c.preference.is_not(None))
        later = or_(
            c.voted_at > bindparam("after"), and_(c.voted_at == bindparam("after"), c.id > bindparam("after_id"))
        )
        # The ids come from the index of voters, which has the times, and the rows are read of one page alone. Every
        # ballot has a voter: to say so makes SQLite take that index.
        ids = (
            select(c.id)
            .where(*of_experiment, c.voter > "", c.voted_at <= bindparam("until"), later)
            .order_by(c.voted_at, c.id)
            .limit(bindparam("size"))
        )
        page = ids.subquery()
        columns = (
            c.id,
            c.voter,
            c.voted_at,
            c.updated_at,
            c.first_preference,
            c.preference,
            c.prompt_b_side,
            c.first_at,
        )
        self._page = select(*columns).join_from(page, comparisons, c.id == page.c.id).order_by(c.voted_at, c.id)
        other = comparisons.alias("earlier")
        earlier = select(other.c.id).where(
            other.c.experiment_id == c.experiment_id,
            other.c.voter == c.voter,
            other.c.preference.is_not(None),
            other.c.voted_at <= c.first_at,  # alone, so that it is a range of the index of voters
            or_(other.c.voted_at < c.first_at, other.c.id < c.id),
        )
        self._passed_over = select(c.voter).where(*of_experiment, c.first_at.is_not(None), earlier.exists())

    async def pages(
        self, experiment_id: str, until: int | None = None, size: int = _PAGE
    ) -> AsyncGenerator[list[CastBallot]]:
        """Yield the ballots, `size` at a time; with `until` (microseconds) those that were first cast until then."""
        await self._catch_up()
        place = {"after": -1, "after_id": ""}
        latest = _EVER if until is None else until
        while True:
            rows = await self._executor.read(
                self._rows, self._page, {"experiment": experiment_id, "until": latest, "size": size, **place}
            )
            if rows:
                yield [CastBallot._make((*row[:7], row.first_at is not None)) for row in rows]
            if len(rows) < size:
                return
            place = {"after": rows[-1].voted_at, "after_id": rows[-1].id}

    async def voters_with_earlier_ballots(self, experiment_id: str) -> frozenset[str]:
        """Return the voters who have ballots from before the one that is counted as their first.

        There is hardly ever one: clocks of replicas that differ can make it so, and a former version in a rollout.
        """
        await self._catch_up()
        rows = await self._executor.read(self._rows, self._passed_over, {"experiment": experiment_id})
        return frozenset(row.voter for row in rows)

    def _rows(self, statement: Any, parameters: dict[str, Any]) -> Sequence[Any]:
        with self._database.reader.connect() as conn:
            return conn.execute(statement, parameters).all()
