"""Reading judges' labels: those of a page of responses, beside people's votes, and how the two agree."""

from collections import defaultdict

from sqlalchemy import and_, bindparam, func, select

from canopy.config.values import SATISFACTION
from canopy.store.engine.database import Database
from canopy.store.feedback.vote import JUDGEMENT
from canopy.store.judges.labels import Agreement, JudgeLabel, PersonVote
from canopy.store.tables import feedback, judgements, series

_VOTES = 5  # shown of one response


class Labelling:
    """Reads in whatever thread calls."""

    def __init__(self, database: Database) -> None:
        self._database = database
        f, s = feedback.c, series.c
        self._labels = (
            select(f.generation_id, f.id, s.name, s.value, s.sentiment, f.source_id, f.comment)
            .join_from(feedback, series)
            .where(database.member(f.generation_id, "ids"), s.kind == JUDGEMENT)
            .order_by(s.name)
        )
        self._votes = (
            select(f.id, s.kind, s.value, s.sentiment, f.comment)
            .join_from(feedback, series)
            .where(f.generation_id == bindparam("generation_id"), s.kind != JUDGEMENT)
            .order_by((f.updated_at + 0).desc(), f.id.desc())  # along the generation's index, not that of the times
            .limit(_VOTES)
        )

    def labels(self, generation_ids: list[str]) -> dict[str, list[JudgeLabel]]:
        """Every judge's label by generation."""
        found: dict[str, list[JudgeLabel]] = defaultdict(list)
        with self._database.reader.connect() as conn:
            for row in conn.execute(self._labels, {"ids": self._database.values(generation_ids)}):
                found[row[0]].append(JudgeLabel(*row[1:]))
        return dict(found)

    def votes(self, generation_ids: list[str]) -> dict[str, list[PersonVote]]:
        """People's newest votes by generation."""
        found: dict[str, list[PersonVote]] = {}
        with self._database.reader.connect() as conn:
            for generation_id in generation_ids:
                if rows := conn.execute(self._votes, {"generation_id": generation_id}).all():
                    found[generation_id] = [PersonVote._make(row) for row in rows]
        return found

    def agreement(self, judge: str, version: str, since: int) -> list[Agreement]:
        """Pairs of a label and a vote, over the labels since a time: the index (series, time) finds those."""
        label, vote = feedback.alias("label"), feedback.alias("vote")
        said, voted = series.alias("said"), series.alias("voted")
        j = judgements.c
        shared = (said.c.value, said.c.sentiment, voted.c.sentiment)
        turns = and_(j.generation_id == label.c.generation_id, j.judge == judge, j.version == version)
        statement = (
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
            .order_by(*shared)
        )
        with self._database.reader.connect() as conn:
            return [Agreement(*row) for row in conn.execute(statement)]
