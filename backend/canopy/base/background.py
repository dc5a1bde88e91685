"""Background work that lasts as long as the process."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
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
