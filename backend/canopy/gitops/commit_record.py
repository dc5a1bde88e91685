"""Lets the store know with which Git commit the values in force came, where that is known."""

import asyncio
from contextlib import suppress

from canopy.base.errors import StoreError
from canopy.config.source import ConfigSource
from canopy.store.values.values_commits import ValuesCommitStore


class CommitRecord:
    """Looks at the values in force every few seconds, since a commit may become known after them."""

    def __init__(self, config: ConfigSource, commits: ValuesCommitStore, interval: float) -> None:
        """`interval` is in seconds."""
        self._config = config
        self._commits = commits
        self._interval = interval
        self._recorded: tuple[str, str] | None = None

    async def run(self) -> None:
        """Record until cancelled. What the store can't take now it is offered again."""
        while True:
            with suppress(StoreError):  # which comes again with whatever else asks the database
                await self.record()
            await asyncio.sleep(self._interval)

    async def record(self) -> None:
        """Record what is in force now, unless that is recorded. Raises StoreError."""
        config = self._config.current
        if config.git_revision is None or (config.revision, config.git_revision) == self._recorded:
            return
        await self._commits.record(config.revision, config.git_revision)
        self._recorded = config.revision, config.git_revision
