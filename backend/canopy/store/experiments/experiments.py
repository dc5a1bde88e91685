"""Reads experiments, and what became of their comparisons: counts, first ballots, pages of ballots."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import BigInteger, Column, ColumnElement, Select, and_, bindparam, cast, func, or_, select

from canopy.config.features import BUILT_IN
from canopy.stats.sequential import DecisionRule
from canopy.store.engine.cursors import Place, decode_cursor, encode_cursor
from canopy.store.engine.executor import Executor, Facet, reads
from canopy.store.experiments.ballot_counts import EVER, FIRST, FIRST_BY_DAY, IN_FORCE, BallotCounter
from canopy.store.experiments.experiment import (
    BallotCounts,
    BallotPage,
    BallotRow,
    Experiment,
    FirstBallot,
    FirstBallots,
    WinsSoFar,
    winner,
)
from canopy.store.feedback.hourly_counts import DAY, HOUR, hour_of
from canopy.store.feedback.pages import fitting, newest_first
from canopy.store.tables import ballot_counts, comparisons, experiments, generations, prompts, uncounted

_SINGLE = 500  # first ballots that the course of an experiment has one by one
_BY_HOUR = 9 * DAY  # of its end that it has by the hour, and days before: more than the forecast takes its pace from


class ExperimentStore(Facet):
    """Reads experiments and the ballots on their comparisons."""

    def __init__(self, executor: Executor, counter: BallotCounter) -> None:
        super().__init__(executor)
        self._counter = counter
        c, e = comparisons.c, experiments.c
        prompt, prompt_b = prompts.alias("prompt"), prompts.alias("other_prompt")
        self._experiments = (
            select(experiments, prompt.c.text.label("prompt_text"), prompt_b.c.text.label("prompt_b_text"))
            .select_from(experiments)
            .join(prompt, prompt.c.prompt_id == e.prompt_id)
            .join(prompt_b, prompt_b.c.prompt_id == e.prompt_b_id)
            .order_by(e.used_at.desc(), e.id.desc())
        )
        b = ballot_counts.c
        self._counts = select(
            b.experiment_id, b.of_first, b.preference, b.prompt_b_side, cast(func.sum(b.n), BigInteger).label("n")
        ).group_by(b.experiment_id, b.of_first, b.preference, b.prompt_b_side)
        its = b.experiment_id == bindparam("experiment")
        hours = _sums_by_hour().where(its)
        self._last_hour = select(func.max(b.hour)).where(its, b.of_first == FIRST)
        self._last_day = select(func.max(b.hour).label("day")).where(its, b.of_first == FIRST_BY_DAY)
        self._days = hours.where(b.of_first == FIRST_BY_DAY, b.hour < bindparam("fine"))
        self._hours = hours.where(b.of_first == FIRST, b.hour >= bindparam("fine"))
        self._firsts = (
            select(c.id, c.first_at, c.first_preference, c.prompt_b_side)
            .where(c.experiment_id == bindparam("experiment"), c.first_at.is_not(None))
            .order_by(c.first_at, c.id)
        )
        # In the order of its index, or else SQLite looks at all there are.
        self._uncounted = select(c.id).where(uncounted).order_by(c.voted_at, c.id).limit(1)
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
                e.model_b,
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
                name=row.name,
                hypothesis=row.hypothesis,
                model_b=row.model_b,
                temperature_b=row.temperature_b,
                max_tokens_b=row.max_tokens_b,
            )
            for row in rows
        ]

    async def ballot_counts(
        self,
        experiment_id: str | None,
        feature: str | None = None,
        since: int | None = None,
        until: int | None = None,
        *,
        prompt_id: str | None = None,
        model: str | None = None,
    ) -> BallotCounts:
        """Count the ballots of an experiment, or with None those of all, of a feature's or of every feature's.

        `prompt_id` and `model` take those on comparisons in which a variant had this prompt, and this model.
        The times (microseconds) are those of the ballots in force, and widen to whole hours.
        """
        await self.catch_up()
        b = ballot_counts.c
        conditions = _in(b.experiment_id, experiment_id, feature, prompt_id, model)
        if experiment_id is None:
            conditions.append(b.experiment_id.in_(_KNOWN))
        if since is not None:
            conditions.append(b.hour >= hour_of(since))
        if until is not None:
            conditions.append(b.hour < until)
        conditions.append(b.of_first == (EVER if since is None and until is None else IN_FORCE))
        return _counts(await self._executor.read(self._rows, self._counts.where(*conditions)))

    async def ballot_counts_by_experiment(self) -> dict[str, tuple[BallotCounts, BallotCounts]]:
        """Count the ballots of each experiment that has any: all of them, and each voter's first."""
        await self.catch_up()
        found: dict[str, dict[int, list[Any]]] = {}
        b = ballot_counts.c
        statement = self._counts.where(b.experiment_id.in_(_KNOWN), b.of_first.in_((EVER, FIRST_BY_DAY)))
        for row in await self._executor.read(self._rows, statement):
            found.setdefault(row.experiment_id, {EVER: [], FIRST_BY_DAY: []})[row.of_first].append(row)
        return {name: (_counts(of[EVER]), _counts(of[FIRST_BY_DAY])) for name, of in found.items()}

    async def first_ballots(self, experiment_id: str) -> list[FirstBallot]:
        """Read each voter's first ballot in an experiment, in its first form and in the order in which they came."""
        await self.catch_up()
        return _ballots(await self._executor.read(self._rows, self._firsts, {"experiment": experiment_id}))

    async def first_ballot_counts(self, experiment_id: str) -> FirstBallots:
        """Count the same. What it costs doesn't grow with them: the course of many is read by the day and the hour."""
        await self.catch_up()
        return await self._executor.read(self._first_ballot_counts, experiment_id)

    def _first_ballot_counts(self, experiment_id: str) -> FirstBallots:
        wanted: dict[str, Any] = {"experiment": experiment_id}
        with self._database.reader.connect() as conn:
            rows = conn.execute(self._firsts.limit(_SINGLE + 1), wanted).all()
            if len(rows) <= _SINGLE:
                return FirstBallots.of(_ballots(rows))
            last = conn.execute(self._last_hour, wanted).scalar() or 0
            wanted["fine"] = last - last % DAY - _BY_HOUR
            stretches = [(DAY, conn.execute(self._days, wanted).all()), (HOUR, conn.execute(self._hours, wanted).all())]
        return _summed(FirstBallots.of(_ballots(rows[:_SINGLE])).course, stretches)

    async def first_ballots_by_hour(self, feature: str, since: int) -> list[tuple[int, int]]:
        """Count voters' first ballots that chose a side, in all experiments of a feature, oldest first.

        Each with the hour (microseconds) in which they came, from `since` on.
        """
        await self.catch_up()
        b = ballot_counts.c
        statement = (
            select(b.hour, cast(func.sum(b.n), BigInteger).label("n"))
            .where(*_in(b.experiment_id, None, feature), b.of_first == FIRST, b.hour >= hour_of(since))
            .where(b.preference.in_(("a", "b")))
            .group_by(b.hour)
            .order_by(b.hour)
        )
        return [(row.hour, row.n) for row in await self._executor.read(self._rows, statement)]

    async def last_first_ballot(self, experiment_id: str) -> int | None:
        """Return the end of the day (UTC, microseconds) on which somebody voted for the first time; None for nobody."""
        await self.catch_up()
        rows = await self._executor.read(self._rows, self._last_day, {"experiment": experiment_id})
        return None if rows[0].day is None else rows[0].day + DAY

    async def catch_up(self) -> None:
        """Count what a version from before the counts has written, in a rollout or before an update was repeated."""
        while await self._executor.read(self._rows, self._uncounted):
            await self._executor.write(self._counter.settle, None)

    def _rows(self, statement: Select[Any], parameters: Mapping[str, Any] | None = None) -> Sequence[Any]:
        with self._database.reader.connect() as conn:
            return conn.execute(statement, parameters or {}).all()

    @reads
    def ballots(
        self, experiment_id: str | None, limit: int, cursor: str | None, feature: str | None = None
    ) -> BallotPage:
        """Read one page of the ballots that `ballot_counts` counts; fewer than `limit` where texts are long.

        Raises InputError for a cursor that isn't its own.
        """
        before = None if cursor is None else decode_cursor(cursor, "cmp")
        statement = _newest(
            self._places.where(*_in(comparisons.c.experiment_id, None, feature)), experiment_id, before
        ).limit(limit + 1)
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


