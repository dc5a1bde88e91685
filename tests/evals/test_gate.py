"""Is a run good enough, and what became of it since the baseline?"""

from pathlib import Path

import pytest

from canopy.evals.results import CaseResult, Gate, Run
from canopy.evals.run.baseline import compare
from canopy.evals.run.gate import gate
from canopy.evals.run.plan import Plan, SuitePlan
from canopy.evals.run.thresholds import ScorerThresholds, Thresholds
from canopy.evals.suites.cases import Suite
from tests.support.eval_runs import JUDGE, a_run, an_attempt, awaiting, failed, passed, unscored


def plan(*thresholds: Thresholds) -> Plan:
    """One suite for each of the thresholds."""
    suite = Suite("s", "", "/summarize", {JUDGE: None}, [])
    files = ["Summary/summary_tests.yaml", "other_tests.yaml"]
    parts = [
        SuitePlan(Path(file), file, suite, each, f"{file}!") for file, each in zip(files, thresholds, strict=False)
    ]
    return Plan(parts, [])


def judged(thresholds: Thresholds, *cases: CaseResult, baseline: Run | None = None) -> Gate:
    run = a_run(*cases)
    return gate(plan(thresholds), run.cases, compare(baseline, run) if baseline else None)


def test_the_pass_rate_is_of_the_cases_with_a_score() -> None:
    cases = [passed(1), passed(2), failed(3), awaiting(4)]
    assert judged(Thresholds(pass_rate=0.6), *cases).verdict == "passed"
    refused = judged(Thresholds(pass_rate=0.7), *cases)
    assert refused.verdict == "failed"
    assert refused.sentence == "The gate failed: 2 of 3 cases pass (66.7%); 70.0% is needed."


def test_a_rate_that_is_just_reached_is_enough() -> None:
    assert judged(Thresholds(pass_rate=0.8), *map(passed, range(4)), failed(9)).verdict == "passed"


def test_cases_without_a_score_leave_the_gate_undecided() -> None:
    cases = [passed(1), unscored(2)]
    assert judged(Thresholds(), *cases).verdict == "undecided"
    assert "1 have no score" in judged(Thresholds(), *cases).sentence
    assert judged(Thresholds(max_unscored=1), *cases).verdict == "passed"
    assert judged(Thresholds(max_unscored=2), unscored(1), unscored(2)).verdict == "undecided"


def test_a_run_of_nothing_is_undecided() -> None:
    assert judged(Thresholds()).sentence == "The gate is undecided: no case has a score."
    everything = judged(Thresholds(), awaiting(1), awaiting(2))
    assert everything.verdict == "undecided"
    assert "All await review" in everything.sentence


def test_a_scorers_mean_can_be_asked_for() -> None:
    cases = [passed(1), failed(2)]  # grades A and D: a mean of 0.625
    for mean, verdict in ((0.6, "passed"), (0.7, "failed")):
        thresholds = Thresholds(pass_rate=0, scorers={JUDGE: ScorerThresholds(mean=mean)})
        assert judged(thresholds, *cases).verdict == verdict
    absent = judged(Thresholds(pass_rate=0, scorers={"rouge": ScorerThresholds(mean=0.1)}), *cases)
    assert "rouge has no value; 0.1 is needed." in absent.sentence


def test_regressions_count_against_a_baseline() -> None:
    baseline = a_run(passed(1), passed(2), failed(3))
    now = [failed(1), passed(2), passed(3)]
    assert judged(Thresholds(pass_rate=0.5), *now).verdict == "passed"
    assert judged(Thresholds(pass_rate=0.5), *now, baseline=baseline).verdict == "failed"
    assert judged(Thresholds(pass_rate=0.5, max_regressions=1), *now, baseline=baseline).verdict == "passed"
    assert judged(Thresholds(pass_rate=0.5, max_regressions=None), *now, baseline=baseline).verdict == "passed"


def test_each_thresholds_file_holds_for_its_own_suites() -> None:
    other = {"file": "other_tests.yaml"}
    cases = [passed(1), passed(2, **other), failed(3), failed(4, **other)]
    found = gate(plan(Thresholds(pass_rate=0.5), Thresholds(pass_rate=0.6)), cases, None)
    assert [(check.thresholds, check.passed) for check in found.checks if check.name == "pass_rate"] == [
        ("Summary/summary_tests.yaml!", True),
        ("other_tests.yaml!", False),
    ]
    assert found.verdict == "failed"


def test_a_comparison_pairs_cases_by_their_ids() -> None:
    baseline = a_run(passed(1), failed(2), failed(3), passed(4), awaiting(5), unscored(6), passed(7))
    now = a_run(failed(1), passed(2), failed(3, file="moved_tests.yaml"), passed(4), passed(5), passed(6), passed(8))
    found = compare(baseline, now)
    assert [each.change for each in found.changes] == ["worse", "better", "same", "same", "same", "same"]
    assert (found.pairs, found.gained, found.lost) == (4, 1, 1)
    assert (found.rate_before, found.rate_after) == (0.5, 0.5)
    assert found.p_value == 1
    assert (len(found.added), len(found.removed)) == (1, 1)
    assert "have changed since" not in found.sentence


def test_the_same_status_is_told_apart_by_the_mean() -> None:
    better = [an_attempt(failed().attempts[0].scores[0].model_copy(update={"value": 0.5}))]
    found = compare(
        a_run(failed(1), failed(2)),
        a_run(failed(1, attempts=better), failed(2, attempts=[an_attempt(error="It broke off.")])),
    )
    assert [(each.change, each.value_before, each.value_after) for each in found.changes] == [
        ("better", 0.25, 0.5),
        ("worse", 0.25, 0.0),
    ]


def test_a_comparison_says_what_luck_may_explain() -> None:
    cases = range(10)
    better = compare(a_run(*map(failed, cases)), a_run(*map(passed, cases)))
    assert "10 of 10 cases pass that failed, 0 fail that passed" in better.sentence
    assert "+100.0 points" in better.sentence
    assert "more than luck explains (McNemar p = 0.002)" in better.sentence
    assert "luck alone may explain it" in compare(a_run(failed(1)), a_run(passed(1))).sentence
    assert "nothing can be compared" in compare(a_run(), a_run(passed(1))).sentence


@pytest.mark.parametrize("rules", [None, "sha256:1"])
def test_a_comparison_says_that_the_rules_differ(rules: str | None) -> None:
    assert "have changed since" in compare(a_run(failed(1), rules=rules), a_run(passed(1), rules="sha256:2")).sentence
