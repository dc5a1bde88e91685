"""Runs reads whose cost grows with the table: two at once, for a limited time, and only while somebody waits."""

import asyncio
import functools
import threading
import time
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event
from sqlalchemy.exc import DBAPIError

from canopy.base.errors import ScansBusy, ScanTimeout
from canopy.store.engine.database import SCANS_AT_ONCE, Database
from canopy.store.engine.threads import in_thread

PATIENCE = 5.0  # seconds that a search waits for a place
_CUT = 0.75  # of its time, after which a scan is cut short; the rest is for its end
_AGAIN = 0.05  # seconds after which a scan that goes on is interrupted again, and then twice as many each time


class _Stopped(Exception):  # noqa: N818  # no error: nobody waits for the scan that it ends
    """The scan was given up."""


class _Cut(Exception):  # noqa: N818  # no error: the scan has something to answer with
    """The scan was cut short."""


class _Scan:
    """Knows of one scan when it began, which connection it uses now, and whether it was cut short or given up."""

    def __init__(self, database: Database, began: float) -> None:
        self.began = began
        self._database = database
        self._lock = threading.Lock()  # a connection that was given back may be another scan's by now
        self._connection: Any = None
        self._stopped = self._cut = self._cuttable = False

    def take(self, connection: Any) -> None:
        """Use a connection from now on; refused after the end."""
        with self._lock:
            if self._stopped:
                raise _Stopped
            if self._cut:
                raise _Cut
            self._connection = connection

    def give_back(self) -> None:
        """Use no connection."""
        with self._lock:
            self._connection = None

    def stop(self) -> None:
        """End the statement that runs now, and whatever would follow."""
        with self._lock:
            self._stopped = True
            self._interrupt()

    def cut(self) -> None:
        """End the statement that runs now, if what it is part of may be cut short."""
        with self._lock:
            if self._cuttable:
                self._cut = True
                self._interrupt()

    @contextmanager
    def cutting(self) -> Generator[None]:
        """Let `cut` end what runs within this context, without an error."""
        with self._lock:
            self._cuttable = True
        try:
            yield
        except (_Cut, DBAPIError):
            if not self._cut:
                raise
        finally:
            with self._lock:
                self._cut = self._cuttable = False

    def _interrupt(self) -> None:
        if self._connection is not None:
            self._database.interrupt(self._connection)


class Scans:
    """Runs reads that take their connections from `Database.scanner`, in threads of their own."""

    def __init__(self, database: Database, timeout: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        """`timeout` is in seconds, for each scan; `monotonic` tells how much of them is used."""
        self._database = database
        self._timeout = timeout
        self._monotonic = monotonic
        self._places = asyncio.Semaphore(SCANS_AT_ONCE)
        self._threads = ThreadPoolExecutor(SCANS_AT_ONCE, thread_name_prefix="canopy-store-scan")
        self._current = threading.local()
        self._interrupting: set[asyncio.Task[None]] = set()
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
                f"{SCANS_AT_ONCE} searches are running already. Please try again in a moment.", retry_after=5
            ) from error
        scan = _Scan(self._database, self._monotonic())
        try:
            work = in_thread(self._threads, functools.partial(self._call, scan, read))
        except BaseException:
            self._places.release()
            raise
        work.add_done_callback(self._ended)
        cutting = asyncio.create_task(_repeat(scan.cut, work, after=_CUT * self._timeout))
        try:
            async with asyncio.timeout(self._timeout):
                return await asyncio.shield(work)
        except TimeoutError as error:
            raise ScanTimeout(
                f"This takes longer than the {self._timeout:g} s that a search may take. Narrow it: a longer text in "
                "`q`, days with `since` and `until`, or a `feature`, a `rating` or a `prompt_id`."
            ) from error
        finally:
            cutting.cancel()
            if not work.done():
                stopping = asyncio.create_task(_repeat(scan.stop, work))
                self._interrupting.add(stopping)
                stopping.add_done_callback(self._interrupting.discard)

    def used(self) -> float:
        """Return the share of its time that the scan of this thread has used."""
        return (self._monotonic() - self._scan.began) / self._timeout

    @contextmanager
    def cutting(self) -> Generator[None]:
        """Return a context in which this thread's scan may be cut short when little of its time is left.

        A statement that is cut short ends the context without an error, so that what the scan has found can be used.
        """
        with self._scan.cutting():
            yield

    @property
    def _scan(self) -> _Scan:
        scan: _Scan = self._current.scan
        return scan

    def close(self) -> None:
        """End the threads; scans that wait for one are not run."""
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


async def _repeat(interrupt: Callable[[], None], work: asyncio.Future[Any], *, after: float = 0) -> None:
    """Interrupt work until it has ended, from `after` seconds on: a statement that is about to begin doesn't notice."""
    await asyncio.wait({work}, timeout=after)
    pause = _AGAIN
    while not work.done():
        await asyncio.get_running_loop().run_in_executor(None, interrupt)
        await asyncio.wait({work}, timeout=pause)
        pause *= 2
