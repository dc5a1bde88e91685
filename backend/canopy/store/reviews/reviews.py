"""Records and reads reviews: one for each text and feature, for as long as there is a vote on the text."""

from collections.abc import AsyncGenerator, Callable
from dataclasses import replace

from canopy.store.engine.cursors import FoundIds
from canopy.store.engine.executor import Executor, Facet
from canopy.store.feedback.feedback import FeedbackStore
from canopy.store.feedback.query import Filter, Page
from canopy.store.feedback.review_items import ItemKey
from canopy.store.reviews.case_reader import CaseReader
from canopy.store.reviews.inputs import Inputs, WalkPosition
from canopy.store.reviews.review import (
    Input,
    Review,
    ReviewCounts,
    ReviewList,
    ReviewPage,
    ReviewReceipt,
    ReviewState,
)
from canopy.store.reviews.review_queue import FoundItems, ReviewQueue
from canopy.store.reviews.reviewing import Reviewing


class ReviewStore(Facet):
    """Records reviews, and reads what is to be reviewed and what was.

    The items are the texts with a bad verdict, worst first. A filter leaves those with a bad verdict that matches.
    """

    def __init__(self, executor: Executor, feedback_store: FeedbackStore, clock: Callable[[], int]) -> None:
        super().__init__(executor)
        self._feedback = feedback_store
        self._inputs = Inputs(self._database)
        self._queue = ReviewQueue(self._database)
        self._cases = CaseReader(self._database)
        self._reviewing = Reviewing(self._database, feedback_store.review_items, clock)

    async def record(self, review: Review) -> ReviewReceipt:
        """Do what a reviewer does with a text: store what is expected of its answer, or say that it needs no test.

        It stays until the last vote on the text is deleted. Raises FeedbackNotFound where there is none, InputError
        for a vote on a follow-up answer and for what can't be done, and ReviewConflict where the review names a
        revision of the item that isn't the last.
        """
        return await self._executor.write(self._reviewing.record, review, review.memory)

    async def page(self, where: Filter, state: ReviewState, limit: int, after: str | None) -> ReviewPage:
        """Read one page of the items in a state, worst first. A page may be short, even empty, and have a next one.

        Raises InputError for a cursor not its own; a search also ScansBusy and ScanTimeout.
        """
        found = await self._find(where, state, limit, after)
        cases, taken = await self._executor.read(self._cases.read, found.items, found.positions)
        return ReviewPage(cases, found.cursors[taken - 1] if taken < len(found.items) else found.next)

    async def listed(self, where: Filter, state: ReviewState, limit: int, after: str | None) -> ReviewList:
        """Read one page of the same list as `page` does, of each text the beginning. Raises as `page`."""
        found = await self._find(where, state, limit, after)
        return ReviewList(await self._executor.read(self._cases.heads, found.items, found.positions), found.next)

    async def at(self, key: ItemKey, where: Filter, state: ReviewState) -> ReviewPage:
        """Read one item, whatever its state, with its position among those in a state. No case: it is gone."""
        item = await self._executor.read(self._queue.item, key)
        if item is None:
            return ReviewPage([], None)
        position = await self._executor.read(self._queue.position, item, where, state)
        cases, _ = await self._executor.read(self._cases.read, [item], [position])
        return ReviewPage(cases, self._queue.before(item, position))

    async def item_of(self, feedback_id: str) -> ItemKey | None:
        """Return the item that a vote or a label is about, whether or not there is one now."""
        return await self._executor.read(self._queue.item_of, feedback_id)

    async def counts(self, where: Filter) -> ReviewCounts | None:
        """Count the items by their state. The cost doesn't grow with the table.

        None: with what the filter says beside the feature, too many would have to be looked at. Raises as `page`.
        """
        if where.search is not None:
            return await self._executor.scan_in_turn(self._queue.counts, where)
        return await self._executor.read(self._queue.counts, where)

    async def counts_by_feature(self) -> dict[str, ReviewCounts]:
        """Count the items of each feature that has some by their state. The cost doesn't grow with the table."""
        return await self._executor.read(self._queue.counts_by_feature)

    async def distinct_inputs(self, where: Filter) -> AsyncGenerator[list[Input]]:
        """Yield the distinct input texts of matching feedback, by the time each was first voted on, in batches.

        What reviewers found fine or dismissed is left out.
        """
        position = WalkPosition()
        while not position.done:
            for ids in await self._executor.scan_in_turn(self._inputs.step, where, position):
                yield await self._executor.read(self._inputs.texts, ids)

    async def queue(self, where: Filter, limit: int, cursor: str | None, excerpt: int | None = None) -> Page:
        """Read one page of the items that wait, each as its newest bad label or else vote.

        Raises InputError for a cursor not its own.
        """
        return await self._feedback.page_of(await self.find_in_queue(where, limit, cursor), excerpt)

    async def find_in_queue(self, where: Filter, limit: int, cursor: str | None) -> FoundIds:
        """Find the ids that `queue` reads. Raises as `queue`."""
        bad = replace(where, source="any") if where.source == "human" else where
        found = await self._find(bad, "waiting", limit, cursor)
        ids = await self._executor.read(self._queue.newest_verdicts, found.items, bad)
        kept = [(key, after) for key, after in zip(ids, found.cursors, strict=True) if key]
        return FoundIds([key for key, _ in kept], [after for _, after in kept], found.next)

    async def _find(self, where: Filter, state: ReviewState, limit: int, after: str | None) -> FoundItems:
        if where.search is not None:
            return await self._executor.scan_in_turn(self._queue.find, where, state, limit, after)
        return await self._executor.read(self._queue.find, where, state, limit, after)
