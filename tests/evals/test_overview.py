"""A run in a few numbers, and in a sentence."""

import pytest

from canopy.evals.report.headline import headline
from canopy.evals.report.overview import Timing, overview
from canopy.evals.results import Score
from tests.support.eval_runs import (
    JUDGED_BADLY,
    JUDGED_WELL,
    a_gate,
    a_run,
    an_attempt,
    awaiting,
    failed,
    passed,
    unscored,
)


def test_the_pass_rate_is_that_of_the_cases_with_a_verdict() -> None:
    numbers = overview(a_run(passed(1), passed(2), failed(3), unscored(4), awaiting(5)))
    assert numbers.counts == {"failed": 1, "unscored": 1, "awaiting_review": 1, "passed": 2}
    assert numbers.decided == 3
    assert numbers.pass_rate == pytest.approx(2 / 3)
    assert numbers.interval == pytest.approx((0.20766, 0.93851), abs=1e-5)


def test_without_a_verdict_there_is_no_pass_rate() -> None:
    numbers = overview(a_run(unscored(), awaiting()))
    assert (numbers.pass_rate, numbers.interval) == (None, None)


def test_a_scorers_mean_leaves_out_what_it_could_not_score() -> None:
    broken = Score(scorer=JUDGED_WELL.scorer, error="No grade.")
    (scorer,) = overview(a_run(failed(attempts=[an_attempt(JUDGED_WELL, broken), an_attempt(JUDGED_BADLY)]))).scorers
    assert (scorer.mean, scorer.judged, scorer.passed, scorer.errors) == (0.625, 2, 1, 1)


def test_a_scorer_that_never_had_a_value_has_no_mean() -> None:
    (scorer,) = overview(a_run(unscored())).scorers
    assert (scorer.mean, scorer.judged, scorer.errors) == (None, 0, 1)


def test_a_scorer_that_only_informs_judges_nothing() -> None:
    informs = JUDGED_WELL.model_copy(update={"passed": None})
    (scorer,) = overview(a_run(passed(attempts=[an_attempt(informs)]))).scorers
    assert (scorer.mean, scorer.judged, scorer.errors) == (1, 0, 0)


def test_speed_is_that_of_answers_alone() -> None:
    attempts = [an_attempt(duration=seconds) for seconds in (1, 2, 3)]
    broken = an_attempt(duration=90, error="The stream ended too early.")
    numbers = overview(a_run(failed(attempts=[*attempts, broken])))
    assert numbers.duration == Timing(median=2, p95=2.9)
    assert overview(a_run(failed(attempts=[broken]))).duration is None


def test_the_gates_word_is_the_verdict() -> None:
    run = a_run(passed(), gate=a_gate("undecided", "No case was scored."))
    found = headline(run, overview(run))
    assert (found.label, found.mood, found.sentence) == ("Undecided", "neutral", "The gate undecided.")


def test_an_interrupted_run_has_no_verdict_but_a_count() -> None:
    run = a_run(passed(1), failed(2), finished_at=None)
    found = headline(run, overview(run))
    assert (found.label, found.mood) == ("Interrupted", "neutral")
    assert found.sentence == "The run was interrupted after 2 cases. 1 of 2 cases passed."
