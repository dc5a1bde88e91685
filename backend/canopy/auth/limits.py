"""How often each client may ask. Counted in memory, on each replica for itself."""

import math
import time
from functools import cache
from typing import Literal

from limits import RateLimitItem, parse
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter

from canopy.errors import RateLimited
from canopy.flags.access import RateLimitValues

type Kind = Literal["summarize", "feedback", "read"]


class RateLimits:
    """Counts requests by kind and client, in windows that slide."""

    def __init__(self) -> None:
        self._windows = SlidingWindowCounterRateLimiter(MemoryStorage())

    async def count(self, kind: Kind, client: str, values: RateLimitValues) -> None:
        """Count a request. Raises RateLimited, and doesn't count it, when the client has asked too often."""
        rate = getattr(values, kind)
        if not rate:
            return
        limit = _limit(rate)
        if await self._windows.hit(limit, kind, client):
            return
        reset, _ = await self._windows.get_window_stats(limit, kind, client)
        number, _, period = rate.partition("/")
        times = "once" if number == "1" else f"{int(number):,} times"
        raise RateLimited(
            f"This may be asked {times} in a {period}. Try again in a moment.",
            retry_after=max(1, math.ceil(reset - time.time())),
        )


@cache
def _limit(rate: str) -> RateLimitItem:
    return parse(rate)
