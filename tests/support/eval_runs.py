"""Runs of evaluations as the runner leaves them, for the tests of what is made from them."""

from typing import Any, Literal

from canopy.evals.results import (
    Attempt,
    BaselineComparison,
    CaseResult,
    CaseStatus,
    Change,
    Check,
    Gate,
    Run,
    Score,
    Target,
)

PROMPT = "The council voted on Tuesday to turn the rail yard into a park. Work begins in May."
EXPECTED = "The council voted to turn the rail yard into a park; work begins in May."
ANSWER = "The council voted to turn the old yard into a mall."
JUDGE = "llm-as-judge::base"
JUDGED_BADLY = Score(scorer=JUDGE, value=0.25, passed=False, grade="D", text="It invents a mall.\nAnswer: D")
JUDGED_WELL = Score(scorer=JUDGE, value=1, passed=True, grade="A", text="All facts are there.\nAnswer: A")


def an_id(number: int) -> str:
    return f"case_{number:016x}"


def an_attempt(*scores: Score, **fields: Any) -> Attempt:
    defaults = {"answer": ANSWER, "time_to_first_token": 0.2, "duration": 1.25, "request_id": "4bf92f3577b34da6"}
    return Attempt(**{**defaults, "scores": list(scores), **fields})


def failed(number: int = 1, **fields: Any) -> CaseResult:
    reason = "llm-as-judge::base gave 0.25 (D), below 0.75."
    return _case(number, {"status": "failed", "reason": reason, "attempts": [an_attempt(JUDGED_BADLY)], **fields})


def passed(number: int = 2, **fields: Any) -> CaseResult:
    attempt = an_attempt(JUDGED_WELL, answer=EXPECTED)
    return _case(number, {"status": "passed", "attempts": [attempt], **fields})


def awaiting(number: int = 3, **fields: Any) -> CaseResult:
    reason = "Nobody has written an expected result yet."
    return _case(number, {"status": "awaiting_review", "reason": reason, "expected_result": "", **fields})


def unscored(number: int = 4, **fields: Any) -> CaseResult:
    score = Score(scorer=JUDGE, text="I can't say.", error="The judge gave no grade.")
    reason = "llm-as-judge::base failed: The judge gave no grade."
    return _case(number, {"status": "unscored", "reason": reason, "attempts": [an_attempt(score)], **fields})


def a_run(*cases: CaseResult, **fields: Any) -> Run:
    defaults: dict[str, Any] = {
        "id": "run_01",
        "started_at": "2026-03-31T10:00:00Z",
        "finished_at": "2026-03-31T10:02:30Z",
        "canopy_version": "0.1.0",
        "target": Target(url="http://127.0.0.1:8000", config_revision="sha256:5f1c9a", flags={"summarize": True}),
        "scoring": "local",
    }
    return Run(**{**defaults, "cases": list(cases), **fields})


def _case(number: int, fields: dict[str, Any]) -> CaseResult:
    defaults = {
        "id": an_id(number),
        "suite": "summary_tests",
        "file": "Summary/summary_tests.yaml",
        "prompt": PROMPT,
        "expected_result": EXPECTED,
    }
    return CaseResult(**{**defaults, **fields})


def a_change(number: int, change: Literal["better", "worse", "same"], before: CaseStatus, after: CaseStatus) -> Change:
    """What became of the case with that number."""
    return Change(id=an_id(number), change=change, before=before, after=after, value_before=0.5, value_after=0.5)


def a_comparison(*changes: Change) -> BaselineComparison:
    """With one case that is better and one that is worse."""
    return BaselineComparison(
        baseline_id="run_00",
        baseline_started_at="2026-03-30T10:00:00Z",
        changes=list(changes),
        pairs=2,
        gained=1,
        lost=1,
        rate_before=0.5,
        rate_after=0.5,
        interval=(-0.6, 0.6),
        p_value=1,
        sentence="1 better, 1 worse: no more than chance.",
    )


def a_gate(verdict: Literal["passed", "failed", "undecided"], sentence: str) -> Gate:
    """With one check, which says the sentence."""
    check = Check(
        thresholds=None, name="pass_rate", required=0.8, found=0.33, passed=verdict == "passed", sentence=sentence
    )
    return Gate(verdict=verdict, checks=[check], sentence=f"The gate {verdict}.")
