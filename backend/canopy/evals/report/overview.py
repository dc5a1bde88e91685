"""Statistics over a run's results."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean, median, quantiles
from typing import get_args

from canopy.evals.results import Attempt, CaseStatus, Run, Score
from canopy.stats.intervals import wilson


@dataclass(frozen=True, slots=True)
class ScorerOverview:
    """Sums up one scorer's scores of all answers. `mean` is None if it has no value.

    `judged` counts the answers that it passed or failed; it is 0 for a scorer that only informs.
    """

    name: str
    mean: float | None
    judged: int
    passed: int
    errors: int


@dataclass(frozen=True, slots=True)
class Timing:
    """Holds a median and a 95th percentile, in seconds."""

    median: float
    p95: float


@dataclass(frozen=True, slots=True)
class Overview:
    """Sums up a run. `pass_rate` is over the `decided` cases and `interval` its 95 % Wilson interval, or None."""

    counts: dict[CaseStatus, int]
    decided: int
    pass_rate: float | None
    interval: tuple[float, float] | None
    scorers: list[ScorerOverview]
    first_token: Timing | None
    duration: Timing | None


def overview(run: Run) -> Overview:
    """Compute the statistics. Scorers are in the order in which the cases name them."""
    counts: dict[CaseStatus, int] = {"failed": 0, "unscored": 0, "awaiting_review": 0, "passed": 0}
    for case in run.cases:
        counts[case.status] += 1
    attempts = [attempt for case in run.cases for attempt in case.attempts]
    answered = [attempt for attempt in attempts if not attempt.error]
    decided = counts["passed"] + counts["failed"]
    return Overview(
        counts=counts,
        decided=decided,
        pass_rate=counts["passed"] / decided if decided else None,
        interval=wilson(counts["passed"], decided),
        scorers=_scorers(attempts),
        first_token=_timing(attempt.time_to_first_token for attempt in answered),
        duration=_timing(attempt.duration for attempt in answered),
    )


def figures(run: Run) -> dict[str, float]:
    """Return the statistics by name, for programs that plot them; what has no values is left out.

    They are the number of cases of each status, the pass rate, mean seconds, and each scorer's mean.
    """
    counts = Counter(case.status for case in run.cases)
    found = {f"cases_{status}": float(counts[status]) for status in get_args(CaseStatus.__value__)}
    if decided := counts["passed"] + counts["failed"]:
        found["pass_rate"] = counts["passed"] / decided
    samples: dict[str, list[float]] = defaultdict(list)
    for attempt in (attempt for case in run.cases for attempt in case.attempts):
        measured = {"time_to_first_token_mean": attempt.time_to_first_token, "duration_mean": attempt.duration}
        measured |= {f"score_{score.scorer}": score.value for score in attempt.scores}
        for name, value in measured.items():
            if value is not None:
                samples[name].append(value)
    return found | {name: fmean(values) for name, values in samples.items()}


def _scorers(attempts: Iterable[Attempt]) -> list[ScorerOverview]:
    by_name: dict[str, list[Score]] = {}
    for attempt in attempts:
        for score in attempt.scores:
            by_name.setdefault(score.scorer, []).append(score)
    return [_scorer(name, scores) for name, scores in by_name.items()]


def _scorer(name: str, scores: list[Score]) -> ScorerOverview:
    values = [score.value for score in scores if score.value is not None]
    return ScorerOverview(
        name=name,
        mean=fmean(values) if values else None,
        judged=sum(score.passed is not None for score in scores),
        passed=sum(score.passed is True for score in scores),
        errors=len(scores) - len(values),
    )


def _timing(seconds: Iterable[float | None]) -> Timing | None:
    known = [value for value in seconds if value is not None]
    if not known:
        return None
    p95 = quantiles(known, n=20, method="inclusive")[-1] if len(known) > 1 else known[0]
    return Timing(median(known), p95)
