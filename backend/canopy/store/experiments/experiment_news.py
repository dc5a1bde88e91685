"""Keeps what happened to experiments and when it last did: whoever records it first is the one who tells of it.

What the webhook is to be told is due until it was told, or given up.

All writes go through the store's writer, which is the only one among all replicas at any moment, so that of several
replicas that see the same decision one alone records it.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, delete, insert, select

from canopy.store.engine.executor import Executor, Facet, reads
from canopy.store.experiment_tables import experiment_news
from canopy.store.experiments.due_rows import DueRows
from canopy.store.tables import experiments


class ExperimentNews(NamedTuple):
    """Names what happened to which experiment: a decision's status, `stale`, `paused` or `resumed`."""

    experiment_id: str
    what: str


class NewNews(NamedTuple):
    """Holds what happened, from when on that is news (microseconds), and whether the webhook is to be told."""

    news: ExperimentNews
    since: int
    tell: bool


class DueNews(NamedTuple):
    """Holds what the webhook is to be told now. The time is microseconds since the epoch."""

    news: ExperimentNews
    happened_at: int
    failures: int


class ToldNews(NamedTuple):
    """Says how telling ended: `due_at` is when to try again, None for never."""

    news: ExperimentNews
    due_at: int | None
    failures: int


class ExperimentNewsStore(Facet):
    """Records and reads news of experiments."""

    def __init__(self, executor: Executor, clock: Callable[[], int]) -> None:
        super().__init__(executor)
        self._clock = clock
        self._due = DueRows(experiment_news, clock)

    async def record(self, news: ExperimentNews, *, since: int = 0, tell: bool = False) -> bool:
        """Store what happened; returns whether it is news: False where it is known, or the experiment is gone.

        What is known from before `since` (microseconds) has happened again, and takes the place of that.
        """
        return await self._executor.write(self._record_each, NewNews(news, since, tell))

    async def claim(self, lease: int) -> list[DueNews]:
        """Take what is due, for `lease` microseconds in which nobody else gets it. Reads alone where nothing is."""
        return await self._executor.write(self._claim_each, lease) if await self._any_due() else []

    async def settle(self, told: ToldNews) -> None:
        """Store how telling ended."""
        await self._executor.write(self._settle_each, told)

    @reads
    def _any_due(self) -> bool:
        with self._database.reader.connect() as conn:
            return self._due.any(conn)

    @reads
    def known(self) -> dict[ExperimentNews, int]:
        """Read all that happened, and when it last did (microseconds): a few for each experiment."""
        n = experiment_news.c
        with self._database.reader.connect() as conn:
            rows = conn.execute(select(n.experiment_id, n.what, n.happened_at))
            return {ExperimentNews(row.experiment_id, row.what): row.happened_at for row in rows}

    def _record_each(self, conn: Connection, news: Sequence[NewNews]) -> list[bool]:
        return [self._record(conn, *it) for it in news]

    def _claim_each(self, conn: Connection, leases: Sequence[int]) -> list[list[DueNews]]:
        return [
            [
                DueNews(ExperimentNews(it.experiment_id, it.what), it.happened_at, it.failures)
                for it in self._due.claim(conn, lease)
            ]
            for lease in leases
        ]

    def _settle_each(self, conn: Connection, told: Sequence[ToldNews]) -> list[None]:
        for it in told:
            self._due.settle(conn, it.news, it.due_at, it.failures)
        return [None] * len(told)

    def _record(self, conn: Connection, news: ExperimentNews, since: int, tell: bool) -> bool:
        e, n = experiments.c, experiment_news.c
        its = (n.experiment_id == news.experiment_id) & (n.what == news.what)
        known = conn.execute(select(n.happened_at).where(its)).scalar()
        there = select(e.id).where(e.id == news.experiment_id)
        if (known is not None and known >= since) or conn.execute(there).first() is None:
            return False
        now = self._clock()
        row = {**news._asdict(), "happened_at": now, "due_at": now if tell else None, "failures": 0}
        if known is not None:
            conn.execute(delete(experiment_news).where(its))
        conn.execute(insert(experiment_news).values(row))
        return True
