"""Compares a run with its baseline, case by case."""

from typing import Literal

from canopy.evals.results import BaselineComparison, CaseResult, CaseStatus, Change, Run
from canopy.stats.paired import mcnemar, tango

_SCORED = ("passed", "failed")
_OTHER_RULES = " Scorers, their parameters or thresholds have changed since, which may be why."
_NOTICEABLE = 1e-9  # smaller differences of means are rounding errors


def compare(baseline: Run, run: Run) -> BaselineComparison:
    """Return how each case changed. Cases are matched by id, whatever their files' names."""
    before = {case.id: case for case in baseline.cases}
    after = {case.id: case for case in run.cases}
    changes = [_change(before[case.id], case) for case in run.cases if case.id in before]
    pairs = [(each.before, each.after) for each in changes if each.before in _SCORED and each.after in _SCORED]
    n, gained, lost = len(pairs), pairs.count(("failed", "passed")), pairs.count(("passed", "failed"))
    kept = pairs.count(("passed", "passed"))
    interval = tango(gained, lost, n) if n else None
    p_value = mcnemar(gained, lost) if n else None
    return BaselineComparison(
        baseline_id=baseline.id,
        baseline_started_at=baseline.started_at,
        baseline_revision=baseline.target.config_revision,
        changes=changes,
        added=[case.id for case in run.cases if case.id not in before],
        removed=[case.id for case in baseline.cases if case.id not in after],
        pairs=n,
        gained=gained,
        lost=lost,
        rate_before=(kept + lost) / n if n else None,
        rate_after=(kept + gained) / n if n else None,
        interval=interval,
        p_value=p_value,
        sentence=_sentence(n, gained, lost, interval, p_value) + (_OTHER_RULES if baseline.rules != run.rules else ""),
    )


def _change(before: CaseResult, after: CaseResult) -> Change:
    value_before, value_after = _value(before), _value(after)
    return Change(
        id=after.id,
        change=_direction(before.status, after.status, value_before, value_after),
        before=before.status,
        after=after.status,
        value_before=value_before,
        value_after=value_after,
    )


def _direction(
    before: CaseStatus, after: CaseStatus, value_before: float | None, value_after: float | None
) -> Literal["better", "worse", "same"]:
    if before not in _SCORED or after not in _SCORED:
        return "same"  # without a score nothing is better
    if before != after:
        return "better" if after == "passed" else "worse"
    change = (value_after or 0) - (value_before or 0)
    return "same" if abs(change) < _NOTICEABLE else "better" if change > 0 else "worse"


def _value(case: CaseResult) -> float | None:
    """Return the mean over attempts and deciding scorers; an attempt without an answer counts as 0."""
    if case.status not in _SCORED:
        return None
    values = [0.0 for attempt in case.attempts if attempt.error]
    scores = [score for attempt in case.attempts for score in attempt.scores]
    values += [score.value for score in scores if score.value is not None and score.passed is not None]
    return sum(values) / len(values) if values else None


def _sentence(n: int, gained: int, lost: int, interval: tuple[float, float] | None, p_value: float | None) -> str:
    if interval is None or p_value is None:
        return "No case has a score in both runs, so nothing can be compared."
    low, high = interval
    change = f"{100 * (gained - lost) / n:+.1f} points (95 % interval {100 * low:+.1f} to {100 * high:+.1f})"
    counts = f"{gained} of {n} cases pass that failed, {lost} fail that passed"
    luck = "more than luck explains" if p_value < 0.05 else "luck alone may explain it"
    return f"{counts}. The pass rate changed by {change}; {luck} (McNemar p = {p_value:.2g})."
