"""Work beside the requests that has to last as long as the process."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

_log = logging.getLogger(__name__)
_AFTER_A_FAILURE = 5.0  # seconds


async def lasting(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Do work that ends with the process; after an error that it doesn't know, again.

    Some of it keeps people out, such as those whose token was removed: it must not end unseen.
    """
    while True:
        try:
            return await work()
        except Exception:  # noqa: BLE001  # whatever it is; it is logged
            _log.exception("A background task failed, and begins again.")
        await asyncio.sleep(_AFTER_A_FAILURE)
