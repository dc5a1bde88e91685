"""Rate limits of requests per client."""

import asyncio
import math
import time
from collections.abc import Callable
from functools import lru_cache
from typing import Literal, NamedTuple

from canopy.auth.windows import Windows
from canopy.base.errors import RateLimited
from canopy.config.access import RateLimitValues

type RateLimitKind = Literal["summarize", "feedback", "read"]
"""Names the rate in the section `rate_limits` that counts a request; `summarize` counts those to all features."""

_SECONDS = {"second": 1, "minute": 60, "hour": 3_600, "day": 86_400}


class Limit(NamedTuple):
    """At most `number` within `seconds`."""

    number: int
    seconds: int


@lru_cache(maxsize=64)
def parse_rate(rate: str) -> Limit | None:
    """Parse a rate such as `60/minute`; None for the empty text, which sets no limit."""
    number, _, period = rate.partition("/")
    return Limit(int(number), _SECONDS[period]) if rate else None


class RateLimits:
    """Counts requests by kind and client in sliding windows; a client below its limit may ask.

    It belongs to the event loop. Replicas share their counts through the store (`canopy.auth.rate_limit_sync`).
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._offset = 0.0  # from this process's clock to the store's, which all replicas use
        self._windows: dict[str, Windows] = {}
        self.due = asyncio.Event()  # set while there are counts to share

    def count(self, kind: RateLimitKind, client: str, values: RateLimitValues) -> None:
        """Count a request. Raises RateLimited, without counting, when the client has reached the rate of its kind."""
        rate: str = getattr(values, kind)
        limit = parse_rate(rate)
        if limit is None:
            return
        if wait := self.wait(kind, client, limit):
            times = "once" if limit.number == 1 else f"{limit.number:,} times"
            period = rate.partition("/")[2]
            raise rate_limited(f"This may be asked {times} in a {period}.", wait)
        self.add(kind, client, limit)

    def wait(self, kind: str, client: str, limit: Limit) -> float:
        """Return the seconds until the client is below the limit, 0 when it is. Counts nothing."""
        return self.windows(kind, limit.seconds).wait(client, limit.number, self.now())

    def add(self, kind: str, client: str, limit: Limit, cost: int = 1) -> None:
        """Add a cost to the client's count without checking the limit, as for costs that are known only afterwards."""
        if self.windows(kind, limit.seconds).add(client, cost, limit.number, self.now()):
            self.due.set()

    def now(self) -> float:
        """Return seconds by the clock that all replicas use."""
        return self._clock() + self._offset

    def set_clock(self, now: float) -> None:
        """Adjust to the store's clock, which shows `now`."""
        self._offset = now - self._clock()

    def windows(self, kind: str, seconds: int) -> Windows:
        """Return the counts of a kind; new ones if the values changed its window's length."""
        found = self._windows.get(kind)
        if found is None or found.seconds != seconds:
            found = self._windows[kind] = Windows(seconds)
        return found

    def kinds(self) -> list[tuple[str, Windows]]:
        """Return every kind that is counted, with its windows."""
        return list(self._windows.items())


def rate_limited(reached: str, wait: float, advice: str = "") -> RateLimited:
    """Return the error for a limit that is `reached`, a sentence; it adds when to try again, and then `advice`."""
    seconds = math.floor(wait) + 1  # the first whole second after the wait
    return RateLimited(" ".join(filter(None, (reached, _try_again(wait, seconds), advice))), retry_after=seconds)


def _try_again(wait: float, rounded: int) -> str:
    for seconds, unit in ((3_600, "hour"), (60, "minute")):
        if wait > seconds:
            number = math.ceil(wait / seconds)
            return f"Try again in {number} {unit}s."
    return f"Try again in {rounded} second{'s' if rounded > 1 else ''}."
