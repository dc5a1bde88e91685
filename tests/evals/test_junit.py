"""The JUnit report, read as a CI reads it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite

from canopy.evals.report import junit
from canopy.evals.results import Run
from tests.support.eval_runs import (
    ANSWER,
    EXPECTED,
    JUDGED_BADLY,
    JUDGED_WELL,
    PROMPT,
    a_run,
    an_attempt,
    awaiting,
    failed,
    passed,
    unscored,
)


def suites(run: Run) -> list[TestSuite]:
    return list(JUnitXml.fromstring(junit.render(run)))


def only(run: Run) -> TestCase:
    (suite,) = suites(run)
    (case,) = suite
    return case


def properties(suite: TestSuite) -> dict[str, str]:
    return {it.name: it.value for it in suite.properties()}  # type: ignore[no-untyped-call]  # the library's own gap


def test_a_ci_counts_every_kind_of_case() -> None:
    report = JUnitXml.fromstring(junit.render(a_run(failed(), passed(), passed(5), awaiting(), unscored())))
    assert (report.tests, report.failures, report.errors, report.skipped) == (5, 1, 1, 1)
    (suite,) = report
    assert (suite.tests, suite.failures, suite.errors, suite.skipped) == (5, 1, 1, 1)
    assert suite.time == report.time == 5.0
    assert properties(suite)["config_revision"] == "sha256:5f1c9a"


def test_every_file_is_a_suite_and_keeps_the_order_of_its_cases() -> None:
    run = a_run(failed(1, file="b_tests.yaml"), passed(2, file="a_tests.yaml"), passed(3, file="b_tests.yaml"))
    assert [(suite.name, [case.name[-10:] for case in suite]) for suite in suites(run)] == [
        ("a_tests.yaml", ["[00000002]"]),
        ("b_tests.yaml", ["[00000001]", "[00000003]"]),
    ]


def test_a_test_is_named_by_its_prompt_and_stays_the_same_test_in_the_next_run() -> None:
    case = only(a_run(failed(id="case_5b6a79881f2e3d4c", prompt="Two\nlines  and more. " * 40)))
    assert case.classname == "summary_tests"
    assert case.name.startswith("Two lines and more. Two lines")
    assert case.name.endswith("… [1f2e3d4c]")
    assert len(case.name) == 111


def test_a_failure_says_why_with_both_texts_and_what_the_judge_said() -> None:
    (failure,) = only(a_run(failed())).result
    assert isinstance(failure, Failure)
    assert failure.message == "llm-as-judge::base gave 0.25 (D), below 0.75."
    for part in (EXPECTED, ANSWER, "llm-as-judge::base: 0.25 (D), failed", "It invents a mall.", "4bf92f3577b34da6"):
        assert part in failure.text


def test_a_reply_that_is_no_answer_is_a_failure_with_its_reason() -> None:
    attempt = an_attempt(answer="The coun", error="The stream ended before it was done.")
    (failure,) = only(a_run(failed(attempts=[attempt]))).result
    assert "No answer: The stream ended before it was done." in failure.text


def test_a_case_that_no_judge_could_grade_is_an_error_and_no_failure() -> None:
    (error,) = only(a_run(unscored())).result
    assert isinstance(error, Error)
    assert error.message == "llm-as-judge::base failed: The judge gave no grade."
    assert "llm-as-judge::base: no value. The judge gave no grade." in error.text


def test_a_case_awaiting_review_is_skipped() -> None:
    (skipped,) = only(a_run(awaiting())).result
    assert isinstance(skipped, Skipped)
    assert skipped.message == "Nobody has written an expected result yet."


def test_a_passed_case_shows_its_scores_too() -> None:
    case = only(a_run(passed()))
    assert case.is_passed
    assert "llm-as-judge::base: 1 (A), passed" in case.system_out


def test_a_scorer_that_only_informs_is_not_called_failed() -> None:
    informs = JUDGED_BADLY.model_copy(update={"passed": None})
    assert "0.25 (D), only informs" in only(a_run(passed(attempts=[an_attempt(informs)]))).system_out


def test_every_attempt_is_told_and_the_time_is_that_of_all() -> None:
    case = only(a_run(failed(attempts=[an_attempt(JUDGED_WELL), an_attempt(JUDGED_BADLY)]), repeat=2))
    (failure,) = case.result
    assert "Generated, attempt 1 of 2:" in failure.text
    assert "Generated, attempt 2 of 2:" in failure.text
    assert case.time == 2.5


def test_a_run_without_cases_is_a_report_too() -> None:
    assert suites(a_run()) == []


def test_an_interrupted_run_says_so() -> None:
    (suite,) = suites(a_run(passed(), finished_at=None))
    assert properties(suite)["finished"] == "no: the run was interrupted"


@pytest.mark.parametrize(
    ("raw", "shown"),
    [("a\x00b", "a␀b"), ("\x1b[31m", "␛[31m"), ("\ud800", "�"), ("\ufffe", "�"), ("\t\n ", "\t\n ")],
)
def test_what_xml_forbids_is_shown_as_a_sign(raw: str, shown: str) -> None:
    (failure,) = only(a_run(failed(expected_result=f"<{raw}>"))).result
    assert f"<{shown}>" in failure.text


@given(st.text(st.characters(exclude_categories=[])))
def test_any_text_in_any_field_makes_a_report_that_can_be_read(text: str) -> None:
    attempt = an_attempt(JUDGED_BADLY.model_copy(update={"text": text, "scorer": text}), answer=text, error=text)
    case = failed(suite=text, file=text, prompt=text, expected_result=text, reason=text, attempts=[attempt])
    assert only(a_run(case)).classname is not None


def test_markup_in_a_text_stays_text() -> None:
    case = only(a_run(failed(prompt="</testcase><script>&amp;]]>", reason='"><failure/>')))
    assert case.name.startswith("</testcase><script>&amp;]]>")
    assert [it.message for it in case.result] == ['"><failure/>']
    assert PROMPT not in case.name
