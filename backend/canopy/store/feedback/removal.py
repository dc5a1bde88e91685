"""Removes feedback, with everything that derives from it: counts, the index, reviews of texts nobody voted on."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, delete, exists, select

from canopy.base.errors import CanopyError, FeedbackForeign
from canopy.store.engine.database import Database
from canopy.store.feedback.hourly_counts import HourlyCounts, hour_of
from canopy.store.feedback.review_items import ReviewItems, bad_verdicts_in
from canopy.store.feedback.series import SeriesIds
from canopy.store.feedback.vote import Receipt
from canopy.store.keys import voter_of
from canopy.store.outbox.outbox import Outbox
from canopy.store.tables import feedback, feedback_counts, generations, idempotency_keys, series

STEP = 250  # records that are removed at once


class Retraction(NamedTuple):
    """Names a vote to take back. With an `owner`, a voter's key, it must be theirs."""

    feedback_id: str
    owner: str | None


class Removal:
    """Removes feedback in the writer's transaction."""

    def __init__(
        self, database: Database, ids: SeriesIds, counts: HourlyCounts, items: ReviewItems, outbox: Outbox
    ) -> None:
        self._database = database
        self._series = ids
        self._counts = counts
        self._items = items
        self._outbox = outbox

    def retract(self, conn: Connection, retractions: Sequence[Retraction]) -> list[Receipt | CanopyError | None]:
        """Take votes back, one by one, as it is rare. Returns what each was; None where there is none under the id."""
        return [self._retract(conn, *one) for one in retractions]

    def remove_slots(self, conn: Connection, slots: Sequence[str]) -> int:
        """Remove the votes in these slots, as `canopy.store.keys.slot_of` makes them. Returns how many there were."""
        named = {"slots": self._database.list_param(slots)}
        return self.remove_where(conn, self._database.in_list(feedback.c.slot, "slots"), named)

    def remove_where(
        self,
        conn: Connection,
        condition: ColumnElement[bool],
        parameters: dict[str, Any] | None = None,
        *,
        erased: bool = False,
    ) -> int:
        """Remove up to `STEP` votes for which the condition holds. Returns how many there were.

        With `erased` the people behind them are to be forgotten: what tells a retry goes as well, and what was written
        for the texts, whoever else voted on them.
        """
        f, s = feedback.c, series.c
        rows = conn.execute(
            select(f.id, f.series_id, f.updated_at, f.input_digest, s.feature, s.kind, s.sentiment)
            .join_from(feedback, series)
            .where(condition)
            .limit(STEP),
            parameters or {},
        ).all()
        if rows:
            ids = {"ids": self._database.list_param([row.id for row in rows])}
            self._database.unindex(conn, [row.id for row in rows])
            conn.execute(delete(feedback).where(self._database.in_list(f.id, "ids")), ids)
            self._items.apply(conn, bad_verdicts_in(rows))
            self.reviews(conn, {row.input_digest for row in rows}, erased=erased)
            self._outbox.touch(conn, [row.id for row in rows])
            if erased:
                retries = self._database.in_list(idempotency_keys.c.feedback_id, "ids")
                conn.execute(delete(idempotency_keys).where(retries), ids)
            self._counts.add(conn, Counter({key: -n for key, n in _per_count(rows).items()}))
        return len(rows)

    def reviews(self, conn: Connection, input_digests: set[str], *, erased: bool) -> None:
        """Remove what was written for texts whose votes were removed.

        A text that others have voted on keeps it, unless `erased`: what derives from an erased person's text goes in
        any case.
        """
        self._items.forget(conn, input_digests, erased=erased)

    def unused_series(self, conn: Connection) -> None:
        """Remove the series that no vote is in any more."""
        conn.execute(delete(series).where(~exists().where(feedback_counts.c.series_id == series.c.id)))
        self._series.forget()

    def _retract(self, conn: Connection, feedback_id: str, owner: str | None) -> Receipt | CanopyError | None:
        f, g, s = feedback.c, generations.c, series.c
        row = conn.execute(
            select(feedback, s.feature, s.name, s.kind, s.value, s.sentiment, s.prompt_id, s.model, g.trace_id)
            .join_from(feedback, series)
            .join(generations, isouter=True)
            .where(f.id == feedback_id)
        ).first()
        if row is None:
            return None
        if owner is not None and voter_of(row.user_id, row.user_proof, row.session_id) != owner:
            return FeedbackForeign("Somebody else gave this feedback. They or a reviewer can take it back.")
        self.remove_where(conn, f.id == feedback_id)
        return Receipt(
            feedback_id=row.id,
            outcome="deleted",
            timestamp=row.updated_at,
            feature=row.feature,
            kind=row.kind,
            value=row.value,
            sentiment=row.sentiment,
            input_length=row.input_length,
            response_length=row.response_length,
            generation_id=row.generation_id,
            trace_id=row.trace_id,
            prompt_id=row.prompt_id or None,
            model=row.model or None,
            config_revision=row.config_revision,
            name=row.name,
        )


def _per_count(rows: Sequence[Any]) -> Counter[tuple[int, int]]:
    return Counter((row.series_id, hour_of(row.updated_at)) for row in rows)
