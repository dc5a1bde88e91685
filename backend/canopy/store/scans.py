"""Reads whose cost grows with the table: two at once, for so long, and no longer than somebody waits for them."""

import asyncio
import functools
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from sqlalchemy import event

from canopy.errors import ScansBusy, ScanTimeout
from canopy.store.database import PLACES, Database
from canopy.store.threads import in_thread

PATIENCE = 5.0  # seconds that a search waits for a place


class _Stopped(Exception):  # noqa: N818  # no error: nobody waits for the scan that it ends
    """The scan was given up."""


class _Scan:
    """One scan: the driver's connection that it uses now, and whether it was given up."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()  # a connection that was given back may be another scan's by now
        self._connection: Any = None
        self._stopped = False

    def take(self, connection: Any) -> None:
        """Use a connection from now on; refused after the end."""
        with self._lock:
            if self._stopped:
                raise _Stopped
            self._connection = connection

    def give_back(self) -> None:
        """Use no connection."""
        with self._lock:
            self._connection = None

    def stop(self) -> None:
        """End the statement that runs now, and whatever would follow."""
        with self._lock:
            self._stopped = True
            if self._connection is not None:
                self._database.interrupt(self._connection)


class Scans:
    """Runs reads that take their connections from `Database.scanner`, in threads of their own."""

    def __init__(self, database: Database, timeout: float) -> None:
        """`timeout` is in seconds, for each scan."""
        self._database = database
        self._timeout = timeout
        self._places = asyncio.Semaphore(PLACES)
        self._threads = ThreadPoolExecutor(PLACES, thread_name_prefix="canopy-store-scan")
        self._current = threading.local()
        event.listen(database.scanner, "checkout", self._checked_out)
        event.listen(database.scanner, "checkin", self._checked_in)

    async def run[R](self, read: Callable[[], R], patience: float | None = PATIENCE) -> R:
        """Run a read. It ends with whoever waits for it, also inside a statement; its place is free when it has ended.

        Raises ScansBusy when no place is free within `patience` seconds (None: wait for as long as it takes) and
        ScanTimeout when the read takes longer than a scan may.
        """
        try:
            async with asyncio.timeout(patience):
                await self._places.acquire()
        except TimeoutError as error:
            raise ScansBusy(
                f"{PLACES} searches are running already. Please try again in a moment.", retry_after=5
            ) from error
        scan = _Scan(self._database)
        try:
            work = in_thread(self._threads, functools.partial(self._call, scan, read))
        except BaseException:
            self._places.release()
            raise
        work.add_done_callback(self._ended)
        try:
            async with asyncio.timeout(self._timeout):
                return await asyncio.shield(work)
        except TimeoutError as error:
            raise ScanTimeout(
                f"This takes longer than the {self._timeout:g} s that a search may take. Narrow it: a longer text in "
                "`q`, days with `since` and `until`, or a `feature`, a `rating` or a `prompt_id`."
            ) from error
        finally:
            if not work.done():
                asyncio.get_running_loop().run_in_executor(None, scan.stop)

    def close(self) -> None:
        """Run no more."""
        self._threads.shutdown()

    def _call[R](self, scan: _Scan, read: Callable[[], R]) -> R:
        self._current.scan = scan
        try:
            return read()
        finally:
            self._current.scan = None

    def _ended(self, work: asyncio.Future[Any]) -> None:
        self._places.release()
        if not work.cancelled():
            work.exception()  # of a scan that was given up; else whoever waits gets it as well

    def _checked_out(self, connection: Any, *_: object) -> None:
        scan = getattr(self._current, "scan", None)
        if scan is not None:
            scan.take(connection)

    def _checked_in(self, *_: object) -> None:
        scan = getattr(self._current, "scan", None)
        if scan is not None:
            scan.give_back()