# With it the few counts of each experiment are looked up, instead of looked for among the hours of all.
_KNOWN = select(experiments.c.id)


def _in(
    its: Column[Any],
    experiment_id: str | None,
    feature: str | None,
    prompt_id: str | None = None,
    model: str | None = None,
) -> list[ColumnElement[bool]]:
    e, wanted = experiments.c, list[ColumnElement[bool]]()
    if feature is not None:
        wanted.append(func.coalesce(e.feature, BUILT_IN) == feature)
    if prompt_id is not None or model is not None:
        a, b = (e.prompt_id, e.model), (e.prompt_b_id, func.coalesce(e.model_b, e.model))
        pairs = (zip(variant, (prompt_id, model), strict=True) for variant in (a, b))
        of_each = ([its == value for its, value in pair if value is not None] for pair in pairs)
        wanted.append(or_(*(and_(*conditions) for conditions in of_each)))
    found = [] if experiment_id is None else [its == experiment_id]
    return [*found, its.in_(select(e.id).where(*wanted))] if wanted else found


def _counts(rows: Sequence[Any]) -> BallotCounts:
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


def _ballots(rows: Sequence[Any]) -> list[FirstBallot]:
    return [
        FirstBallot(key, first_at, preference, winner(preference, prompt_b_side))
        for key, first_at, preference, prompt_b_side in rows
    ]


