"""What replicas counted of their clients' requests, added up."""

from collections import Counter, defaultdict
from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, delete, select

from canopy.store.auth.counted import Exchanged, SlotCount
from canopy.store.engine.database import CompiledStatement, Database
from canopy.store.tables import rate_counts


class RateCounts:
    """Writes in the writer's thread."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._add = database.bulk(
            rate_counts, (rate_counts.c.counter, rate_counts.c.slot), lambda new: {"n": rate_counts.c.n + new["n"]}
        )
        dialect = database.writer.dialect
        columns = (rate_counts.c.counter, rate_counts.c.slot, rate_counts.c.n)
        self._totals = CompiledStatement(
            select(*columns).where(database.member(rate_counts.c.counter, "counters")), dialect
        )
        self._forget = CompiledStatement(
            delete(rate_counts).where(rate_counts.c.expires_at < bindparam("now")), dialect
        )

    def exchange(self, conn: Connection, batches: Sequence[Sequence[SlotCount]]) -> list[Exchanged]:
        """Add what was counted, and tell the totals."""
        now = self._database.now(conn)
        told = [counted for batch in batches for counted in batch]
        if not told:
            return [Exchanged([], now)] * len(batches)
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
        counters = self._database.values(sorted({it.counter for it in told}))
        totals |= {(row.counter, row.slot): row.n for row in self._totals.rows(conn, counters=counters)}
        self._forget.run(conn, [{"now": int(now)}])
        return [
            Exchanged([(totals[it.counter, it.slot], totals[it.counter, it.slot - 1]) for it in batch], now)
            for batch in batches
        ]
