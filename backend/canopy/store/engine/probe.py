"""Whether the database answers, asked beside everything else that is asked of it."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy.exc import DBAPIError

from canopy.base.errors import StoreError
from canopy.store.engine.database import UNAVAILABLE, Database
from canopy.store.engine.threads import in_thread

_PATIENCE = 2.0  # seconds; Kubernetes waits three for the whole answer


class Look:
    """A question that may hang: whoever asks meanwhile waits for the same look, and no longer than two seconds."""

    def __init__(self, ask: Callable[[], Awaitable[None]]) -> None:
        self._ask = ask
        self._look: asyncio.Future[None] | None = None
        self._failure: BaseException | None = None  # of the look before

    async def __call__(self) -> None:
        """Return when there is an answer. Raises what it raises; in silence what the look before did, or StoreError."""
        if self._look is not None and self._look.done():
            self._failure = self._look.exception()
            self._look = None
        if self._look is None:
            self._look = asyncio.ensure_future(self._ask())
        done, _ = await asyncio.wait({self._look}, timeout=_PATIENCE)
        if not done:
            # A connection may take longer to fail than anybody waits: its cause is told to whoever asks next.
            raise self._failure or StoreError(UNAVAILABLE, retry_after=5)
        self._look.result()


class Probe:
    """One thread and one connection of its own, so that no other read is ever in front of it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="canopy-store-probe")
        self.ping = Look(lambda: in_thread(self._thread, self._ask))

    def close(self) -> None:
        """Ask no more. A look that hangs is not waited for."""
        self._thread.shutdown(wait=False)

    def _ask(self) -> None:
        try:
            self._look()
        except DBAPIError as error:
            if not error.connection_invalidated:
                raise
            self._look()  # on a new connection: the server may have been restarted since the last look

    def _look(self) -> None:
        with self._database.prober.connect() as conn:
            self._database.look(conn)
