"""Judges' turns: at most one that ends for each generation, judge and version of the judge.

Every write is in the one writer's transaction, so that what is read there holds until it is written.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, delete, exists, insert, or_, select, tuple_, update

from canopy.base.errors import CanopyError
from canopy.store.engine.database import Database
from canopy.store.engine.writer import Writer
from canopy.store.feedback.vote import Receipt, Vote
from canopy.store.feedback.votes import Votes
from canopy.store.judges.turns import JudgementLease, Unjudged
from canopy.store.tables import comparisons, generations, judgements


class TurnEnd(NamedTuple):
    """The end of a turn: the label as a vote, or None where the judge gave no answer that can be used."""

    turn: JudgementLease
    vote: Vote | None


class Unlabelled(NamedTuple):
    """Which ended turns without a label are meant."""

    judge: str
    version: str
    since: int  # the generations', microseconds


class Judgements:
    """Handles turns in the writer's thread; `unjudged` reads in whatever thread calls."""

    def __init__(self, database: Database, votes: Votes, clock: Callable[[], int]) -> None:
        self._database = database
        self._votes = votes
        self._clock = clock

    def unjudged(self, judge: str, version: str, since: int, after: Unjudged | None, limit: int) -> list[Unjudged]:
        """The next complete generations, oldest first, on which nobody has this judge's turn."""
        g, j, c, now = generations.c, judgements.c, comparisons.c, self._clock()
        taken = exists().where(
            j.generation_id == g.id,
            j.judge == judge,
            j.version == version,
            or_(j.finished_at.is_not(None), j.leased_until > now),
        )
        # A label on one side of a comparison could tell which prompt it is before the ballot.
        revealed = exists().where(c.id == g.comparison_id, c.preference.is_not(None))
        statement = (
            select(g.created_at, g.id)
            .where(
                g.created_at >= since,
                g.status == "completed",
                g.evaluation.is_not(True),
                ~taken,
                or_(g.comparison_id.is_(None), revealed),
            )
            .order_by(g.created_at, g.id)
            .limit(limit)
        )
        if after is not None:
            statement = statement.where(tuple_(g.created_at, g.id) > tuple_(*after))
        with self._database.reader.connect() as conn:
            return [Unjudged(*row) for row in conn.execute(statement)]

    def take(self, conn: Connection, turns: Sequence[JudgementLease]) -> list[bool]:
        """Whether each turn could be taken."""
        return [self._take(conn, turn) for turn in turns]

    def end(self, conn: Connection, verdicts: Sequence[TurnEnd]) -> list[Receipt | CanopyError | None]:
        """End turns with verdicts; None where there is no vote, or where the turn is somebody else's by now."""
        return [self._end(conn, verdict) for verdict in verdicts]

    def give_back(self, conn: Connection, turns: Sequence[JudgementLease]) -> list[None]:
        """Let anybody take these turns."""
        for turn in turns:
            conn.execute(delete(judgements).where(_own(turn)))
        return [None] * len(turns)

    def reopen_unlabelled(self, conn: Connection, requests: Sequence[Unlabelled]) -> list[int]:
        """Forget the turns that ended without a label."""
        j, g = judgements.c, generations.c
        counts = []
        for judge, version, since in requests:
            ended = and_(j.judge == judge, j.version == version, j.finished_at.is_not(None), j.feedback_id.is_(None))
            recent = exists().where(g.id == j.generation_id, g.created_at >= since)
            counts.append(conn.execute(delete(judgements).where(ended, recent)).rowcount)
        return counts

    def _take(self, conn: Connection, turn: JudgementLease) -> bool:
        j, now = judgements.c, self._clock()
        values = {"owner": turn.owner, "leased_until": now + turn.lease}
        row = conn.execute(select(j.finished_at, j.leased_until).where(_of(turn))).first()
        if row is not None:
            if row.finished_at is not None or row.leased_until > now:
                return False
            conn.execute(update(judgements).where(_of(turn)).values(values))
            return True
        if conn.execute(select(generations.c.id).where(generations.c.id == turn.generation_id)).first() is None:
            return False  # deleted meanwhile
        key = {"generation_id": turn.generation_id, "judge": turn.judge, "version": turn.version}
        conn.execute(insert(judgements).values(key | values))
        return True

    def _end(self, conn: Connection, verdict: TurnEnd) -> Receipt | CanopyError | None:
        own = _own(verdict.turn)
        if conn.execute(select(judgements.c.judge).where(own)).first() is None:
            return None
        receipt: Receipt | None = None
        if verdict.vote is not None:
            (outcome,) = self._votes.record(conn, [verdict.vote])
            if isinstance(outcome, CanopyError):
                return outcome
            receipt = outcome
        ended = {"finished_at": self._clock(), "feedback_id": receipt.feedback_id if receipt is not None else None}
        conn.execute(update(judgements).where(own).values(ended))
        return receipt


class SqlTurns:
    """See `canopy.store.judges.turns.Turns` for what each method promises."""

    def __init__(self, judgements: Judgements, writer: Writer, read: Callable[..., Awaitable[Any]]) -> None:
        self._judgements = judgements
        self._writer = writer
        self._read = read

    async def unjudged(
        self, judge: str, version: str, since: int, after: Unjudged | None, limit: int
    ) -> list[Unjudged]:
        """Read what a judge has not looked at."""
        found: list[Unjudged] = await self._read(self._judgements.unjudged, judge, version, since, after, limit)
        return found

    async def take(self, turn: JudgementLease) -> bool:
        """Take a turn."""
        return await self._writer.submit(self._judgements.take, turn)

    async def end(self, turn: JudgementLease, vote: Vote | None) -> Receipt | None:
        """End a turn, with or without a label."""
        return await self._writer.submit(self._judgements.end, TurnEnd(turn, vote), due=True)

    async def give_back(self, turn: JudgementLease) -> None:
        """Let anybody take a turn."""
        await self._writer.submit(self._judgements.give_back, turn)

    async def reopen_unlabelled(self, judge: str, version: str, since: int) -> int:
        """Let turns be taken again that ended without a label."""
        return await self._writer.submit(self._judgements.reopen_unlabelled, Unlabelled(judge, version, since))


def _of(turn: JudgementLease) -> ColumnElement[bool]:
    j = judgements.c
    return and_(j.generation_id == turn.generation_id, j.judge == turn.judge, j.version == turn.version)


def _own(turn: JudgementLease) -> ColumnElement[bool]:
    """The turn, as long as it is its owner's and has not ended."""
    return and_(_of(turn), judgements.c.owner == turn.owner, judgements.c.finished_at.is_(None))
