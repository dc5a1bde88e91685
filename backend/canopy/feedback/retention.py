"""Deletion of what is older than the retention, which believes no clock at once: what is deleted is gone."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict

from canopy.base.errors import StoreError
from canopy.store.feedback.query import Filter
from canopy.store.store import Store
from canopy.telemetry import Telemetry
from canopy.telemetry.events import RecordsDeleted, RetentionPostponed

_EVERY = 3_600.0  # seconds between two deletions
_DAY = 86_400


class Retention:
    """Deletes once an hour, by the database's clock.

    A clock that is wrong may be years ahead, on one node or after a resume. Where it is more than a day ahead of what
    the last look lets expect, at the first look of the newest vote, nothing is deleted until it still is an hour later:
    by then it has been set right, or it is right and the store was quiet.
    """

    def __init__(
        self, store: Store, telemetry: Telemetry, days: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._store = store
        self._telemetry = telemetry
        self._days = days
        self._clock = clock
        self._last: tuple[float, float] | None = None  # the database's time and the process's, at the last deletion
        self._doubted = False

    async def run(self) -> None:
        """Delete until cancelled; 0 days keep everything."""
        while self._days:
            with suppress(StoreError):  # of which the store has told
                await self.look()
            await asyncio.sleep(_EVERY)

    async def look(self) -> None:
        """Delete what is old by now, unless the time is in doubt. Raises StoreError."""
        now = (await self._store.request_counts.exchange([])).now
        ahead = now - await self._expected(now)
        if ahead > _DAY and not self._doubted:
            self._doubted = True
            self._telemetry.emit(RetentionPostponed(round(ahead / _DAY, 1)))
            return
        self._doubted = False
        self._last = now, self._clock()
        counts = asdict(await self._store.deletion.prune(round((now - self._days * _DAY) * 1e6)))
        if any(counts.values()):
            self._telemetry.emit(RecordsDeleted(**counts))

    async def _expected(self, now: float) -> float:
        """Return the earliest time that it can be now."""
        if self._last is not None:
            then, seen = self._last
            return then + self._clock() - seen
        page = await self._store.feedback.page(Filter(source="any"), 1, None, excerpt=1)
        return page.feedback[0].timestamp / 1e6 if page.feedback else now