def _sums_by_hour() -> Select[Any]:
    """Select the sums that `FirstBallots` has, by the hour, oldest first: the database adds up faster."""
    b = ballot_counts.c

    def of(*conditions: ColumnElement[bool]) -> ColumnElement[int]:
        return func.coalesce(cast(func.sum(b.n).filter(*conditions), BigInteger), 0)

    for_prompt_b = b.preference == b.prompt_b_side
    return (
        select(
            b.hour,
            of(b.preference.in_(("a", "b")), ~for_prompt_b).label("wins_a"),
            of(for_prompt_b).label("wins_b"),
            of(b.preference == "tie").label("ties"),
            of(b.preference == "both_bad").label("both_bad"),
            of(b.preference == "a").label("left"),
        )
        .group_by(b.hour)
        .order_by(b.hour)
    )


def _summed(begun: Sequence[WinsSoFar], stretches: Sequence[tuple[int, Sequence[Any]]]) -> FirstBallots:
    """Sum up counts by the length of their stretches; the course begins with single ballots and goes on with the ends.

    The counts are in the order of time.
    """
    course, wins_a, wins_b, ties, both_bad, left = list(begun), 0, 0, 0, 0, 0
    known = begun[-1].wins_a + begun[-1].wins_b if begun else -1
    for length, counts in stretches:
        for start, *more in counts:
            wins_a, wins_b = wins_a + more[0], wins_b + more[1]
            ties, both_bad, left = ties + more[2], both_bad + more[3], left + more[4]
            if wins_a + wins_b > known:
                course.append(WinsSoFar(start + length - 1, wins_a, wins_b))
    return FirstBallots(wins_a, wins_b, ties, both_bad, left, course)


def _entry(row: Any) -> BallotRow:
    values = row._asdict()
    return BallotRow(
        **values | {"winner": winner(row.preference, row.prompt_b_side), "reasons": orjson.loads(row.reasons)}
    )
