"""Records and reads reviews: one for each text and feature, for as long as there is a vote on the text."""

from collections.abc import AsyncGenerator, Callable, Sequence

import orjson
from sqlalchemy import ColumnElement, Connection, bindparam, delete, func, select

from canopy.base.errors import CanopyError, FeedbackNotFound, InputError
from canopy.config.features import is_conversation
from canopy.store.engine.cursors import FoundIds
from canopy.store.engine.executor import Executor, Facet
from canopy.store.feedback.feedback import FeedbackStore
from canopy.store.feedback.filters import INPUT, RESPONSE, WITH_TEXTS, series_conditions, time_conditions
from canopy.store.feedback.pages import PIECE_CHARS
from canopy.store.feedback.query import Filter, Page
from canopy.store.keys import text_digests
from canopy.store.reviews.inputs import OF_VOTE, Inputs, WalkPosition
from canopy.store.reviews.review import (
    BadResponse,
    Input,
    Review,
    ReviewCase,
    ReviewPage,
    ReviewReceipt,
    ReviewState,
)
from canopy.store.reviews.review_queue import ReviewQueue
from canopy.store.tables import feedback, reviews, series

_ANSWERS = 5  # votes shown with a case


class ReviewStore(Facet):
    """Records reviews, and reads what is to be reviewed and what was.

    In its filters everything counts but `search`, which is for the distinct inputs alone, and in `queue` only the
    feature, the prompt and the times.
    """

    def __init__(self, executor: Executor, feedback_store: FeedbackStore, clock: Callable[[], int]) -> None:
        super().__init__(executor)
        self._feedback = feedback_store
        self._clock = clock
        self._inputs = Inputs(self._database)
        self._queue = ReviewQueue(self._database, feedback_store.pages)
        database = self._database
        f, s, r = feedback.c, series.c, reviews.c
        self._vote = (
            select(f.input_digest, f.input_length, s.feature, r.expected_result)
            .select_from(feedback.join(series).outerjoin(reviews, OF_VOTE))
            .limit(1)
        )
        self._put = database.bulk(
            reviews,
            (r.input_digest, r.feature),
            lambda new: {"updated_at": new.updated_at, "expected_result": new.expected_result},
        )
        self._cases = (
            select(f.id, f.input_digest, INPUT.label("input_text"), func.coalesce(r.expected_result, ""))
            .select_from(WITH_TEXTS.join(series).outerjoin(reviews, OF_VOTE))
            .where(database.in_list(f.id, "ids"))
            .order_by(f.id)
        )
        self._answers = (
            select(f.id, f.updated_at, s.kind, s.value, s.sentiment, f.reasons, f.comment, RESPONSE)
            .select_from(WITH_TEXTS.join(series))
            .where(f.input_digest == bindparam("digest"))
            .order_by((f.updated_at + 0).desc(), f.id.desc())  # along the digest's index, not that of the times
            .limit(_ANSWERS)
        )

    async def record(self, review: Review) -> ReviewReceipt:
        """Store what is expected of the answer to a text, or take it back.

        It stays until the last vote on the text is deleted. Raises FeedbackNotFound where there is none, and InputError
        for a vote on a follow-up answer.
        """
        return await self._executor.write(self._record_each, review, review.memory)

    async def page(self, where: Filter, state: ReviewState, limit: int, after: str | None) -> ReviewPage:
        """Read one page of the texts behind matching feedback. `where` names a feature."""
        position = WalkPosition(after or "")
        cases: list[ReviewCase] = []
        more = False  # one more case was read than the page has
        while not position.done and not more:
            for ids in await self._executor.scan_in_turn(self._inputs.step, where, position):
                if not more:
                    cases = await self._executor.read(self._cases_of, where, ids, state, limit, cases)
                    more = len(cases) > limit or (len(cases) > 1 and sum(it.chars for it in cases) > PIECE_CHARS)
        shown = cases[:-1] if more else cases
        return ReviewPage(shown, shown[-1].feedback_id if more else None)

    async def progress(self, where: Filter) -> tuple[int, int]:
        """Count the texts behind this feedback, and how many of them are reviewed. `where` names a feature."""
        return await self._executor.scan_in_turn(self._progress, where)

    async def distinct_inputs(self, where: Filter) -> AsyncGenerator[list[Input]]:
        """Yield the distinct input texts of matching feedback, by the time each was first voted on, in batches."""
        position = WalkPosition()
        while not position.done:
            for ids in await self._executor.scan_in_turn(self._inputs.step, where, position):
                yield await self._executor.read(self._inputs.texts, ids)

    async def queue(self, where: Filter, limit: int, cursor: str | None, excerpt: int | None = None) -> Page:
        """Read one page of what waits for a review: found bad by people and judges, by judges, by people, newest first.

        An entry is a response: its newest bad label or else vote. A page may be short, even empty, and have a next one.
        Raises InputError for a cursor not its own.
        """
        return await self._feedback.page_of(await self.find_in_queue(where, limit, cursor), excerpt)

    async def find_in_queue(self, where: Filter, limit: int, cursor: str | None) -> FoundIds:
        """Find the ids that `queue` reads. Raises as `queue`."""
        return await self._executor.read(self._queue.find, where, limit, cursor)

    def _record_each(self, conn: Connection, batch: Sequence[Review]) -> list[ReviewReceipt | CanopyError]:
        return [self._record(conn, review) for review in batch]

    def _cases_of(
        self, where: Filter, ids: list[str], state: ReviewState, limit: int, before: list[ReviewCase]
    ) -> list[ReviewCase]:
        """Return the cases before, and those of the texts behind these votes, each with the votes on it that match.

        They end with the first that is too many for the limit, or for what is read at once.
        """
        statement = self._cases
        if state == "waiting":
            statement = statement.where(reviews.c.expected_result.is_(None))
        matching = [*series_conditions(where), *time_conditions(where)]
        with self._database.reader.connect() as conn:
            found, chars = list(before), sum(it.chars for it in before)
            wanted = statement.limit(limit + 1 - len(found))
            for row in conn.execute(wanted, {"ids": self._database.list_param(ids)}).all():
                case = ReviewCase(row[0], row[2], row[3], self._answers_to(conn, row.input_digest, matching))
                found.append(case)
                chars += case.chars
                if chars > PIECE_CHARS and len(found) > 1:
                    break
            return found

    def _progress(self, where: Filter) -> tuple[int, int]:
        f, r = feedback.c, reviews.c
        votes = (
            select(f.input_digest).join_from(feedback, series).where(*series_conditions(where), *time_conditions(where))
        )
        with self._database.scanner.connect() as conn:
            total = conn.execute(select(func.count()).select_from(votes.distinct().subquery())).scalar_one()
            voted = votes.where(f.input_digest == r.input_digest).correlate(reviews).exists()
            done = conn.execute(select(func.count()).where(r.feature == where.feature, voted)).scalar_one()
        return total, done

    def _record(self, conn: Connection, review: Review) -> ReviewReceipt | CanopyError:
        f, r = feedback.c, reviews.c
        if review.feedback_id is not None:
            voted = self._vote.where(f.id == review.feedback_id)
        else:
            voted = self._vote.where(f.input_digest == text_digests(review.input_text or "", "")[0])
        if review.feature is not None:
            voted = voted.where(series.c.feature == review.feature)
        row = conn.execute(voted).first()
        if row is None:
            return FeedbackNotFound("There is no vote on this text; it may have been taken back.")
        feature = row.feature
        if is_conversation(feature):
            return InputError(
                "This vote is on a follow-up answer, of which no test can be made: what came before counts."
            )
        if (row.expected_result or "") == review.expected_result:
            return ReviewReceipt("repeated", feature, row.input_length, len(review.expected_result))
        if not review.expected_result:
            conn.execute(delete(reviews).where(r.feature == feature, r.input_digest == row.input_digest))
            return ReviewReceipt("deleted", feature, row.input_length, 0)
        self._put.run(
            conn,
            [
                {
                    "feature": feature,
                    "input_digest": row.input_digest,
                    "updated_at": self._clock(),
                    "expected_result": review.expected_result,
                }
            ],
        )
        new = row.expected_result is None
        return ReviewReceipt("created" if new else "replaced", feature, row.input_length, len(review.expected_result))

    def _answers_to(self, conn: Connection, digest: str, matching: list[ColumnElement[bool]]) -> list[BadResponse]:
        rows = conn.execute(self._answers.where(*matching), {"digest": digest}).all()
        found = [BadResponse._make(row) for row in rows]
        return [it._replace(reasons=orjson.loads(str(it.reasons))) for it in found]
