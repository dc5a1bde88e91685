"""Shares rate-limit counts between replicas through the store, in the background."""

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable, Sequence

from canopy.auth.limits import RateLimits
from canopy.auth.windows import WindowCount, Windows
from canopy.base.errors import StoreError
from canopy.store.auth.request_counts import ExchangedCounts, SlotCount

_PAUSE = 0.2  # seconds between two exchanges; replicas may exceed a limit by the requests of that time
_AFTER_A_FAILURE = 5.0  # seconds
_MOST = 500  # clients in one exchange


class RateLimitSync:
    """Sends this replica's counts to the store and applies the totals of all replicas.

    No request waits for it. While the store fails, each replica uses its own counts.
    """

    def __init__(
        self,
        limits: RateLimits,
        exchange: Callable[[Sequence[SlotCount]], Awaitable[ExchangedCounts]],
    ) -> None:
        self._limits = limits
        self._exchange = exchange

    async def run(self) -> None:
        """Exchange whenever there are counts to share, until cancelled."""
        self._limits.set_clock(time.time())  # near the database's, so that what comes meanwhile isn't forgotten
        await self._share()  # to learn the database's clock
        while True:
            await self._limits.due.wait()
            await asyncio.sleep(_PAUSE)
            self._limits.due.clear()
            if not await self._share():
                await asyncio.sleep(_AFTER_A_FAILURE)

    async def _share(self) -> bool:
        due = [(kind, it, count) for kind, it in self._limits.kinds() for count in it.take_unshared(_MOST)]
        try:
            exchanged = await self._exchange([_counted(*it) for it in due])
        except StoreError:
            for _, windows, count in due:
                windows.put_back(count)
            self._limits.due.set()
            return False
        self._limits.set_clock(exchanged.now)
        for (_, windows, count), (total, before) in zip(due, exchanged.totals, strict=True):
            windows.apply_total(count, total, before)
        if len(due) >= _MOST:
            self._limits.due.set()
        return True


def _counted(kind: str, windows: Windows, count: WindowCount) -> SlotCount:
    # A digest, so that the database holds neither names nor addresses.
    client = hashlib.blake2b(count.client.encode(errors="surrogatepass"), digest_size=16).hexdigest()
    expires_at = (count.window + 2) * windows.seconds + 60
    return SlotCount(f"{kind}/{windows.seconds}/{client}", count.window, count.cost, expires_at)
