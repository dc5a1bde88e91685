"""Checks whether the database answers, beside everything else that is asked of it."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy.exc import DBAPIError

from canopy.base.errors import StoreError
from canopy.store.engine.database import UNAVAILABLE, Database
from canopy.store.engine.threads import in_thread

_PATIENCE = 2.0  # seconds; Kubernetes waits three for the whole answer


class SharedCheck:
    """Runs a check that may hang: whoever asks meanwhile waits for the same run, and no longer than two seconds."""

    def __init__(self, ask: Callable[[], Awaitable[None]]) -> None:
        self._ask = ask
        self._running: asyncio.Future[None] | None = None
        self._failure: BaseException | None = None  # of the run before

    async def __call__(self) -> None:
        """Return when the check succeeds, or raise what it raises.

        Where it doesn't end in time, raises what the run before raised, or else StoreError.
        """
        if self._running is not None and self._running.done():
            self._failure = self._running.exception()
            self._running = None
        if self._running is None:
            self._running = asyncio.ensure_future(self._ask())
        done, _ = await asyncio.wait({self._running}, timeout=_PATIENCE)
        if not done:
            # A connection may take longer to fail than anybody waits: its cause is told to whoever asks next.
            raise self._failure or StoreError(UNAVAILABLE, retry_after=5)
        self._running.result()


class Probe:
    """Checks the database on a thread and a connection of its own, so that no other read is ever in front of it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="canopy-store-probe")
        self.ping = SharedCheck(lambda: in_thread(self._thread, self._ask))

    def close(self) -> None:
        """Check no more. A check that hangs is not waited for."""
        self._thread.shutdown(wait=False)

    def _ask(self) -> None:
        try:
            self._check()
        except DBAPIError as error:
            if not error.connection_invalidated:
                raise
            self._check()  # on a new connection: the server may have been restarted since the last check

    def _check(self) -> None:
        with self._database.prober.connect() as conn:
            self._database.check(conn)
