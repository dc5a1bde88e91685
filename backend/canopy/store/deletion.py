"""Taking votes back, retention and erasure. The long ones go in steps, between which votes get their turn."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from sqlalchemy import ColumnElement, Connection, delete, exists, or_, select

from canopy.base.errors import CanopyError, FeedbackForeign
from canopy.store.engine.database import Database
from canopy.store.experiments import both_bad
from canopy.store.feedback.counting import Counts, hour_of
from canopy.store.feedback.series import SeriesIds
from canopy.store.feedback.vote import Receipt
from canopy.store.outbox.outbox import Outbox
from canopy.store.reviews.reviewing import forget
from canopy.store.tables import (
    comparisons,
    experiments,
    feedback,
    feedback_counts,
    generations,
    idempotency_keys,
    judgements,
    prompts,
    series,
)
from canopy.store.voters import voter_of

_STEP = 250  # records in one step


class OlderThan(NamedTuple):
    """What is to go: everything before a time."""

    time: int


class OwnedBy(NamedTuple):
    """What is to go: everything of a user or of a session."""

    column: Literal["user_id", "session_id"]
    owner: str


type Scope = OlderThan | OwnedBy


class Retraction(NamedTuple):
    """A vote to take back. With an `owner`, a voter's key, it must be theirs."""

    feedback_id: str
    owner: str | None


class DeletionStep(NamedTuple):
    """What one step deleted. Nothing means that nothing is left."""

    generations: int
    feedback: int
    comparisons: int
    evaluations: int = 0  # generations that are no users'; not among the others


