"""Runs calls in the store's threads."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from canopy.base.errors import StoreError


def in_thread[R](threads: ThreadPoolExecutor, call: Callable[[], R]) -> asyncio.Future[R]:
    """Call in one of the threads. Raises StoreError after these were shut down."""
    try:
        return asyncio.get_running_loop().run_in_executor(threads, call)
    except RuntimeError as error:
        raise StoreError("The store is closed.") from error
