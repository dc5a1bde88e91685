"""Reads experiments, and what became of their comparisons: counts, first ballots, pages of ballots."""

from typing import Any

import orjson
from sqlalchemy import ColumnElement, Select, func, select

from canopy.config.features import BUILT_IN
from canopy.stats.sequential import DecisionRule
from canopy.store.engine.cursors import Place, decode_cursor, encode_cursor
from canopy.store.engine.executor import Executor, Facet, reads
from canopy.store.experiments.experiment import BallotCounts, BallotPage, BallotRow, Experiment, FirstBallot, winner
from canopy.store.feedback.pages import fitting, newest_first
from canopy.store.tables import comparisons, experiments, generations, prompts


class ExperimentStore(Facet):
    """Reads experiments and the ballots on their comparisons."""

    def __init__(self, executor: Executor) -> None:
        super().__init__(executor)
        c, e = comparisons.c, experiments.c
        prompt, prompt_b = prompts.alias("prompt"), prompts.alias("other_prompt")
        self._experiments = (
            select(experiments, prompt.c.text.label("prompt_text"), prompt_b.c.text.label("prompt_b_text"))
            .select_from(experiments)
            .join(prompt, prompt.c.prompt_id == e.prompt_id)
            .join(prompt_b, prompt_b.c.prompt_id == e.prompt_b_id)
            .order_by(e.used_at.desc(), e.id.desc())
        )
        self._counts = (
            select(c.preference, c.prompt_b_side, func.count().label("n"))
            .where(c.preference.is_not(None))
            .group_by(c.preference, c.prompt_b_side)
        )
        left, right = generations.alias("left_side"), generations.alias("right_side")
        self._ballots = (
            select(
                c.id.label("comparison_id"),
                c.experiment_id,
                c.updated_at.label("timestamp"),
                c.preference,
                c.prompt_b_side,
                left.c.input_text,
                left.c.response_text.label("response_a"),
                right.c.response_text.label("response_b"),
                c.generation_a,
                c.generation_b,
                c.comment,
                c.reasons,
                func.coalesce(c.ballot_user_id, c.user_id).label("user_id"),
                func.coalesce(c.ballot_session_id, c.session_id).label("session_id"),
                c.trace_id,
                e.prompt_id,
                e.prompt_b_id,
                e.model,
                c.config_revision,
            )
            .select_from(comparisons.join(experiments))
            .join(left, left.c.id == c.generation_a)
            .join(right, right.c.id == c.generation_b)
            .where(self._database.in_list(c.id, "ids"))
            .order_by(c.updated_at.desc(), c.id.desc())
        )
        chars = left.c.input_length + left.c.response_length + right.c.response_length
        self._places = (
            select(c.updated_at, c.id, (chars + func.coalesce(func.length(c.comment), 0)).label("chars"))
            .select_from(comparisons)
            .join(left, left.c.id == c.generation_a)
            .join(right, right.c.id == c.generation_b)
            .where(c.preference.is_not(None))
        )

    @reads
    def all(self) -> list[Experiment]:
        """Read every experiment, the one last used first. There are as many as there were changes to the values."""
        with self._database.reader.connect() as conn:
            rows = conn.execute(self._experiments).all()
        return [
            Experiment(
                id=row.id,
                created_at=row.created_at,
                prompt_id=row.prompt_id,
                prompt_text=row.prompt_text,
                prompt_b_id=row.prompt_b_id,
                prompt_b_text=row.prompt_b_text,
                model=row.model,
                temperature=row.temperature,
                max_tokens=row.max_tokens,
                rule=DecisionRule(row.alpha, row.prior, row.delta, row.n_max),
                feature=row.feature or BUILT_IN,
            )
            for row in rows
        ]

    @reads
    def ballot_counts(self, experiment_id: str | None, feature: str | None = None) -> BallotCounts:
        """Count the ballots of an experiment, or with None those of all, of a feature's or of every feature's."""
        with self._database.reader.connect() as conn:
            rows = conn.execute(self._counts.where(*_in(experiment_id, feature))).all()
        of = {"a": 0, "b": 0, "tie": 0, "both_bad": 0}
        for row in rows:
            of[row.preference] += row.n
        wins_b = sum(row.n for row in rows if row.preference == row.prompt_b_side)
        return BallotCounts(
            ballots=sum(of.values()),
            wins_prompt=of["a"] + of["b"] - wins_b,
            wins_prompt_b=wins_b,
            ties=of["tie"],
            both_bad=of["both_bad"],
            prompt_b_left=sum(row.n for row in rows if row.prompt_b_side == "a"),
        )

    @reads
    def first_ballots(self, experiment_id: str) -> list[FirstBallot]:
        """Read each voter's first ballot in an experiment, in its first form and in the order in which they came."""
        c = comparisons.c
        place = func.row_number().over(partition_by=c.voter, order_by=(c.voted_at, c.id)).label("place")
        ranked = (
            select(c.id, c.voted_at, c.first_preference, c.prompt_b_side, place)
            .where(c.experiment_id == experiment_id, c.preference.is_not(None))
            .subquery()
        )
        r = ranked.c
        statement = (
            select(r.id, r.voted_at, r.first_preference, r.prompt_b_side).where(r.place == 1).order_by(r.voted_at, r.id)
        )
        with self._database.reader.connect() as conn:
            rows = conn.execute(statement).all()
        return [
            FirstBallot(key, voted_at, preference, winner(preference, prompt_b_side))
            for key, voted_at, preference, prompt_b_side in rows
        ]

    @reads
    def ballots(
        self, experiment_id: str | None, limit: int, cursor: str | None, feature: str | None = None
    ) -> BallotPage:
        """Read one page of the ballots that `ballot_counts` counts; fewer than `limit` where texts are long.

        Raises InputError for a cursor that isn't its own.
        """
        before = None if cursor is None else decode_cursor(cursor, "cmp")
        statement = _newest(self._places.where(*_in(None, feature)), experiment_id, before).limit(limit + 1)
        with self._database.reader.connect() as conn:
            places = conn.execute(statement).all()
            shown = places[: fitting([it.chars for it in places[:limit]])]
            rows = conn.execute(self._ballots, {"ids": self._database.list_param([it.id for it in shown])}).all()
        last = (shown[-1].updated_at, shown[-1].id) if len(places) > len(shown) else None
        return BallotPage([_entry(row) for row in rows], None if last is None else encode_cursor(last))

    @reads
    def ballot(self, comparison_id: str) -> BallotRow | None:
        """Read the ballot on one comparison; None where there is none yet."""
        with self._database.reader.connect() as conn:
            row = conn.execute(self._ballots, {"ids": self._database.list_param([comparison_id])}).first()
        return None if row is None or row.preference is None else _entry(row)


def _newest(statement: Select[Any], experiment_id: str | None, before: Place | None) -> Select[Any]:
    """Select the newest first, from a place on, of one experiment: as a range of its index, like pages of feedback."""
    place = (comparisons.c.updated_at, comparisons.c.id)
    if experiment_id is None:
        return newest_first(statement, place, before)
    its = comparisons.c.experiment_id
    if before is None:
        statement = statement.where(its <= experiment_id)
    return newest_first(
        statement.where(its >= experiment_id), (its, *place), None if before is None else (experiment_id, *before)
    )


def _in(experiment_id: str | None, feature: str | None) -> list[ColumnElement[bool]]:
    its = comparisons.c.experiment_id
    found = [] if experiment_id is None else [its == experiment_id]
    if feature is not None:
        of_feature = func.coalesce(experiments.c.feature, BUILT_IN) == feature
        found.append(its.in_(select(experiments.c.id).where(of_feature)))
    return found


def _entry(row: Any) -> BallotRow:
    values = row._asdict()
    return BallotRow(
        **values | {"winner": winner(row.preference, row.prompt_b_side), "reasons": orjson.loads(row.reasons)}
    )
