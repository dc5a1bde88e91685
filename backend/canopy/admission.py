"""A bound on concurrent generations, with a short queue in front of it."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from canopy.errors import Overloaded
from canopy.telemetry import Metrics


class Admission:
    """At most `limit` generations at once; `queue` more wait up to `timeout` seconds for their turn, in order."""

    def __init__(self, limit: int, queue: int, timeout: float, metrics: Metrics) -> None:
        self._places = asyncio.Semaphore(limit)
        self._queue = queue
        self._timeout = timeout
        self._waiting = 0
        self._metrics = metrics

    @asynccontextmanager
    async def place(self) -> AsyncGenerator[None]:
        """Hold a place for one generation. Raises Overloaded when the queue is full or the wait too long."""
        if self._places.locked():
            await self._wait()
        else:
            await self._places.acquire()
        self._metrics.generations_in_flight.inc()
        try:
            yield
        finally:
            self._metrics.generations_in_flight.dec()
            self._places.release()

    async def _wait(self) -> None:
        if self._waiting >= self._queue:
            raise Overloaded("Too many summaries are being written right now. Try again in a moment.", retry_after=2)
        self._waiting += 1
        self._metrics.generations_queued.set(self._waiting)
        try:
            async with asyncio.timeout(self._timeout):
                await self._places.acquire()
        except TimeoutError as error:
            raise Overloaded("All places at the model stayed taken. Try again in a moment.", retry_after=5) from error
        finally:
            self._waiting -= 1
            self._metrics.generations_queued.set(self._waiting)
