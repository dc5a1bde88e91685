"""Decides whether a run is good enough, by checking each threshold on the cases of its suites."""

from collections.abc import Iterable, Sequence
from itertools import groupby

from canopy.evals.results import BaselineComparison, CaseResult, Check, Gate, is_unanswered
from canopy.evals.run.plan import Plan
from canopy.evals.run.thresholds import Thresholds


def gate(plan: Plan, results: Sequence[CaseResult], comparison: BaselineComparison | None) -> Gate:
    """Return the verdict.

    It is `undecided` without any score, with more unscored cases than allowed, and with a request that went unanswered.
    """
    lost = _lost(comparison) if comparison else None
    by_file = {part.file: part for part in plan.parts}
    checks: list[Check] = []
    ordered = sorted(results, key=lambda case: by_file[case.file].thresholds_file or "")
    for file, group in groupby(ordered, key=lambda case: by_file[case.file].thresholds_file):
        cases = list(group)
        checks += _checks(file, by_file[cases[0].file].thresholds, cases, lost)
    scored = sum(case.status in ("passed", "failed") for case in results)
    missing = [check for check in checks if not check.passed and check.name in ("unanswered", "max_unscored")]
    failed = [check for check in checks if not check.passed]
    if missing:
        return Gate(verdict="undecided", checks=checks, sentence=f"The gate is undecided: {missing[0].sentence}")
    if not scored:
        sentence = "The gate is undecided: no case has a score."
        if results and all(case.status == "awaiting_review" for case in results):
            sentence += " All await review: fill in their `expected_result`."
        return Gate(verdict="undecided", checks=checks, sentence=sentence)
    if failed:
        sentences = " ".join(check.sentence for check in failed)
        return Gate(verdict="failed", checks=checks, sentence=f"The gate failed: {sentences}")
    passed = sum(case.status == "passed" for case in results)
    unscored = sum(case.status == "unscored" for case in results)
    without = f", and {unscored} have no score" if unscored else ""
    return Gate(verdict="passed", checks=checks, sentence=f"The gate passed: {passed} of {scored} cases pass{without}.")


def _lost(comparison: BaselineComparison) -> set[str]:
    """Return the ids of the cases that passed in the baseline and fail now."""
    return {each.id for each in comparison.changes if each.before == "passed" and each.after == "failed"}


def _checks(
    file: str | None, thresholds: Thresholds, cases: Sequence[CaseResult], lost: set[str] | None
) -> Iterable[Check]:
    passed = sum(case.status == "passed" for case in cases)
    scored = passed + sum(case.status == "failed" for case in cases)
    unanswered = sum(map(is_unanswered, cases))
    unscored = sum(case.status == "unscored" for case in cases) - unanswered
    if unanswered:
        yield Check(
            thresholds=file,
            name="unanswered",
            required=0,
            found=unanswered,
            passed=False,
            sentence=f"{unanswered} have no answer for a reason that isn't the answer's; `--resume` asks again.",
        )
    if scored:
        rate = passed / scored
        yield Check(
            thresholds=file,
            name="pass_rate",
            required=thresholds.pass_rate,
            found=rate,
            passed=rate >= thresholds.pass_rate,
            sentence=f"{passed} of {scored} cases pass ({rate:.1%}); {thresholds.pass_rate:.1%} is needed.",
        )
    if lost is not None and thresholds.max_regressions is not None:
        regressions = sum(case.id in lost for case in cases)
        yield Check(
            thresholds=file,
            name="max_regressions",
            required=thresholds.max_regressions,
            found=regressions,
            passed=regressions <= thresholds.max_regressions,
            sentence=f"{regressions} passed in the baseline and fail now; at most {thresholds.max_regressions} may.",
        )
    yield Check(
        thresholds=file,
        name="max_unscored",
        required=thresholds.max_unscored,
        found=unscored,
        passed=unscored <= thresholds.max_unscored,
        sentence=f"{unscored} have no score because a scorer failed; at most {thresholds.max_unscored} may.",
    )
    for scorer, wanted in thresholds.scorers.items():
        if wanted.mean is not None:
            yield _mean_check(file, scorer, wanted.mean, cases)


def _mean_check(file: str | None, scorer: str, required: float, cases: Sequence[CaseResult]) -> Check:
    scores = [score for case in cases for attempt in case.attempts for score in attempt.scores]
    values = [score.value for score in scores if score.scorer == scorer and score.value is not None]
    mean = sum(values) / len(values) if values else None
    found = f"has a mean of {mean:.4g}" if mean is not None else "has no value"
    return Check(
        thresholds=file,
        name=scorer,
        required=required,
        found=mean,
        passed=mean is not None and mean >= required,
        sentence=f"{scorer} {found}; {required:.4g} is needed.",
    )
