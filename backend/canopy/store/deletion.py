"""Deletes records by age, or everything of a user or a session, in steps between which votes get their turn."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from sqlalchemy import ColumnElement, Connection, delete, exists, or_, select

from canopy.base.errors import InputError
from canopy.store.auth.sessions import SessionStore
from canopy.store.engine.executor import Executor, Facet
from canopy.store.experiments.ballot_counts import BallotCounter
from canopy.store.experiments.comparisons import both_bad_slots
from canopy.store.feedback.removal import STEP, Removal
from canopy.store.feedback.review_items import ReviewItems
from canopy.store.outbox.outbox import Outbox
from canopy.store.tables import (
    comparisons,
    experiments,
    feedback,
    generations,
    idempotency_keys,
    judgements,
    prompts,
)


class OlderThan(NamedTuple):
    """Selects everything before a time, in microseconds since the epoch."""

    time: int


class OwnedBy(NamedTuple):
    """Selects everything of a user or of a session."""

    column: Literal["user_id", "session_id"]
    owner: str


type Scope = OlderThan | OwnedBy


@dataclass(frozen=True, slots=True)
class DeletedCounts:
    """Counts the records that a deletion removed."""

    generations: int = 0
    feedback: int = 0
    comparisons: int = 0
    evaluations: int = 0  # generations that evaluations asked for; not among the others

    def __add__(self, other: "DeletedCounts") -> "DeletedCounts":
        return DeletedCounts(
            self.generations + other.generations,
            self.feedback + other.feedback,
            self.comparisons + other.comparisons,
            self.evaluations + other.evaluations,
        )


_NOTHING = DeletedCounts()


class Deletion(Facet):
    """Deletes records of every noun, and everything derived from them."""

    def __init__(
        self,
        executor: Executor,
        removal: Removal,
        items: ReviewItems,
        ballots: BallotCounter,
        outbox: Outbox,
        sessions: SessionStore,
    ) -> None:
        super().__init__(executor)
        self._feedback = removal
        self._items = items
        self._ballots = ballots
        self._outbox = outbox
        self._sessions = sessions

    async def prune(self, before: int) -> DeletedCounts:
        """Delete what was recorded before a time, in microseconds since the epoch."""
        return await self._delete(OlderThan(before))

    async def erase(self, *, user_id: str | None = None, session_id: str | None = None) -> DeletedCounts:
        """Delete everything of a user, of a session, or of both; end the user's sign-ins.

        Raises InputError when neither is named.
        """
        scopes: list[Scope] = []
        if user_id is not None:
            await self._sessions.end_of_user(user_id)
            await self._executor.write(self._items.forget_reviewer, user_id)
            scopes.append(OwnedBy("user_id", user_id))
        if session_id is not None:
            scopes.append(OwnedBy("session_id", session_id))
        if not scopes:
            raise InputError("Name the user or the session to erase.")
        return await self._delete(*scopes)

    async def _delete(self, *scopes: Scope) -> DeletedCounts:
        erased = _NOTHING
        for scope in scopes:
            while (step := await self._executor.write(self._steps, scope)) != _NOTHING:
                erased += step
            await self._executor.write(self._finish, scope)
        await self._executor.read(self._database.scrub)
        return erased

    def _steps(self, conn: Connection, scopes: Sequence[Scope]) -> list[DeletedCounts]:
        """Delete up to a step's worth of each scope, votes and comparisons before what they are on."""
        return [self._step(conn, scope) for scope in scopes]

    def _finish(self, conn: Connection, scopes: Sequence[Scope]) -> list[None]:
        """Delete what nothing refers to any more."""
        for scope in scopes:
            if isinstance(scope, OlderThan):
                conn.execute(delete(idempotency_keys).where(idempotency_keys.c.created_at < scope.time))
        p, e = prompts.c, experiments.c
        conn.execute(delete(experiments).where(~exists().where(comparisons.c.experiment_id == e.id)))
        compared = exists().where(or_(e.prompt_id == p.prompt_id, e.prompt_b_id == p.prompt_id))
        conn.execute(delete(prompts).where(~exists().where(generations.c.prompt_id == p.prompt_id), ~compared))
        self._feedback.unused_series(conn)
        return [None] * len(scopes)

    def _step(self, conn: Connection, scope: Scope) -> DeletedCounts:
        c, in_list = comparisons.c, self._database.in_list
        erased = isinstance(scope, OwnedBy)
        for own_comparisons in _own_comparisons(scope):
            if (step := self._delete_comparisons(conn, own_comparisons)) != _NOTHING:
                return step
        own_feedback, own_generations = _conditions(scope)
        if n := self._feedback.remove_where(conn, own_feedback, erased=erased):
            return DeletedCounts(feedback=n)
        g = generations.c
        doomed = conn.execute(select(g.id, g.input_digest, g.evaluation).where(own_generations).limit(STEP)).all()
        if not doomed:
            return _NOTHING
        ids = {"ids": self._database.list_param([row.id for row in doomed])}
        for generation in (c.generation_a, c.generation_b):
            if (step := self._delete_comparisons(conn, in_list(generation, "ids"), ids)) != _NOTHING:
                return step
        if n := self._feedback.remove_where(conn, in_list(feedback.c.generation_id, "ids"), ids, erased=erased):
            return DeletedCounts(feedback=n)
        conn.execute(delete(judgements).where(in_list(judgements.c.generation_id, "ids")), ids)
        conn.execute(delete(generations).where(in_list(generations.c.id, "ids")), ids)
        self._feedback.reviews(conn, {row.input_digest for row in doomed}, erased=erased)
        evaluations = sum(row.evaluation is True for row in doomed)
        return DeletedCounts(len(doomed) - evaluations, evaluations=evaluations)

    def _delete_comparisons(
        self, conn: Connection, condition: ColumnElement[bool], parameters: dict[str, Any] | None = None
    ) -> DeletedCounts:
        """Delete comparisons with the feedback that their ballots are: neither stays without the other."""
        c = comparisons.c
        statement = select(*self._ballots.columns, c.generation_a, c.generation_b).where(condition).limit(STEP // 2)
        rows = conn.execute(statement, parameters or {}).all()
        if not rows:
            return _NOTHING
        n = self._feedback.remove_slots(conn, [slot for row in rows for slot in both_bad_slots(row)])
        ids = {"ids": self._database.list_param([row.id for row in rows])}
        conn.execute(delete(comparisons).where(self._database.in_list(c.id, "ids")), ids)
        self._ballots.remove(conn, rows)
        self._outbox.touch(conn, [side for row in rows for side in (row.generation_a, row.generation_b)])
        return DeletedCounts(feedback=n, comparisons=len(rows))


def _conditions(scope: Scope) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """Return which feedback and which generations are in the scope by themselves."""
    if isinstance(scope, OlderThan):
        return feedback.c.updated_at < scope.time, generations.c.created_at < scope.time
    return feedback.c[scope.column] == scope.owner, generations.c[scope.column] == scope.owner


def _own_comparisons(scope: Scope) -> list[ColumnElement[bool]]:
    """Return which comparisons are in the scope by themselves. Each condition has its index."""
    c = comparisons.c
    if isinstance(scope, OlderThan):
        return [c.created_at < scope.time]
    return [c[scope.column] == scope.owner, c[f"ballot_{scope.column}"] == scope.owner]
