"""A run in a few figures, for machines that plot them."""

from collections import Counter, defaultdict
from statistics import fmean
from typing import get_args

from canopy.evals.results import CaseStatus, Run


def figures(run: Run) -> dict[str, float]:
    """By name: cases of each status, the share that passed of those with a verdict, seconds, each scorer's mean.

    What has nothing to be measured on is left out.
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
