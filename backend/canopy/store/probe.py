"""Whether the database answers, asked beside everything else that is asked of it."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import text

from canopy.errors import StoreError
from canopy.store.database import Database
from canopy.store.threads import in_thread

_PATIENCE = 2.0  # seconds; Kubernetes waits three for the whole answer
_SILENT = "The database does not answer. Please try again in a moment."


class Probe:
    """One thread and one connection of its own, so that no other read is ever in front of it.

    A database that hangs would keep the thread: whoever asks meanwhile waits for the same look, and no longer.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="canopy-store-probe")
        self._look: asyncio.Future[None] | None = None

    async def ping(self) -> None:
        """Return when the database answers. Raises what it raises, and StoreError after two seconds of silence."""
        if self._look is None or self._look.done():
            self._look = in_thread(self._thread, self._ask)
        done, _ = await asyncio.wait({self._look}, timeout=_PATIENCE)
        if not done:
            raise StoreError(_SILENT, retry_after=5)
        self._look.result()

    def close(self) -> None:
        """Ask no more. A look that hangs is not waited for."""
        self._thread.shutdown(wait=False)

    def _ask(self) -> None:
        with self._database.prober.connect() as conn:
            # A table's page, not a constant: a database file that is gone or broken must not look alive.
            conn.execute(text("SELECT version_num FROM alembic_version"))
