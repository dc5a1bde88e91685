"""The outbox as the event loop sees it: writes wait for their commit, reads for a reader."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from canopy.store.engine.writer import Writer
from canopy.store.outbox.deliveries import Backlog, Delivery, DeliveryResult, Waiting
from canopy.store.outbox.outbox import Outbox


class SqlDeliveries:
    """See `canopy.store.outbox.deliveries.Deliveries` for what each method promises."""

    def __init__(self, outbox: Outbox, writer: Writer, read: Callable[..., Awaitable[Any]]) -> None:
        self._outbox = outbox
        self._writer = writer
        self._read = read

    @property
    def on(self) -> bool:
        """Whether new feedback enters."""
        return self._outbox.on

    @on.setter
    def on(self, on: bool) -> None:
        self._outbox.on = on

    async def backlog(self) -> Backlog:
        """What waits now."""
        found: Backlog = await self._read(self._outbox.backlog)
        return found

    async def claim(self, limit: int, lease: int) -> list[Delivery]:
        """Take subjects that are due."""
        return await self._writer.submit(self._outbox.claim, (limit, lease))

    async def settle(self, settled: DeliveryResult) -> None:
        """Say how a delivery ended, also when the caller is cancelled meanwhile."""
        await asyncio.shield(asyncio.ensure_future(self._writer.submit(self._outbox.settle, settled, due=True)))

    async def waiting(self, limit: int, *, parked: bool) -> list[Waiting]:
        """What waits, or what is parked."""
        found: list[Waiting] = await self._read(self._outbox.waiting, limit, parked=parked)
        return found

    async def retry(self, subjects: Sequence[str] | None) -> int:
        """Make parked subjects due again."""
        return await self._writer.submit(self._outbox.retry, None if subjects is None else tuple(subjects))
