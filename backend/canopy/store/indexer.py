"""Keeping the index of the searches up to date, beside the votes."""

import asyncio

from canopy.errors import StoreError
from canopy.store.database import Database
from canopy.store.trigrams import Stepped, Trigrams
from canopy.store.writer import Writer

_GATHER = 1.0  # seconds after a vote, so that many come into the index together
_IDLE = 60.0  # seconds until a look for what other processes recorded
_REST = 19  # times as long as a step took: 19 twentieths of the writer's time are the votes'


class Indexer:
    """Steps until every vote is in the index, and again when there are more."""

    def __init__(self, database: Database, writer: Writer) -> None:
        self._writer = writer
        self._trigrams = Trigrams(database)
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """There is something new."""
        self._woken.set()

    async def run(self) -> None:
        """Work until cancelled. A store that fails is asked again later; votes are searched without the index then."""
        while True:
            try:
                did: Stepped = await self._writer.submit(self._trigrams.step, None)
            except StoreError:
                did = Stepped(0, 0)
            if did.votes:
                await asyncio.sleep(_REST * did.seconds)
                continue
            try:
                async with asyncio.timeout(_IDLE):
                    await self._woken.wait()
            except TimeoutError:
                continue
            await asyncio.sleep(_GATHER)
            self._woken.clear()
