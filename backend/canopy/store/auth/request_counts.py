"""Adds up what all replicas counted of their clients' requests, for the rate limits."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, delete, select

from canopy.store.engine.database import CompiledStatement
from canopy.store.engine.executor import Executor, Facet
from canopy.store.tables import rate_counts


class SlotCount(NamedTuple):
    """Says what one replica counted in one slot of time, and when (in seconds) nobody needs it any more."""

    counter: str
    slot: int
    cost: int
    expires_at: int


class ExchangedCounts(NamedTuple):
    """Holds all replicas' totals, one pair for each count that was given: in its slot and in the slot before."""

    totals: list[tuple[int, int]]
    now: float  # seconds since the epoch, by the database's clock


class RequestCountStore(Facet):
    """Adds up counts of requests over all replicas."""

    def __init__(self, executor: Executor) -> None:
        super().__init__(executor)
        database = self._database
        self._add = database.bulk(
            rate_counts, (rate_counts.c.counter, rate_counts.c.slot), lambda new: {"n": rate_counts.c.n + new["n"]}
        )
        dialect = database.writer.dialect
        columns = (rate_counts.c.counter, rate_counts.c.slot, rate_counts.c.n)
        self._totals = CompiledStatement(
            select(*columns).where(database.in_list(rate_counts.c.counter, "counters")), dialect
        )
        self._forget = CompiledStatement(
            delete(rate_counts).where(rate_counts.c.expires_at < bindparam("now")), dialect
        )

    async def exchange(self, counts: Sequence[SlotCount]) -> ExchangedCounts:
        """Add what this replica counted, and return what all replicas together did."""
        return await self._executor.write(self._exchange, counts)

    def _exchange(self, conn: Connection, batches: Sequence[Sequence[SlotCount]]) -> list[ExchangedCounts]:
        now = self._database.now(conn)
        told = [counted for batch in batches for counted in batch]
        if not told:
            return [ExchangedCounts([], now)] * len(batches)
        costs: Counter[tuple[str, int, int]] = Counter()
        for it in told:
            costs[it.counter, it.slot, it.expires_at] += it.cost
        self._add.run(
            conn,
            [
                {"counter": counter, "slot": slot, "n": cost, "expires_at": expires_at}
                for (counter, slot, expires_at), cost in costs.items()
            ],
        )
        totals: defaultdict[tuple[str, int], int] = defaultdict(int)
        counters = self._database.list_param(sorted({it.counter for it in told}))
        totals |= {(row.counter, row.slot): row.n for row in self._totals.rows(conn, counters=counters)}
        self._forget.run(conn, [{"now": int(now)}])
        return [
            ExchangedCounts([(totals[it.counter, it.slot], totals[it.counter, it.slot - 1]) for it in batch], now)
            for batch in batches
        ]