class Deletion:
    """Handles deletions in the writer's thread."""

    def __init__(self, database: Database, ids: SeriesIds, counts: Counts, outbox: Outbox) -> None:
        self._database = database
        self._outbox = outbox
        self._member = database.member
        self._values = database.values
        self._counts = counts
        self._series = ids

    def feedback(self, conn: Connection, taken: Sequence[Retraction]) -> list[Receipt | CanopyError | None]:
        """Take votes back, one by one: it happens rarely."""
        return [self._one(conn, *one) for one in taken]

    def both_bad(self, conn: Connection, rows: Sequence[Any]) -> int:
        """Delete the feedback that ballots on these comparisons left behind."""
        slots = [slot for row in rows for slot in both_bad.slots(row)]
        return self._delete(conn, self._member(feedback.c.slot, "slots"), {"slots": self._values(slots)})

    def steps(self, conn: Connection, scopes: Sequence[Scope]) -> list[DeletionStep]:
        """Delete up to a step's worth of each scope, votes and comparisons before what they are on."""
        return [self._step(conn, scope) for scope in scopes]

    def finish(self, conn: Connection, scopes: Sequence[Scope]) -> list[None]:
        """Delete what nothing refers to any more."""
        for scope in scopes:
            if isinstance(scope, OlderThan):
                conn.execute(delete(idempotency_keys).where(idempotency_keys.c.created_at < scope.time))
        p, e = prompts.c, experiments.c
        conn.execute(delete(experiments).where(~exists().where(comparisons.c.experiment_id == e.id)))
        compared = exists().where(or_(e.prompt_id == p.prompt_id, e.prompt_b_id == p.prompt_id))
        conn.execute(delete(prompts).where(~exists().where(generations.c.prompt_id == p.prompt_id), ~compared))
        conn.execute(delete(series).where(~exists().where(feedback_counts.c.series_id == series.c.id)))
        self._series.forget()
        return [None] * len(scopes)

    def _one(self, conn: Connection, feedback_id: str, owner: str | None) -> Receipt | CanopyError | None:
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
        self._delete(conn, f.id == feedback_id)
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

    def _step(self, conn: Connection, scope: Scope) -> DeletionStep:
        c = comparisons.c
        keys = isinstance(scope, OwnedBy)
        for own_comparisons in _own_comparisons(scope):
            if step := self._delete_comparisons(conn, own_comparisons):
                return step
        own_feedback, own_generations = _conditions(scope)
        if n := self._delete(conn, own_feedback, keys=keys):
            return DeletionStep(0, n, 0)
        g = generations.c
        doomed = conn.execute(select(g.id, g.input_digest, g.evaluation).where(own_generations).limit(_STEP)).all()
        if not doomed:
            return DeletionStep(0, 0, 0)
        ids = {"ids": self._values([row.id for row in doomed])}
        for generation in (c.generation_a, c.generation_b):
            if step := self._delete_comparisons(conn, self._member(generation, "ids"), ids):
                return step
        if n := self._delete(conn, self._member(feedback.c.generation_id, "ids"), ids, keys=keys):
            return DeletionStep(0, n, 0)
        conn.execute(delete(judgements).where(self._member(judgements.c.generation_id, "ids")), ids)
        conn.execute(delete(generations).where(self._member(generations.c.id, "ids")), ids)
        forget(conn, self._database, {row.input_digest for row in doomed}, whoever_else_voted=keys)
        evaluations = sum(row.evaluation is True for row in doomed)
        return DeletionStep(len(doomed) - evaluations, 0, 0, evaluations)

    def _delete_comparisons(
        self, conn: Connection, condition: ColumnElement[bool], parameters: dict[str, Any] | None = None
    ) -> DeletionStep | None:
        """Delete comparisons with the feedback that their ballots are: neither stays without the other."""
        c = comparisons.c
        statement = select(c.id, c.generation_a, c.generation_b).where(condition).limit(_STEP // 2)
        rows = conn.execute(statement, parameters or {}).all()
        if not rows:
            return None
        n = self.both_bad(conn, rows)
        ids = {"ids": self._values([row.id for row in rows])}
        conn.execute(delete(comparisons).where(self._member(c.id, "ids")), ids)
        self._outbox.touch(conn, [side for row in rows for side in (row.generation_a, row.generation_b)])
        return DeletionStep(0, n, len(rows))

    def _delete(
        self,
        conn: Connection,
        condition: ColumnElement[bool],
        parameters: dict[str, Any] | None = None,
        *,
        keys: bool = False,
    ) -> int:
        """Delete up to a step's worth of feedback, its share in the counts and, with `keys`, what tells a retry."""
        f = feedback.c
        rows = conn.execute(
            select(f.id, f.series_id, f.updated_at, f.input_digest).where(condition).limit(_STEP), parameters or {}
        ).all()
        if rows:
            ids = {"ids": self._values([row.id for row in rows])}
            self._database.unindex(conn, [row.id for row in rows])
            conn.execute(delete(feedback).where(self._member(f.id, "ids")), ids)
            forget(conn, self._database, {row.input_digest for row in rows}, whoever_else_voted=keys)
            self._outbox.touch(conn, [row.id for row in rows])
            if keys:
                conn.execute(delete(idempotency_keys).where(self._member(idempotency_keys.c.feedback_id, "ids")), ids)
            self._counts.add(conn, Counter({key: -n for key, n in _per_count(rows).items()}))
        return len(rows)


def _per_count(rows: Sequence[Any]) -> Counter[tuple[int, int]]:
    return Counter((row.series_id, hour_of(row.updated_at)) for row in rows)


def _conditions(scope: Scope) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """Which feedback and which generations are in the scope by themselves."""
    if isinstance(scope, OlderThan):
        return feedback.c.updated_at < scope.time, generations.c.created_at < scope.time
    return feedback.c[scope.column] == scope.owner, generations.c[scope.column] == scope.owner


def _own_comparisons(scope: Scope) -> list[ColumnElement[bool]]:
    """Which comparisons are in the scope by themselves. Each condition has its index."""
    c = comparisons.c
    if isinstance(scope, OlderThan):
        return [c.created_at < scope.time]
    return [c[scope.column] == scope.owner, c[f"ballot_{scope.column}"] == scope.owner]
