"""Keeps what happened to experiments, each once: whoever records it first is the one who tells of it.

All writes go through the store's writer, which is the only one among all replicas at any moment, so that of several
replicas that see the same decision one alone records it.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, insert, select

from canopy.store.engine.executor import Executor, Facet, reads
from canopy.store.experiment_tables import experiment_news
from canopy.store.tables import experiments


class ExperimentNews(NamedTuple):
    """Names what happened to which experiment: a decision's status, or `stale`."""

    experiment_id: str
    what: str


class ExperimentNewsStore(Facet):
    """Records and reads news of experiments."""

    def __init__(self, executor: Executor, clock: Callable[[], int]) -> None:
        super().__init__(executor)
        self._clock = clock

    async def record(self, news: ExperimentNews) -> bool:
        """Store what happened; returns whether it is news: False where it is known, or the experiment is gone."""
        return await self._executor.write(self._record_each, news)

    @reads
    def known(self) -> set[ExperimentNews]:
        """Read all that happened: a few for each experiment."""
        n = experiment_news.c
        with self._database.reader.connect() as conn:
            return {ExperimentNews._make(row) for row in conn.execute(select(n.experiment_id, n.what))}

    def _record_each(self, conn: Connection, news: Sequence[ExperimentNews]) -> list[bool]:
        return [self._record(conn, it) for it in news]

    def _record(self, conn: Connection, news: ExperimentNews) -> bool:
        e, n = experiments.c, experiment_news.c
        its = select(n.what).where(n.experiment_id == news.experiment_id, n.what == news.what)
        there = select(e.id).where(e.id == news.experiment_id)
        if conn.execute(its).first() is not None or conn.execute(there).first() is None:
            return False
        conn.execute(insert(experiment_news).values(**news._asdict(), happened_at=self._clock(), failures=0))
        return True
