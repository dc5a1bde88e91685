"""Gives judges their turns and records their labels: at most one for each generation, judge and version of the judge.

Every write is in the one writer's transaction, so that what is read there holds until it is written, for every
process at once.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from typing import NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    and_,
    bindparam,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    tuple_,
    update,
)

from canopy.base.errors import CanopyError
from canopy.base.ratings import JUDGEMENT
from canopy.config.values import SATISFACTION
from canopy.store.engine.executor import Executor, Facet, reads
from canopy.store.feedback.vote import Receipt, Vote
from canopy.store.feedback.votes import Votes
from canopy.store.judges.judgement import AgreementCount, JudgeLabel, JudgementLease, PersonVote, Unjudged
from canopy.store.review_tables import label_opinions
from canopy.store.tables import comparisons, feedback, generations, judgements, series

_VOTES = 5  # of people, shown of one response


class TurnEnd(NamedTuple):
    """Ends a turn: with the label as a vote, or None where the judge gave no answer that can be used."""

    turn: JudgementLease
    vote: Vote | None


class UnlabelledTurns(NamedTuple):
    """Selects ended turns without a label."""

    judge: str
    version: str
    since: int  # the generations', microseconds


class JudgementStore(Facet):
    """Gives turns to judges, records their labels, and reads those beside people's votes."""

    def __init__(self, executor: Executor, votes: Votes, clock: Callable[[], int]) -> None:
        super().__init__(executor)
        self._votes = votes
        self._clock = clock
        f, s = feedback.c, series.c
        self._labels = (
            select(f.generation_id, f.id, s.name, s.value, s.sentiment, f.source_id, f.comment)
            .join_from(feedback, series)
            .where(self._database.in_list(f.generation_id, "ids"), s.kind == JUDGEMENT)
            .order_by(s.name)
        )
        person_votes = (
            select(f.generation_id, f.updated_at, f.id, s.kind, s.value, s.sentiment, f.comment)
            .join_from(feedback, series)
            .where(s.kind != JUDGEMENT)
        )
        self._person_votes = person_votes.where(self._database.in_list(f.generation_id, "ids")).limit(
            bindparam("most", type_=Integer)
        )
        self._newest_person_votes = (
            person_votes.where(f.generation_id == bindparam("generation_id"))
            .order_by((f.updated_at + 0).desc(), f.id.desc())  # along the generation's index, not that of the times
            .limit(_VOTES)
        )

    @reads
    def unjudged(self, judge: str, version: str, since: int, after: Unjudged | None, limit: int) -> list[Unjudged]:
        """Read the next complete generations since a time, oldest first, on which nobody has this judge's turn.

        `after` is the last one of the page before. Sides of comparisons without a ballot and evaluations are left out.
        """
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

    async def take(self, turn: JudgementLease) -> bool:
        """Take a turn; false where somebody has it and their lease still runs, or where it has ended."""
        return await self._executor.write(self._take_each, turn)

    async def end(self, turn: JudgementLease, vote: Vote | None) -> Receipt | None:
        """End a turn for good: with a label, which is stored, or without, where no answer could be used.

        None without a label, and where the turn is somebody else's by now; then nothing is stored.
        """
        return await self._executor.write(self._end_each, TurnEnd(turn, vote), reserve=True)

    async def give_back(self, turn: JudgementLease) -> None:
        """Let anybody take a turn that has not ended."""
        await self._executor.write(self._give_back, turn)

    async def reopen_unlabelled(self, judge: str, version: str, since: int) -> int:
        """Let turns that ended without a label, on generations since a time, be taken again. Returns how many."""
        return await self._executor.write(self._reopen_unlabelled, UnlabelledTurns(judge, version, since))

    @reads
    def labels(self, generation_ids: Sequence[str]) -> dict[str, list[JudgeLabel]]:
        """Read the judges' labels by generation; none for one that no judge has labelled."""
        found: dict[str, list[JudgeLabel]] = defaultdict(list)
        with self._database.reader.connect() as conn:
            for row in conn.execute(self._labels, {"ids": self._database.list_param(list(generation_ids))}):
                found[row[0]].append(JudgeLabel(*row[1:]))
        return dict(found)

    @reads
    def person_votes(self, generation_ids: Sequence[str]) -> dict[str, list[PersonVote]]:
        """Read people's newest votes by generation, a few of each."""
        most = _VOTES * len(generation_ids)
        with self._database.reader.connect() as conn:
            ids = self._database.list_param(list(generation_ids))
            rows = conn.execute(self._person_votes, {"ids": ids, "most": most + 1}).all()
            if len(rows) > most:  # somebody voted a thousand times: only the newest of each are read
                rows = [
                    row
                    for it in generation_ids
                    for row in conn.execute(self._newest_person_votes, {"generation_id": it})
                ]
        found: dict[str, list[PersonVote]] = defaultdict(list)
        for generation_id, _, *vote in sorted(rows, key=lambda row: (row.updated_at, row.id), reverse=True):
            if len(found[generation_id]) < _VOTES:
                found[generation_id].append(PersonVote._make(vote))
        return dict(found)

    @reads
    def last_labelled(self, judges: Sequence[str]) -> dict[str, int]:
        """Read when each of these judges last gave a label, in microseconds; those that never did are left out."""
        f, s = feedback.c, series.c
        # The index (series, time) has the newest of each series at its end.
        newest = select(func.max(f.updated_at)).where(f.series_id == s.id).scalar_subquery()
        of_judges = select(s.name, newest).where(s.kind == JUDGEMENT, self._database.in_list(s.name, "judges"))
        found: dict[str, int] = {}
        with self._database.reader.connect() as conn:
            for name, at in conn.execute(of_judges, {"judges": self._database.list_param(list(judges))}):
                if at is not None:
                    found[name] = max(at, found.get(name, 0))
        return found

    @reads
    def agreement(self, judge: str, version: str, since: int) -> list[AgreementCount]:
        """Count a judge's labels since a time against what people say of the same generations.

        There is one pair for each vote on satisfaction, and one for each label about which a reviewer has an opinion.
        """
        label, vote = feedback.alias("label"), feedback.alias("vote")
        said, voted = series.alias("said"), series.alias("voted")
        j = judgements.c
        shared = (said.c.value, said.c.sentiment, voted.c.sentiment)
        turns = and_(j.generation_id == label.c.generation_id, j.judge == judge, j.version == version)
        statement = (  # the index (series, time) finds the labels
            select(*shared, func.count())
            .select_from(label)
            .join(said, said.c.id == label.c.series_id)
            .join(judgements, turns)
            .join(vote, vote.c.generation_id == label.c.generation_id)
            .join(voted, voted.c.id == vote.c.series_id)
            .where(
                said.c.kind == JUDGEMENT,
                said.c.name == judge,
                label.c.updated_at >= since,
                j.feedback_id == label.c.id,
                voted.c.kind != JUDGEMENT,
                voted.c.name == SATISFACTION,
            )
            .group_by(*shared)
        )
        o = label_opinions.c
        said_by_reviewers = (
            select(said.c.value, said.c.sentiment, o.sentiment, func.count())
            .select_from(label)
            .join(said, said.c.id == label.c.series_id)
            .join(judgements, turns)
            .join(label_opinions, and_(o.feedback_id == label.c.id, o.series_id == label.c.series_id))
            .where(
                said.c.kind == JUDGEMENT,
                said.c.name == judge,
                label.c.updated_at >= since,
                j.feedback_id == label.c.id,
            )
            .group_by(said.c.value, said.c.sentiment, o.sentiment)
        )
        pairs: Counter[tuple[str, int, int]] = Counter()
        with self._database.reader.connect() as conn:
            for asked in (statement, said_by_reviewers):
                pairs.update({(row[0], row[1], row[2]): row[3] for row in conn.execute(asked)})
        return [AgreementCount(*pair, n) for pair, n in sorted(pairs.items())]

    def _take_each(self, conn: Connection, turns: Sequence[JudgementLease]) -> list[bool]:
        return [self._take(conn, turn) for turn in turns]

    def _end_each(self, conn: Connection, ends: Sequence[TurnEnd]) -> list[Receipt | CanopyError | None]:
        return [self._end(conn, it) for it in ends]

    def _give_back(self, conn: Connection, turns: Sequence[JudgementLease]) -> list[None]:
        for turn in turns:
            conn.execute(delete(judgements).where(_own(turn)))
        return [None] * len(turns)

    def _reopen_unlabelled(self, conn: Connection, requests: Sequence[UnlabelledTurns]) -> list[int]:
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

    def _end(self, conn: Connection, it: TurnEnd) -> Receipt | CanopyError | None:
        own = _own(it.turn)
        if conn.execute(select(judgements.c.judge).where(own)).first() is None:
            return None
        receipt: Receipt | None = None
        if it.vote is not None:
            (outcome,) = self._votes.record(conn, [it.vote])
            if isinstance(outcome, CanopyError):
                return outcome
            receipt = outcome
        ended = {"finished_at": self._clock(), "feedback_id": receipt.feedback_id if receipt is not None else None}
        conn.execute(update(judgements).where(own).values(ended))
        return receipt


def _of(turn: JudgementLease) -> ColumnElement[bool]:
    j = judgements.c
    return and_(j.generation_id == turn.generation_id, j.judge == turn.judge, j.version == turn.version)


def _own(turn: JudgementLease) -> ColumnElement[bool]:
    """Return the condition that a turn is still its owner's and has not ended."""
    return and_(_of(turn), judgements.c.owner == turn.owner, judgements.c.finished_at.is_(None))
