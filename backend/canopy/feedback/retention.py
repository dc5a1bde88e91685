"""Deletes records older than the retention, and pauses if the clock seems wrong: deleting can't be undone."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict

from canopy.base.errors import StoreError
from canopy.store.feedback.query import Filter
from canopy.store.store import Store
from canopy.telemetry import Telemetry
from canopy.telemetry.store_events import RecordsDeleted, RetentionPostponed

_INTERVAL = 3_600.0  # seconds between two deletions
_DAY = 86_400


class Retention:
    """Deletes old records once an hour, by the database's clock.

    A wrong clock may be years ahead, on one node or after a resume. So if the database's time is more than a day ahead
    of the expected time, one deletion is skipped. The expected time is that of the last deletion plus the time since
    then; before the first deletion it is the newest vote's. If the time is still ahead an hour later it is right: the
    process was suspended, or nobody voted.
    """

    def __init__(
        self, store: Store, telemetry: Telemetry, days: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._store = store
        self._telemetry = telemetry
        self._days = days
        self._clock = clock
        self._last: tuple[float, float] | None = None  # the database's seconds and the process's, at the last deletion
        self._postponed = False

    async def run(self) -> None:
        """Delete until cancelled. With 0 days nothing is deleted."""
        while self._days:
            with suppress(StoreError):  # which the store has logged
                await self.delete_expired()
            await asyncio.sleep(_INTERVAL)

    async def delete_expired(self) -> None:
        """Delete records older than the retention, unless the database's time is unexpected. Raises StoreError."""
        now = (await self._store.request_counts.exchange([])).now
        ahead = now - await self._expected(now)
        if ahead > _DAY and not self._postponed:
            self._postponed = True
            self._telemetry.emit(RetentionPostponed(round(ahead / _DAY, 1)))
            return
        self._postponed = False
        self._last = now, self._clock()
        counts = asdict(await self._store.deletion.prune(round((now - self._days * _DAY) * 1e6)))
        if any(counts.values()):
            self._telemetry.emit(RecordsDeleted(**counts))

    async def _expected(self, now: float) -> float:
        """Return the expected time, in seconds since the epoch; `now` if the store has no vote."""
        if self._last is not None:
            then, seen = self._last
            return then + self._clock() - seen
        page = await self._store.feedback.page(Filter(source="any"), 1, None, excerpt=1)
        return page.feedback[0].timestamp / 1e6 if page.feedback else now
