"""Keeps the search index up to date, in the background."""

import asyncio

from sqlalchemy import func, select

from canopy.base.errors import StoreError
from canopy.store.engine.executor import Executor
from canopy.store.feedback.search_index import SearchIndex
from canopy.store.tables import feedback

_GATHER = 1.0  # seconds after a vote, so that many come into the index together
_IDLE = 60.0  # seconds until a look for what other processes recorded
# Votes in one step, which a vote that comes meanwhile waits for. Most of what a small step costs is its commit.
_STEP = 64
_STEP_WHILE_VOTING = 8
# Pauses, as many times as long as a step took with its commit and its turn at the writer.
_REST = 1  # half of the writer's time, when nobody votes
_REST_WHILE_VOTING = 49


class Indexer:
    """Puts votes into the search index, step by step, and goes on when there are more."""

    def __init__(self, executor: Executor) -> None:
        self.left = 0  # votes to index: those of before and of this process
        self._executor = executor
        self._search_index = SearchIndex(executor.database)
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Note that one more vote waits to be indexed."""
        self.left += 1
        self._woken.set()

    async def waiting(self) -> int:
        """Count what is not in the index, which takes the longer the more that is."""
        return await self._executor.read_quietly(self._waiting)

    async def step(self, votes: int) -> int:
        """Put up to `votes` of the oldest votes that are not in the index into it. Returns how many there were."""
        return await self._executor.writer.submit(self._search_index.step, votes)

    async def run(self) -> None:
        """Work until cancelled.

        A store that fails is asked again later, and nobody is told; votes are searched without the index then.
        """
        try:
            self.left += await self.waiting()
        except StoreError:
            self.left += 1  # at least; how many is not known
        while True:
            voting = self._woken.is_set()
            self._woken.clear()
            began = asyncio.get_running_loop().time()
            try:
                votes = await self.step(_STEP_WHILE_VOTING if voting else _STEP)
                self.left = max(0, self.left - votes) if votes else 0
            except StoreError:
                votes = 0
            if votes:
                rest = _REST_WHILE_VOTING if voting or self._woken.is_set() else _REST
                await asyncio.sleep(rest * (asyncio.get_running_loop().time() - began))
                continue
            try:
                async with asyncio.timeout(_IDLE):
                    await self._woken.wait()
            except TimeoutError:
                continue
            await asyncio.sleep(_GATHER)

    def _waiting(self) -> int:
        with self._executor.database.reader.connect() as conn:
            waits = feedback.c.search_place.is_(None)
            return conn.execute(select(func.count()).select_from(feedback).where(waits)).scalar_one()
