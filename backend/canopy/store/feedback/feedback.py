"""Records feedback, which is people's votes and judges' labels, and reads it in pages and in counts."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Connection, Select, bindparam, cast, func, literal, select

from canopy.base.errors import StoreError
from canopy.stats.before_after import Outcomes
from canopy.store.engine.cursors import FoundIds
from canopy.store.engine.executor import Executor, Facet, reads
from canopy.store.feedback.filters import scans, series_conditions
from canopy.store.feedback.hourly_counts import DAY, HOUR, HourlyCounts, hour_of
from canopy.store.feedback.indexer import Indexer
from canopy.store.feedback.pages import Pages
from canopy.store.feedback.query import Feedback, FeedbackCount, Filter, HourCount, MatchCount, Page, ProducerCount
from canopy.store.feedback.recount import is_outdated, recount
from canopy.store.feedback.removal import Removal, Retraction
from canopy.store.feedback.review_items import ReviewItems
from canopy.store.feedback.searching import Searches
from canopy.store.feedback.series import SeriesIds
from canopy.store.feedback.settled_sums import SettledSums
from canopy.store.feedback.totals import Totals
from canopy.store.feedback.vote import Receipt, Vote
from canopy.store.feedback.voter_counts import MOST_VOTES, End, VoterCounts
from canopy.store.feedback.votes import Votes
from canopy.store.keys import slot_of
from canopy.store.outbox.outbox import Outbox
from canopy.store.tables import feedback, feedback_counts, series

_LOOK = 3_600.0  # seconds between two looks whether the review queue's items are outdated


class FeedbackStore(Facet):
    """Records votes, takes them back, finds, reads and counts them.

    `votes`, `removal`, `review_items` and `pages` are for the facets of other nouns whose writes or reads are partly of
    feedback.
    """

    def __init__(self, executor: Executor, outbox: Outbox, clock: Callable[[], int]) -> None:
        super().__init__(executor)
        ids, counts = SeriesIds(self._database), HourlyCounts(self._database)
        executor.writer.call_on_invalidation(ids.forget)
        self.review_items = ReviewItems(self._database)
        self.votes = Votes(self._database, ids, counts, self.review_items, outbox, clock)
        self.removal = Removal(self._database, ids, counts, self.review_items, outbox)
        self.pages = Pages(self._database)
        self.indexer = Indexer(executor)
        self._searches = Searches(self._database, executor.scans)
        self._totals = Totals(self._database)
        self._voters = VoterCounts(self._database)
        self._settled = SettledSums[ProducerCount](clock)

    async def record(self, vote: Vote) -> Receipt:
        """Store a vote, replace the voter's earlier one, or recognise a retry.

        Raises GenerationNotFound, AmbiguousRequestId, TooManyVoters, IdempotencyConflict, or one of the vote's own
        errors, each for this vote alone.
        """
        self.indexer.wake()
        return await self._executor.write(self.votes.record, vote, vote.memory)

    async def retract(self, feedback_id: str, owner: str | None = None) -> Receipt | None:
        """Take a vote back. Returns what it was, or None when there is none under that id.

        With an `owner` it must be that voter's, else this raises FeedbackForeign.
        """
        if not _can_be_looked_up(feedback_id):
            return None
        return await self._executor.write(self.removal.retract, Retraction(feedback_id, owner))

    async def page(self, where: Filter, limit: int, cursor: str | None, excerpt: int | None = None) -> Page:
        """Read one page of `limit` entries, or fewer where texts are long; `excerpt` cuts these instead.

        A search that looked at much, or for long, and found little ends with a short or empty page that has a next one.
        Raises InputError for a cursor not its own; a search also ScansBusy and ScanTimeout.
        """
        return await self.page_of(await self.find(where, limit, cursor), excerpt)

    async def find(self, where: Filter, limit: int, cursor: str | None, *, in_turn: bool = False) -> FoundIds:
        """Find the ids that `page` reads. Raises as `page`; `in_turn`, a search waits as long as others search."""
        if scans(where):
            scan = self._executor.scan_in_turn if in_turn else self._executor.scan
            return await scan(self._searches.find, where, limit, cursor)
        return await self._executor.read(self.pages.find, where, limit, cursor)

    async def page_of(self, found: FoundIds, excerpt: int | None = None) -> Page:
        """Read the first of what was found, as much as one page holds."""
        if not found.ids:
            return Page([], found.next, found.searched_to)
        entries, taken = await self.read(found.ids, excerpt)
        if taken < len(found.ids):
            return Page(entries, found.cursors[taken - 1])
        return Page(entries, found.next, found.searched_to)

    async def read(self, ids: Sequence[str], excerpt: int | None = None) -> tuple[list[Feedback], int]:
        """Read the first of these, as many as one page holds; also returns how many ids that took, deleted ones too."""
        return await self._executor.read(self.pages.read, ids, excerpt)

    async def get(self, feedback_id: str) -> Feedback | None:
        """Read one vote; None where there is none under that id."""
        if not _can_be_looked_up(feedback_id):
            return None
        found, _ = await self.read([feedback_id])
        return found[0] if found else None

    async def of_voter(self, generation_id: str, voter: str, name: str) -> Feedback | None:
        """Read the vote of one voter, by their key, under a name on one response; None where there is none."""
        feedback_id = await self._executor.read(self._in_slot, slot_of(generation_id, voter, name))
        return None if feedback_id is None else await self.get(feedback_id)

    def _in_slot(self, slot: str) -> str | None:
        with self._database.reader.connect() as conn:
            return conn.scalar(select(feedback.c.id).where(feedback.c.slot == slot))

    async def count(self, where: Filter) -> int | None:
        """Count feedback; the cost does not grow with the table. A search may raise as `page`.

        None: a search finds over 1,000, or would have to look at too much to know.
        """
        found = await self.count_at_least(where)
        return found.n if found.whole else None

    async def count_at_least(self, where: Filter) -> MatchCount:
        """Count as `count` does; of a search at least as many as it has counted."""
        if scans(where):
            return await self._executor.scan(self._searches.count, where)
        return MatchCount(await self._executor.read(self._totals.count, where), whole=True)

    @reads
    def voters(self, where: Sequence[Filter], features: Sequence[str], end: End, most: int = MOST_VOTES) -> Outcomes:
        """Count the people behind votes that any of the filters selects: see `VoterCounts.count`."""
        return self._voters.count(where, features, end, most)

    @reads
    def counts(self, where: Filter) -> list[FeedbackCount]:
        """Count votes by what they say and of what, in the order in which their series began.

        `since` and `until` widen to whole hours; what only a search finds is not used.
        """
        s = series.c
        columns = (s.feature, s.name, s.kind, s.value, s.sentiment, s.prompt_id, s.model)
        # By the series, not by what it says: the counts lie in that order.
        statement = _summed(where, *columns).group_by(s.id).order_by(s.id)
        with self._database.reader.connect() as conn:
            rows = conn.execute(statement).all()
        return [
            FeedbackCount(feature, name, kind, value, sentiment, prompt_id or None, model or None, n)
            for feature, name, kind, value, sentiment, prompt_id, model, n in rows
        ]

    @reads
    def hours(self, where: Filter, step: int = HOUR) -> list[HourCount]:
        """Count the same votes by sentiment and by stretches of `step` microseconds, of which a day has a whole number.

        Oldest first; each stretch has the hour with which it begins.
        """
        hour = feedback_counts.c.hour
        by = (hour if step == HOUR else hour - hour % bindparam("step", type_=BigInteger), series.c.sentiment)
        names = [column.label(name) for column, name in zip(by, ("since", "sentiment"), strict=True)]
        statement = _summed(where, *names).group_by(*names).order_by(*names)
        with self._database.reader.connect() as conn:
            rows = conn.execute(statement, {} if step == HOUR else {"step": step}).all()
        return [HourCount._make(row) for row in rows]

    @reads
    def hours_by_producer(self, where: Filter, step: int = HOUR) -> list[ProducerCount]:
        """Count the same, for each prompt and model by itself.

        By the day, days that are over are added up once, and again when votes of theirs came or went.
        """
        with self._database.reader.connect() as conn:
            if step != DAY:
                return _by_producer(conn, where, step)
            return self._settled.read(where, partial(_checksum, conn), lambda it: _by_producer(conn, it, step))

    async def keep_items(self) -> None:
        """Count the review queue's items anew when a version that doesn't know them has written, for ever."""
        while True:
            with suppress(StoreError):  # which comes again with whatever else asks the database
                if await self._executor.read_quietly(is_outdated, self._database):
                    await self._executor.writer.submit(recount, None)
            await asyncio.sleep(_LOOK)

    def unindexed(self) -> int:
        """Return about how many votes are not in the search index yet, without asking the database."""
        return self.indexer.left


def _by_producer(conn: Connection, where: Filter, step: int) -> list[ProducerCount]:
    hour, s = feedback_counts.c.hour, series.c
    since = (hour if step == HOUR else hour - hour % bindparam("step", type_=BigInteger)).label("since")
    of = _summed(where, since, s.feature, s.prompt_id, s.model, s.sentiment)
    statement = of.group_by(since, s.id).order_by(since, s.id)  # by the series, as in `counts`
    return [ProducerCount._make(row) for row in conn.execute(statement, {} if step == HOUR else {"step": step}).all()]


def _checksum(conn: Connection, where: Filter) -> tuple[int, ...]:
    """Return sums that tell whether the hourly counts of the filter's days, of whatever votes, are still the same.

    A vote that changes leaves its hour, and one that comes late joins it. Both at once change one of these sums.
    """
    c = feedback_counts.c
    weights = (1, c.hour // literal(HOUR, BigInteger), c.series_id)
    weighted = [cast(func.coalesce(func.sum(c.n * it), 0), BigInteger) for it in weights]
    return tuple(conn.execute(select(*weighted).where(*_within(where))).one())


def _summed(where: Filter, *columns: ColumnElement[Any]) -> Select[Any]:
    """Select the hourly counts that the filter touches, with their sum as the last column: still to be grouped."""
    total = cast(func.sum(feedback_counts.c.n), BigInteger)  # of which PostgreSQL would make a decimal number
    conditions = [*series_conditions(where), *_within(where)]
    return select(*columns, total).join_from(series, feedback_counts).where(*conditions)


def _within(where: Filter) -> list[ColumnElement[bool]]:
    conditions, hour = list[ColumnElement[bool]](), feedback_counts.c.hour
    if where.since is not None:
        conditions.append(hour >= hour_of(where.since))
    if where.until is not None:
        conditions.append(hour < where.until)
    return conditions


def _can_be_looked_up(feedback_id: str) -> bool:
    """Return whether every engine takes a query for this id: PostgreSQL refuses a NUL, which no id of Canopy's has."""
    return "\0" not in feedback_id
