"""Reads what the answers of an experiment took: tokens and seconds of both sides of its comparisons, and failures."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson
from sqlalchemy import ColumnElement, Select, and_, bindparam, case, exists, func, select

from canopy.store.engine.executor import Executor, Facet
from canopy.store.experiments.experiment import Experiment
from canopy.store.tables import comparisons, generations

_PAIRS = 20_000  # comparisons that are read, the newest ones: more would hardly change a percentile
_NUMBERS = ("time_to_first_token", "duration", "input_tokens", "output_tokens")


class AnswerCost(NamedTuple):
    """What one answer took: seconds, and tokens where the model server counts them."""

    first_token: float | None
    duration: float
    input_tokens: int | None
    output_tokens: int | None


@dataclass(frozen=True, slots=True)
class MeasuredComparisons:
    """Holds the answers of an experiment's comparisons, as many of each prompt, on the same texts.

    The times are those of the first and the last comparison (microseconds); None without any. What failed ended its
    comparison, and isn't among the answers.
    """

    since: int | None
    until: int | None
    prompt: Sequence[AnswerCost]
    prompt_b: Sequence[AnswerCost]
    failed: int
    failed_b: int


class ExperimentCosts(Facet):
    """Reads costs. What a prompt answered before the experiment, after it and outside comparisons is none of it."""

    def __init__(self, executor: Executor) -> None:
        super().__init__(executor)
        self._pairs, self._failures = _pairs(), _failures()

    async def of(self, experiment: Experiment, most: int = _PAIRS) -> MeasuredComparisons:
        """Read an experiment's newest comparisons, at most so many. Raises ScansBusy and ScanTimeout as well."""
        return await self._executor.scan(self._of, experiment, most)

    def _of(self, experiment: Experiment, most: int) -> MeasuredComparisons:
        with self._database.scanner.connect() as conn:
            rows = conn.execute(self._pairs, {"experiment": experiment.id, "most": most}).all()
            oldest = rows[-1].created_at if rows else None
            ids = {"prompt": experiment.prompt_id, "prompt_b": experiment.prompt_b_id}
            begun = oldest if oldest is not None and len(rows) == most else experiment.created_at
            place = {"model": experiment.model, "feature": experiment.feature, "begun": begun}
            failures = conn.execute(self._failures, {**ids, **place}).all()
        failed = dict.fromkeys(ids.values(), 0)
        for row in failures:
            if _with_parameters_of(experiment, orjson.loads(row.parameters)):
                failed[row.prompt_id] += row.n
        width = len(_NUMBERS)
        return MeasuredComparisons(
            since=oldest,
            until=rows[0].created_at if rows else None,
            prompt=[AnswerCost._make(row[1 : 1 + width]) for row in rows],
            prompt_b=[AnswerCost._make(row[1 + width :]) for row in rows],
            failed=failed[experiment.prompt_id],
            failed_b=failed[experiment.prompt_b_id],
        )


def _pairs() -> Select[Any]:
    """Select the time of each comparison, and what the answers of Prompt A and Prompt B took."""
    c = comparisons.c
    newest = (
        select(c.created_at, c.id, c.prompt_b_side, c.generation_a, c.generation_b)
        .where(c.experiment_id == bindparam("experiment"))
        .order_by(c.created_at.desc(), c.id.desc())
        .limit(bindparam("most"))
        .subquery()
    )
    left, right = generations.alias("left_side"), generations.alias("right_side")
    b_is_left = newest.c.prompt_b_side == "a"
    of_a = [case((b_is_left, right.c[name]), else_=left.c[name]) for name in _NUMBERS]
    of_b = [case((b_is_left, left.c[name]), else_=right.c[name]) for name in _NUMBERS]
    return (
        select(newest.c.created_at, *of_a, *of_b)
        .select_from(newest)
        .join(left, left.c.id == newest.c.generation_a)
        .join(right, right.c.id == newest.c.generation_b)
        .order_by(newest.c.created_at.desc(), newest.c.id.desc())
    )


def _failures() -> Select[Any]:
    """Count failed answers by prompt and parameters: sides whose other side was the other prompt's."""
    g, other = generations.c, generations.alias("other_side").c
    both: list[ColumnElement[str]] = [bindparam("prompt"), bindparam("prompt_b")]
    beside = exists().where(
        other.trace_id == g.trace_id,
        other.comparison_id == g.comparison_id,
        other.prompt_id != g.prompt_id,
        other.prompt_id.in_(both),
    )
    return (
        select(g.prompt_id, g.parameters, func.count().label("n"))
        .where(
            and_(g.created_at >= bindparam("begun"), g.status == "failed", g.comparison_id.is_not(None)),
            g.prompt_id.in_(both),
            g.model == bindparam("model"),
            g.feature == bindparam("feature"),
            beside,
        )
        .group_by(g.prompt_id, g.parameters)
    )


def _with_parameters_of(experiment: Experiment, parameters: dict[str, Any]) -> bool:
    """Return whether an answer had the experiment's parameters: the same prompts are compared with others, too."""
    own = experiment.temperature, experiment.max_tokens
    return (parameters.get("temperature"), parameters.get("max_tokens")) == own
