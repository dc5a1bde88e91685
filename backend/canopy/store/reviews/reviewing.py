"""Reviewed texts: one for each text and feature, for as long as there is a vote on the text."""

from collections.abc import Callable, Sequence

import orjson
from sqlalchemy import ColumnElement, Connection, and_, bindparam, delete, exists, func, select

from canopy.base.errors import CanopyError, FeedbackNotFound
from canopy.store.engine.database import Database
from canopy.store.feedback.digests import digests
from canopy.store.feedback.filters import INPUT, RESPONSE, WITH_TEXTS, series_conditions, time_conditions
from canopy.store.feedback.pages import PIECE_CHARS
from canopy.store.feedback.query import Filter
from canopy.store.reviews.review import BadResponse, Review, ReviewCase, ReviewReceipt, ReviewState
from canopy.store.tables import feedback, reviews, series

_ANSWERS = 5  # votes shown with a case

OF_VOTE = and_(reviews.c.input_digest == feedback.c.input_digest, reviews.c.feature == series.c.feature)


class Reviewing:
    """Writes in the writer's thread; reads in whatever thread calls."""

    def __init__(self, database: Database, clock: Callable[[], int]) -> None:
        self._database = database
        self._clock = clock
        f, s, r = feedback.c, series.c, reviews.c
        self._vote = (
            select(f.input_digest, f.input_length, r.expected_result)
            .select_from(feedback.join(series).outerjoin(reviews, OF_VOTE))
            .where(s.feature == bindparam("feature"))
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
            .where(database.member(f.id, "ids"))
            .order_by(f.id)
        )
        self._answers = (
            select(f.id, f.updated_at, s.kind, s.value, s.sentiment, f.reasons, f.comment, RESPONSE)
            .select_from(WITH_TEXTS.join(series))
            .where(f.input_digest == bindparam("digest"))
            .order_by((f.updated_at + 0).desc(), f.id.desc())  # along the digest's index, not that of the times
            .limit(_ANSWERS)
        )

    def record(self, conn: Connection, batch: Sequence[Review]) -> list[ReviewReceipt | CanopyError]:
        """Record reviews, one by one: people write them."""
        return [self._record(conn, review) for review in batch]

    def cases(
        self, where: Filter, ids: list[str], state: ReviewState, limit: int, before: list[ReviewCase]
    ) -> list[ReviewCase]:
        """The cases before, and those of the texts behind these votes, each with the votes on it that match.

        They end with the first that is too many for the limit, or for what is read at once.
        """
        statement = self._cases
        if state == "waiting":
            statement = statement.where(reviews.c.expected_result.is_(None))
        matching = [*series_conditions(where), *time_conditions(where)]
        with self._database.reader.connect() as conn:
            found, chars = list(before), sum(it.chars for it in before)
            wanted = statement.limit(limit + 1 - len(found))
            for row in conn.execute(wanted, {"ids": self._database.values(ids)}).all():
                case = ReviewCase(row[0], row[2], row[3], self._answers_to(conn, row.input_digest, matching))
                found.append(case)
                chars += case.chars
                if chars > PIECE_CHARS and len(found) > 1:
                    break
            return found

    def progress(self, where: Filter) -> tuple[int, int]:
        """How many distinct texts match, and how many of them are reviewed. It is a scan."""
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
            voted = self._vote.where(f.input_digest == digests(review.input_text or "", "")[0])
        row = conn.execute(voted, {"feature": review.feature}).first()
        if row is None:
            return FeedbackNotFound("There is no vote on this text; it may have been taken back.")
        if (row.expected_result or "") == review.expected_result:
            return ReviewReceipt("repeated", review.feature, row.input_length, len(review.expected_result))
        if not review.expected_result:
            conn.execute(delete(reviews).where(r.feature == review.feature, r.input_digest == row.input_digest))
            return ReviewReceipt("deleted", review.feature, row.input_length, 0)
        self._put.run(
            conn,
            [
                {
                    "feature": review.feature,
                    "input_digest": row.input_digest,
                    "updated_at": self._clock(),
                    "expected_result": review.expected_result,
                }
            ],
        )
        new = row.expected_result is None
        return ReviewReceipt(
            "created" if new else "replaced", review.feature, row.input_length, len(review.expected_result)
        )

    def _answers_to(self, conn: Connection, digest: str, matching: list[ColumnElement[bool]]) -> list[BadResponse]:
        rows = conn.execute(self._answers.where(*matching), {"digest": digest}).all()
        found = [BadResponse._make(row) for row in rows]
        return [it._replace(reasons=orjson.loads(str(it.reasons))) for it in found]


def forget(conn: Connection, database: Database, input_digests: set[str], *, whoever_else_voted: bool) -> None:
    """Delete what was written for texts whose votes were deleted.

    A text that others have voted on keeps it, unless `whoever_else_voted`: what derives from an erased person's text
    goes in any case.
    """
    mine = database.member(reviews.c.input_digest, "digests")
    left = exists().where(feedback.c.input_digest == reviews.c.input_digest)
    statement = delete(reviews).where(mine) if whoever_else_voted else delete(reviews).where(mine, ~left)
    conn.execute(statement, {"digests": database.values(sorted(input_digests))})
