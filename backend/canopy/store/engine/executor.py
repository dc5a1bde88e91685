"""Runs the facets' work on the database: writes in one thread, reads in a few others, scans in two of their own."""

import asyncio
import functools
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Concatenate

from sqlalchemy.exc import SQLAlchemyError

from canopy.base.errors import StoreError
from canopy.store.engine.database import UNAVAILABLE, Database, is_database_failure, store_error
from canopy.store.engine.probe import Probe, SharedCheck
from canopy.store.engine.scans import Scans
from canopy.store.engine.threads import in_thread
from canopy.store.engine.writer import Handler, Writer


class Executor:
    """Runs reads and writes on a database, any number at a time.

    What the database can't do is a StoreError. `write`, `read` and their kin hand it to `on_failure` before they raise
    it, in the context of their caller: this is the one place that tells of failures. Work that is repeated until it
    succeeds goes to `writer` and `read_quietly` instead, which tell nobody, or through `repeated`.
    """

    def __init__(
        self, database: Database, readers: int, scan_timeout: float, on_failure: Callable[[StoreError], None]
    ) -> None:
        self.database = database
        self.writer = Writer(database)
        self.scans = Scans(database, scan_timeout)
        self._on_failure = on_failure
        self._probe = Probe(database)
        self._writes = SharedCheck(self.writer.check)
        self._readers = ThreadPoolExecutor(readers, thread_name_prefix="canopy-store-reader")

    async def close(self) -> None:
        """Commit what waits and disconnect."""
        await self.writer.close()
        await asyncio.to_thread(self._readers.shutdown)
        await asyncio.to_thread(self.scans.close)
        self._probe.close()
        self.database.dispose()

    async def ping(self) -> None:
        """Return when the database answers and, if a write hung, writes go through again. `on_failure` isn't called."""
        await _answered(self._probe.ping())
        await self._writes()

    async def write[T, R](self, handler: Handler[T, R], item: T, size: int = 0, *, reserve: bool = False) -> R:
        """Return the handler's answer for this item, after the commit. See `Writer.submit`."""
        try:
            return await self.writer.submit(handler, item, size, reserve=reserve)
        except StoreError as error:
            self._on_failure(error)
            raise

    async def read[**P, R](self, read: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function in a thread for reads, and return what it returns."""
        return await self._told(self.read_quietly(read, *args, **kwargs))

    async def read_within[**P, R](self, seconds: float, read: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function in a thread for reads. Raises StoreError when it takes longer than these seconds."""

        async def waiting() -> R:
            try:
                async with asyncio.timeout(seconds):
                    return await self.read_quietly(read, *args, **kwargs)
            except TimeoutError as error:
                raise StoreError(UNAVAILABLE, retry_after=5) from error

        return await self._told(waiting())

    async def scan[**P, R](self, read: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function as a scan. Raises ScansBusy and ScanTimeout as well."""
        return await self._told(_answered(self.scans.run(functools.partial(_reading, read, *args, **kwargs))))

    async def scan_in_turn[**P, R](self, read: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function as a scan that waits for its place as long as it takes, since an export goes on."""
        call = functools.partial(_reading, read, *args, **kwargs)
        return await self._told(_answered(self.scans.run(call, patience=None)))

    async def read_quietly[**P, R](self, read: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function as `read` does. `on_failure` doesn't learn of a failure."""
        return await _answered(in_thread(self._readers, functools.partial(_reading, read, *args, **kwargs)))

    def repeated(self) -> "RepeatedWork":
        """Return a `RepeatedWork` for one of the calls that a loop makes."""
        return RepeatedWork(self._on_failure)

    async def _told[R](self, answer: Awaitable[R]) -> R:
        try:
            return await answer
        except StoreError as error:
            self._on_failure(error)
            raise


class RepeatedWork:
    """Awaits calls that are made again and again, and tells of a failure unless the call before failed alike."""

    def __init__(self, on_failure: Callable[[StoreError], None]) -> None:
        self._on_failure = on_failure
        self._told: str | None = None  # how the last call failed

    async def run[R](self, answer: Awaitable[R]) -> R:
        """Return the call's answer. Raises StoreError each time, whether it is told of or not."""
        try:
            result = await answer
        except StoreError as error:
            if error.in_full != self._told:
                self._told = error.in_full
                self._on_failure(error)
            raise
        self._told = None
        return result


class Facet:
    """Does what the store can do with one noun. Methods may be called concurrently; a write returns when committed."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._database = executor.database


def reads[S: Facet, **P, R](
    method: Callable[Concatenate[S, P], R],
) -> Callable[Concatenate[S, P], Coroutine[Any, Any, R]]:
    """Make a facet's method that reads, in whatever thread calls it, one that the event loop awaits."""

    @functools.wraps(method)
    async def in_reader(self: S, /, *args: P.args, **kwargs: P.kwargs) -> R:
        return await self._executor.read(method, self, *args, **kwargs)

    return in_reader


async def _answered[R](answer: Awaitable[R]) -> R:
    """Wait for a thread of the store. Raises what the database raises as a StoreError."""
    try:
        return await answer
    except (SQLAlchemyError, UnicodeError) as error:
        raise store_error(error) from error


def _reading[**P, R](read: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Read, once more if the connection turns out to be lost: the server may have been restarted since it was used."""
    try:
        return read(*args, **kwargs)
    except SQLAlchemyError as error:
        if not is_database_failure(error):
            raise
        return read(*args, **kwargs)
