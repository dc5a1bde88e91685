"""Reads what the answers of an experiment took: tokens and seconds of both sides of its comparisons, and failures."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson
from sqlalchemy import ColumnElement, Select, and_, bindparam, case, func, select

from canopy.config.feature_values import VARIANTS
from canopy.store.engine.executor import Executor, Facet
from canopy.store.experiments.experiment import Experiment, ExperimentVariant
from canopy.store.tables import comparisons, generations

_PAIRS = 20_000  # comparisons that are read, the newest ones: more would hardly change a percentile
type _Producer = tuple[str, str, float | None, int | None]
"""What makes an answer: the prompt's id, the model, the temperature and the most tokens."""
_NUMBERS = ("time_to_first_token", "duration", "input_tokens", "output_tokens")


class AnswerCost(NamedTuple):
    """What one answer took: seconds, and tokens where the model server counts them."""

    first_token: float | None
    duration: float
    input_tokens: int | None
    output_tokens: int | None


@dataclass(frozen=True, slots=True)
class MeasuredComparisons:
    """Holds the answers of an experiment's comparisons, as many of each variant, on the same texts.

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
    """Reads costs. What a variant answered before the experiment, after it and outside comparisons is none of it."""

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
            begun = oldest if oldest is not None and len(rows) == most else experiment.created_at
            ids = {"prompt": experiment.prompt_id, "prompt_b": experiment.prompt_b_id}
            failures = conn.execute(self._failures, {**ids, "feature": experiment.feature, "begun": begun}).all()
        a, b = (_producer(experiment.variant(name)) for name in VARIANTS)
        failed: Counter[_Producer] = Counter()
        for prompt_id, model, parameters, *other, n in failures:
            if {made := _of_answer(prompt_id, model, parameters), _of_answer(*other)} == {a, b}:
                failed[made] += n
        width = len(_NUMBERS)
        return MeasuredComparisons(
            since=oldest,
            until=rows[0].created_at if rows else None,
            prompt=[AnswerCost._make(row[1 : 1 + width]) for row in rows],
            prompt_b=[AnswerCost._make(row[1 + width :]) for row in rows],
            failed=failed[a],
            failed_b=failed[b],
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
    """Count failed sides by what produced them, and what produced the other side."""
    g, other = generations.c, generations.alias("other_side").c
    # The offset and the addition keep planners from looking at all that a prompt has answered for the few that failed.
    failed = (
        select(g.id, g.trace_id, g.comparison_id, g.prompt_id, g.model, g.parameters)
        .where(g.created_at >= bindparam("begun"), g.status == "failed", g.comparison_id.is_not(None))
        .where(g.feature == bindparam("feature"))
        .offset(0)
        .subquery("failed_side")
    ).c
    both: list[ColumnElement[str]] = [bindparam("prompt"), bindparam("prompt_b")]
    producers = [it for of in (failed, other) for it in (of.prompt_id, of.model, of.parameters)]
    beside = and_(other.trace_id == failed.trace_id, other.comparison_id == failed.comparison_id, other.id != failed.id)
    return (
        select(*producers, func.count())
        .where(beside, failed.prompt_id.in_(both), (other.prompt_id + "").in_(both))
        .group_by(*producers)
    )


def _producer(it: ExperimentVariant) -> _Producer:
    return it.prompt_id, it.model, it.temperature, it.max_tokens


def _of_answer(prompt_id: str, model: str, parameters: str) -> _Producer:
    own = orjson.loads(parameters)
    return prompt_id, model, own.get("temperature"), own.get("max_tokens")
