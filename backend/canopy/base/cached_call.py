"""An asynchronous call whose result is shared for a short time."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any


class CachedCall[T]:
    """Makes the call at most once in `lifetime` seconds and never twice at once.

    Callers that come while it runs await its result. The result, an exception too, is reused until `lifetime` seconds
    after the call began.
    """

    def __init__(self, call: Callable[[], Coroutine[Any, Any, T]], lifetime: float) -> None:
        self._call = call
        self._lifetime = lifetime
        self._latest: asyncio.Task[T] | None = None
        self._began = 0.0

    async def __call__(self, *, anew: bool = False) -> T:
        """Return the latest result. With `anew` it is that of a call that runs now, however young the one before is."""
        now = time.monotonic()
        if self._latest is None or (self._latest.done() and (anew or now - self._began >= self._lifetime)):
            self._latest, self._began = asyncio.create_task(self._call()), now
        return await asyncio.shield(self._latest)  # cancelling one caller must not cancel the others'
