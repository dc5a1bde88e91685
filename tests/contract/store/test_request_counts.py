"""What several replicas count of one client comes together in the store."""

import asyncio
from collections.abc import Sequence

from canopy.auth.limits import Limit, RateLimits
from canopy.auth.rate_limit_sync import RateLimitSync
from canopy.base.errors import StoreError
from canopy.store.auth.request_counts import ExchangedCounts, SlotCount
from canopy.store.opening import open_store
from canopy.store.store import Store


class Exchanges:
    """The exchanges of a replica with its store, and how many there were."""

    def __init__(self, store: Store) -> None:
        self.number = 0
        self._store = store

    async def exchange(self, counted: Sequence[SlotCount]) -> ExchangedCounts:
        found = await self._store.request_counts.exchange(counted)
        self.number += 1  # and before anybody else's turn, the replica takes in what it found
        return found

    async def more_than(self, number: int) -> None:
        async with asyncio.timeout(20):
            while self.number <= number:
                await asyncio.sleep(0.01)


async def test_counts_of_all_replicas_are_added_up_and_forgotten_when_they_are_over(store: Store) -> None:
    now = (await store.request_counts.exchange([])).now
    later = int(now) + 600
    told = [
        SlotCount("read/60/a", 8, 2, later),
        SlotCount("read/60/b", 8, 7, later),
        SlotCount("read/60/a", 7, 1, later),
    ]
    assert (await store.request_counts.exchange(told)).totals == [(2, 1), (7, 0), (1, 0)]
    both = await asyncio.gather(
        *(store.request_counts.exchange([SlotCount("read/60/a", 8, 5, later)]) for _ in range(2))
    )
    assert {it.totals[0] for it in both} <= {(7, 1), (12, 1)}
    assert (await store.request_counts.exchange([SlotCount("read/60/a", 8, 0, later)])).totals == [(12, 1)]
    over = int(now) - 1
    assert (await store.request_counts.exchange([SlotCount("read/60/c", 8, 3, over)])).totals == [(3, 0)]
    assert (await store.request_counts.exchange([SlotCount("read/60/c", 8, 4, later)])).totals == [(4, 0)]


async def test_a_client_that_goes_from_replica_to_replica_has_one_limit(store_url: str) -> None:
    """On SQLite the second replica is the next process: counts survive a restart."""
    limit = Limit(10, 86_400)
    failures: list[StoreError] = []
    allowed = 0
    for _ in range(3):
        store = open_store(store_url, on_failure=failures.append)
        await store.start()
        limits, exchanges = RateLimits(), Exchanges(store)
        sharing = asyncio.create_task(RateLimitSync(limits, exchanges.exchange).run())
        await exchanges.more_than(0)
        for _ in range(20):
            if not limits.wait("read", "user:ana", limit):
                before = exchanges.number
                limits.add("read", "user:ana", limit)
                allowed += 1
                await exchanges.more_than(before)
        sharing.cancel()
        await store.close()
    assert failures == []
    assert 10 <= allowed <= 12  # each replica learns with the first request that it counts itself


async def test_what_a_replica_counts_before_it_knows_the_stores_clock_counts_on(store: Store) -> None:
    """The clocks of a process and of a database begin anywhere, and the first requests don't wait for either."""
    limits, limit = RateLimits(), Limit(3, 86_400)
    counted = asyncio.Event()

    async def exchange(counts: Sequence[SlotCount]) -> ExchangedCounts:
        await counted.wait()
        return await store.request_counts.exchange(counts)

    sharing = asyncio.create_task(RateLimitSync(limits, exchange).run())
    await asyncio.sleep(0)
    limits.add("read", "user:ana", limit, cost=6)
    counted.set()
    async with asyncio.timeout(20):
        while limits.due.is_set():  # cleared for the second exchange
            await asyncio.sleep(0.01)
    assert limits.wait("read", "user:ana", limit) > 0
    sharing.cancel()


async def test_while_the_store_is_away_each_replica_goes_on_by_its_own_counts(store_url: str) -> None:
    failures: list[StoreError] = []
    store = open_store(store_url, on_failure=failures.append)  # never started
    limits, limit = RateLimits(), Limit(3, 86_400)
    sharing = asyncio.create_task(RateLimitSync(limits, store.request_counts.exchange).run())
    allowed = 0
    for failed in (1, 2):  # the exchange that replicas begin with, and the first one that has counts to share
        async with asyncio.timeout(20):
            while len(failures) < failed:
                await asyncio.sleep(0.01)
        for _ in range(4):
            if not limits.wait("read", "user:ana", limit):
                limits.add("read", "user:ana", limit)
                allowed += 1
    sharing.cancel()
    assert allowed == 3
