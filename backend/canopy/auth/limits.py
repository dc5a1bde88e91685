"""How often each client may ask, and how much it may have stored in a day."""

import asyncio
import math
import time
from collections.abc import Callable
from functools import lru_cache
from typing import Literal, NamedTuple

from canopy.auth.windows import Windows
from canopy.base.errors import RateLimited
from canopy.config.access import RateLimitValues

type Kind = Literal["summarize", "feedback", "read"]

_SECONDS = {"second": 1, "minute": 60, "hour": 3_600, "day": 86_400}


class Limit(NamedTuple):
    """At most `number` within `seconds`."""

    number: int
    seconds: int


@lru_cache(maxsize=64)
def parse_rate(rate: str) -> Limit | None:
    """A rate of the values, such as `60/minute`; None for the empty one, which sets no limit."""
    number, _, period = rate.partition("/")
    return Limit(int(number), _SECONDS[period]) if rate else None


class RateLimits:
    """Counts by kind and client, in windows that slide. A client may ask while its count is below the limit.

    Belongs to the event loop. What several replicas count comes together through the store (`canopy.auth.sharing`).
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._offset = 0.0  # from this process's clock to the one that all replicas go by
        self._windows: dict[str, Windows] = {}
        self.due = asyncio.Event()  # somebody's count is worth telling the store

    def hit(self, kind: str, client: str, rate: str, cost: int = 1) -> None:
        """Count a request. Raises RateLimited, and doesn't count it, when the client has asked too often."""
        limit = parse_rate(rate)
        if limit is None:
            return
        if wait := self.wait(kind, client, limit):
            times = "once" if limit.number == 1 else f"{limit.number:,} times"
            period = rate.partition("/")[2]
            raise RateLimited(f"This may be asked {times} in a {period}. {again(wait)}", retry_after=whole(wait))
        self.add(kind, client, limit, cost)

    def count(self, kind: Kind, client: str, values: RateLimitValues) -> None:
        """Count a request under the values' rate for its kind. Raises RateLimited as `hit` does."""
        self.hit(kind, client, getattr(values, kind))

    def wait(self, kind: str, client: str, limit: Limit) -> float:
        """Seconds until the client is below the limit; 0 when it is. Nothing is counted."""
        return self.windows(kind, limit.seconds).wait(client, limit.number, self.now())

    def add(self, kind: str, client: str, limit: Limit, cost: int = 1) -> None:
        """Count, whatever the limit: for what is known only after the fact."""
        if self.windows(kind, limit.seconds).add(client, cost, limit.number, self.now()):
            self.due.set()

    def now(self) -> float:
        """Seconds, by the clock that all replicas go by."""
        return self._clock() + self._offset

    def set_clock(self, now: float) -> None:
        """Go by the store's clock, which says this now."""
        self._offset = now - self._clock()

    def windows(self, kind: str, seconds: int) -> Windows:
        """The counts of a kind. They begin anew when the values change the length of its window."""
        found = self._windows.get(kind)
        if found is None or found.seconds != seconds:
            found = self._windows[kind] = Windows(seconds)
        return found

    def kinds(self) -> list[tuple[str, Windows]]:
        """Every kind that is counted."""
        return list(self._windows.items())


def whole(wait: float) -> int:
    """Seconds for `Retry-After`: the first whole one at which the wait is over."""
    return math.floor(wait) + 1


def again(wait: float) -> str:
    """When it is possible again, for people."""
    for seconds, unit in ((3_600, "hour"), (60, "minute")):
        if wait > seconds:
            number = math.ceil(wait / seconds)
            return f"Try again in {number} {unit}s."
    seconds = whole(wait)
    return f"Try again in {seconds} second{'s' if seconds > 1 else ''}."
