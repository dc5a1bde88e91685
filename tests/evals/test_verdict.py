"""From attempts to a case's status."""

from typing import Any

import pytest

from canopy.evals.results import Attempt, Score
from canopy.evals.run.thresholds import ScorerThresholds, Thresholds
from canopy.evals.run.verdict import verdict, without_informing

THRESHOLDS = Thresholds(
    scorers={
        "llm-as-judge::base": ScorerThresholds(minimum=0.75),
        "length": ScorerThresholds(decides=True),
        "rouge": ScorerThresholds(decides=False),
    }
)
GOOD = Score(scorer="llm-as-judge::base", value=1, passed=True, grade="A")
BAD = Score(scorer="llm-as-judge::base", value=0.25, passed=False, grade="D")
MUTE = Score(scorer="llm-as-judge::base", error="The judge gave no grade.")
LONG = Score(scorer="length", value=0, passed=False)


def attempt(*scores: Score, **fields: Any) -> Attempt:
    return Attempt(answer="An answer.", scores=without_informing(scores, THRESHOLDS), **fields)


BROKEN = Attempt(answer="An", error="The answer broke off.")


@pytest.mark.parametrize(
    ("attempts", "status", "reason"),
    [
        ([attempt(GOOD)], "passed", None),
        ([attempt(BAD)], "failed", "llm-as-judge::base gave 0.25 (D); 0.75 is needed."),
        ([attempt(MUTE)], "unscored", "llm-as-judge::base failed: The judge gave no grade."),
        ([BROKEN], "failed", "The answer broke off."),
        # What one scorer found wrong stays wrong whatever the others would have said.
        ([attempt(MUTE, LONG)], "failed", "length gave 0; "),
        ([attempt(GOOD, LONG)], "failed", "length gave 0; "),
        # More than half of the attempts have to pass.
        ([attempt(GOOD), attempt(BAD)], "failed", "1 of 2 attempts passed; the first that failed: llm-as-judge"),
        ([attempt(GOOD), BROKEN, attempt(GOOD)], "passed", None),
        # Attempts without a score matter only where they could turn the case.
        ([attempt(GOOD), attempt(MUTE), attempt(BAD)], "unscored", "1 of 3 attempts passed; the first that has no sc"),
        ([attempt(GOOD), attempt(GOOD), attempt(MUTE)], "passed", None),
        ([attempt(BAD), attempt(BAD), attempt(MUTE)], "failed", "0 of 3 attempts passed; the first that failed"),
    ],
)
def test_a_case_has_a_status_and_a_reason(attempts: list[Attempt], status: str, reason: str | None) -> None:
    found = verdict(attempts, THRESHOLDS)
    assert found[0] == status
    assert (found[1] or "").startswith(reason or "")
    assert (found[1] is None) == (reason is None)


@pytest.mark.parametrize(
    "score", [Score(scorer="rouge", value=0.1, passed=False), Score(scorer="rouge", error="No library.")]
)
def test_a_scorer_that_informs_decides_nothing(score: Score) -> None:
    informed = attempt(GOOD, score)
    assert verdict([informed], THRESHOLDS) == ("passed", None)
    assert [each.passed for each in informed.scores] == [True, None]
    assert informed.scores[1].value == score.value
