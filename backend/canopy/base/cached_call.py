"""An asynchronous call whose outcome is shared by all who ask within a moment."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any


class CachedCall[T]:
    """Makes the call at most once in `lifetime` seconds, and one at a time, however many ask.

    Whoever asks while a call is under way waits for that one. Its outcome, an exception too, stands until `lifetime`
    has passed since it began.
    """

    def __init__(self, call: Callable[[], Coroutine[Any, Any, T]], lifetime: float) -> None:
        self._call = call
        self._lifetime = lifetime
        self._latest: asyncio.Task[T] | None = None
        self._began = 0.0

    async def __call__(self) -> T:
        """The latest outcome."""
        now = time.monotonic()
        if self._latest is None or (self._latest.done() and now - self._began >= self._lifetime):
            self._latest, self._began = asyncio.create_task(self._call()), now
        return await asyncio.shield(self._latest)  # who stops waiting must not end it for the others
