"""Determines a case's status from its attempts."""

from collections.abc import Sequence

from canopy.evals.results import Attempt, CaseStatus, Score
from canopy.evals.run.thresholds import Thresholds

AWAITING_REVIEW = "Nobody has written an expected result yet."


def without_informing(scores: Sequence[Score], thresholds: Thresholds) -> list[Score]:
    """Return the scores, with `passed` unset for scorers that only inform."""
    return [each if thresholds.decides(each.scorer) else each.model_copy(update={"passed": None}) for each in scores]


def verdict(attempts: Sequence[Attempt], thresholds: Thresholds) -> tuple[CaseStatus, str | None]:
    """Return the status of a case and why it isn't `passed`.

    A case passes when more than half of its attempts do, and is unscored if its unscored attempts could change that.
    """
    findings = [_finding(attempt, thresholds) for attempt in attempts]
    n, passed = len(findings), sum(status == "passed" for status, _ in findings)
    unscored = sum(status == "unscored" for status, _ in findings)
    status: CaseStatus = "passed" if 2 * passed > n else "unscored" if 2 * (passed + unscored) > n else "failed"
    if status == "passed":
        return status, None
    reason = next(reason for each, reason in findings if each == status)
    return status, reason if n == 1 else f"{passed} of {n} attempts passed; the first that {_DID[status]}: {reason}"


_DID = {"failed": "failed", "unscored": "has no score"}


def _finding(attempt: Attempt, thresholds: Thresholds) -> tuple[CaseStatus, str | None]:
    """Return an attempt's status and the reason. A failing score takes precedence over a scorer's failure.

    An attempt without an answer for a reason that isn't the answer's is unscored.
    """
    if attempt.error:
        return "unscored" if attempt.unanswered else "failed", attempt.error
    for score in attempt.scores:
        if score.passed is False:
            grade = f" ({score.grade})" if score.grade else ""
            least = thresholds.minimum(score.scorer)
            return "failed", f"{score.scorer} gave {score.value:.4g}{grade}; {least:.4g} is needed."
    for score in attempt.scores:
        if score.value is None and thresholds.decides(score.scorer):
            return "unscored", f"{score.scorer} failed: {score.error}"
    return "passed", None
