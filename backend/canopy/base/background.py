"""Background work that lasts as long as the process."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

_log = logging.getLogger(__name__)
_AFTER_A_FAILURE = 5.0  # seconds until the next attempt


async def run_forever(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run `work` until it returns or is cancelled; log an unexpected error and start again.

    Some background work protects access, such as ending the sessions of removed tokens. It must not stop unnoticed.
    """
    while True:
        try:
            return await work()
        except Exception:  # noqa: BLE001  # logged below
            _log.exception("A background task failed, and begins again.")
        await asyncio.sleep(_AFTER_A_FAILURE)


class Alarm:
    """Lets work that looks again and again sleep between its looks, and wakes it before its time."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """End the sleep, or else the next one at its beginning."""
        self._rung.set()

    async def sleep(self, seconds: float) -> None:
        """Return after these seconds, or as soon as it has rung."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._rung.wait(), seconds)
        self._rung.clear()
