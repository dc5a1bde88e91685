"""Limits concurrent generations, with a short queue in front, and shares both fairly among requesters."""

import asyncio
import math
from collections import Counter, deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from canopy.auth.requesters import Requester
from canopy.base.errors import Overloaded, RateLimited
from canopy.telemetry import Metrics

_SHARE = 4  # a known requester gets a quarter of the places and of the queue,
_LEAST = 2  # or this many where a quarter is less: a comparison takes two


@dataclass(eq=False, slots=True)
class _Waiter:
    """A request that waits for places, all of which it takes at once."""

    key: str
    places: int
    most: int  # places that this requester may hold
    admitted: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Admission:
    """Admits at most `limit` generations at once; up to `queue` more wait up to `timeout` seconds for a place.

    Requesters take turns, and each one's requests are served in order. A known requester gets at most a share of the
    places and of the queue, so that nobody keeps out all others.
    """

    def __init__(
        self, limit: int, queue: int, timeout: float, metrics: Metrics, per_requester: int | None = None
    ) -> None:
        """`per_requester` limits the places of one known requester; None: a quarter of all, but at least two."""
        self._limit = limit
        self._queue = queue
        self._timeout = timeout
        self._metrics = metrics
        self._most = min(limit, per_requester or _share(limit))
        self._free = limit
        self._held: Counter[str] = Counter()  # by requester, of those who hold any
        self._waiting: dict[str, deque[_Waiter]] = {}  # by requester, in the order of their turns

    @asynccontextmanager
    async def places(self, requester: Requester, wanted: int = 1) -> AsyncGenerator[None]:
        """Hold places for `wanted` generations, or for as many as the requester may ever have; all are taken at once.

        Raises Overloaded when the queue is full or the wait too long, and RateLimited when the requester's share is
        used up.
        """
        most = self._most if requester.known else self._limit
        waiter = _Waiter(requester.key, min(wanted, most), most)
        self._waiting.setdefault(waiter.key, deque()).append(waiter)
        self._serve()
        if not waiter.admitted.done():
            await self._wait(waiter, requester)
        try:
            yield
        finally:
            self._give_back(waiter)

    async def _wait(self, waiter: _Waiter, requester: Requester) -> None:
        try:
            self._check_queue(waiter, requester)
            self._metrics.generations.queued.set(self._queued)
            async with asyncio.timeout(self._timeout):
                await waiter.admitted
        except BaseException as error:
            if waiter.admitted.done() and not waiter.admitted.cancelled():  # it was admitted at the same moment
                self._give_back(waiter)
            else:
                self._leave(waiter)
            if isinstance(error, TimeoutError):
                raise self._too_long(waiter) from error
            raise
        finally:
            self._metrics.generations.queued.set(self._queued)

    @property
    def _queued(self) -> int:
        return sum(len(waiters) for waiters in self._waiting.values())

    def _check_queue(self, waiter: _Waiter, requester: Requester) -> None:
        if self._queued > self._queue:
            raise Overloaded("Too many answers are being written right now. Try again in a moment.", retry_after=2)
        own = len(self._waiting[waiter.key])
        if requester.known and own > _share(self._queue):
            raise RateLimited(
                f"You have {self._held[waiter.key]} answers under way and {own - 1} waiting, which is as many as one "
                "person may. Wait for one to end.",
                retry_after=2,
            )

    def _too_long(self, waiter: _Waiter) -> Overloaded | RateLimited:
        if self._held[waiter.key] + waiter.places > waiter.most:
            return RateLimited(
                f"You have {self._held[waiter.key]} answers under way, which is as many as one person may. "
                "Wait for one to end.",
                retry_after=5,
            )
        return Overloaded("All places at the model stayed taken. Try again in a moment.", retry_after=5)

    def _serve(self) -> None:
        """Admit waiting requests in turn while there are places."""
        while waiter := self._next():
            if waiter.places > self._free:  # it is next: places that it lacks must not go to those behind it
                return
            self._free -= waiter.places
            self._held[waiter.key] += waiter.places
            self._metrics.generations.in_flight.inc(waiter.places)
            waiter.admitted.set_result(None)
            self._leave(waiter, serve=False)
            if waiters := self._waiting.pop(waiter.key, None):
                self._waiting[waiter.key] = waiters  # the requester's next turn comes after everybody else's

    def _next(self) -> _Waiter | None:
        """Return the next request whose requester may hold the places that it wants; None if there is none."""
        return next(
            (
                waiters[0]
                for waiters in self._waiting.values()
                if not waiters[0].admitted.cancelled()  # cancelled, and about to be removed
                and self._held[waiters[0].key] + waiters[0].places <= waiters[0].most
            ),
            None,
        )

    def _leave(self, waiter: _Waiter, *, serve: bool = True) -> None:
        waiters = self._waiting[waiter.key]
        waiters.remove(waiter)
        if not waiters:
            del self._waiting[waiter.key]
        if serve:  # others may have waited behind it
            self._serve()

    def _give_back(self, waiter: _Waiter) -> None:
        self._free += waiter.places
        self._held[waiter.key] -= waiter.places
        if not self._held[waiter.key]:
            del self._held[waiter.key]
        self._metrics.generations.in_flight.dec(waiter.places)
        self._serve()


def _share(total: int) -> int:
    return max(_LEAST, math.ceil(total / _SHARE))
