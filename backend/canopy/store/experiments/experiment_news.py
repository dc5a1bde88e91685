"""Keeps what happened to experiments, each once: whoever records it first is the one who tells of it.

What the webhook is to be told is due until it was told, or given up. Whoever claims it has it for a while alone, so
that a process that ends meanwhile loses nothing.

All writes go through the store's writer, which is the only one among all replicas at any moment, so that of several
replicas that see the same decision one alone records it.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, Update, insert, select, update

from canopy.store.engine.executor import Executor, Facet, reads
from canopy.store.experiment_tables import experiment_news
from canopy.store.tables import experiments

_AT_ONCE = 10  # news that are claimed together


class ExperimentNews(NamedTuple):
    """Names what happened to which experiment: a decision's status, or `stale`."""

    experiment_id: str
    what: str


class NewNews(NamedTuple):
    """Holds what happened, and whether the webhook is to be told."""

    news: ExperimentNews
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

    async def record(self, news: ExperimentNews, *, tell: bool = False) -> bool:
        """Store what happened; returns whether it is news: False where it is known, or the experiment is gone."""
        return await self._executor.write(self._record_each, NewNews(news, tell))

    async def claim(self, lease: int) -> list[DueNews]:
        """Take what is due, for `lease` microseconds in which nobody else gets it. Reads alone where nothing is."""
        return await self._executor.write(self._claim_each, lease) if await self._any_due() else []

    async def settle(self, told: ToldNews) -> None:
        """Store how telling ended."""
        await self._executor.write(self._settle_each, told)

    @reads
    def _any_due(self) -> bool:
        with self._database.reader.connect() as conn:
            return conn.execute(self._due().limit(1)).first() is not None

    @reads
    def known(self) -> set[ExperimentNews]:
        """Read all that happened: a few for each experiment."""
        n = experiment_news.c
        with self._database.reader.connect() as conn:
            return {ExperimentNews._make(row) for row in conn.execute(select(n.experiment_id, n.what))}

    def _due(self) -> Select[Any]:
        n = experiment_news.c
        return select(experiment_news).where(n.due_at <= self._clock()).order_by(n.due_at)

    def _record_each(self, conn: Connection, news: Sequence[NewNews]) -> list[bool]:
        return [self._record(conn, *it) for it in news]

    def _claim_each(self, conn: Connection, leases: Sequence[int]) -> list[list[DueNews]]:
        return [self._claim(conn, lease) for lease in leases]

    def _claim(self, conn: Connection, lease: int) -> list[DueNews]:
        found = [
            DueNews(ExperimentNews(row.experiment_id, row.what), row.happened_at, row.failures)
            for row in conn.execute(self._due().limit(_AT_ONCE))
        ]
        for it in found:
            conn.execute(_change(it.news).values(due_at=self._clock() + lease))
        return found

    def _settle_each(self, conn: Connection, told: Sequence[ToldNews]) -> list[None]:
        for it in told:
            conn.execute(_change(it.news).values(due_at=it.due_at, failures=it.failures))
        return [None] * len(told)

    def _record(self, conn: Connection, news: ExperimentNews, tell: bool) -> bool:
        e, n = experiments.c, experiment_news.c
        its = select(n.what).where(n.experiment_id == news.experiment_id, n.what == news.what)
        there = select(e.id).where(e.id == news.experiment_id)
        if conn.execute(its).first() is not None or conn.execute(there).first() is None:
            return False
        now = self._clock()
        row = {**news._asdict(), "happened_at": now, "due_at": now if tell else None, "failures": 0}
        conn.execute(insert(experiment_news).values(row))
        return True


def _change(news: ExperimentNews) -> Update:
    n = experiment_news.c
    return update(experiment_news).where(n.experiment_id == news.experiment_id, n.what == news.what)
