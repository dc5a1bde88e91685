"""Remembers with which Git commit each revision of the values came into force.

What has been in force since is told by the newest row alone: another commit of the same values is none of its own, and
values that come back come back with the commit that brought them.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, delete, select, text

from canopy.store.engine.executor import Executor, Facet, reads
from canopy.store.tables import values_commits

MOST_COMMITS = 500  # the newest ones; a page reads them all


class ValuesCommit(NamedTuple):
    """Says which commit brought a revision of the values, and when (microseconds since the epoch) that was seen."""

    config_revision: str
    git_revision: str
    first_at: int


class ValuesCommitStore(Facet):
    """Records and reads the commits."""

    def __init__(self, executor: Executor, clock: Callable[[], int]) -> None:
        super().__init__(executor)
        self._clock = clock

    async def record(self, config_revision: str, git_revision: str) -> None:
        """Record what is in force, unless the same values were in force already, or came with this commit before.

        Raises StoreError, which nobody is told of: whoever calls this does so until it succeeds.
        """
        await self._executor.writer.submit(self._record_each, (config_revision, git_revision))

    @reads
    def known(self) -> list[ValuesCommit]:
        """Read the commits, oldest first."""
        with self._database.reader.connect() as conn:
            rows = conn.execute(_newest_first).all()
        return [ValuesCommit._make(row) for row in reversed(rows)]

    def _record_each(self, conn: Connection, batch: Sequence[tuple[str, str]]) -> list[None]:
        rows = [ValuesCommit._make(row) for row in conn.execute(_newest_first)]
        for config_revision, git_revision in batch:
            came = any(it[:2] == (config_revision, git_revision) for it in rows)
            if came or (rows and rows[0].config_revision == config_revision):
                continue
            row = ValuesCommit(config_revision, git_revision, self._clock())
            rows.insert(0, row)
            conn.execute(_INSERT, row._asdict())
        if len(rows) > MOST_COMMITS:
            conn.execute(delete(values_commits).where(_c.first_at < rows[MOST_COMMITS - 1].first_at))
        return [None] * len(batch)


_c = values_commits.c
# Another replica may have written the same in the meantime.
_INSERT = text(
    "INSERT INTO values_commits (config_revision, git_revision, first_at) "
    "VALUES (:config_revision, :git_revision, :first_at) ON CONFLICT DO NOTHING"
)
_newest_first = (
    select(_c.config_revision, _c.git_revision, _c.first_at)
    .order_by(_c.first_at.desc(), _c.config_revision)
    .limit(MOST_COMMITS + 1)
)
