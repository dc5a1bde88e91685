"""Renders a run as JUnit XML for CI systems: one test suite per file, one test per case.

The format has no standard. This is the common ground of Jenkins, GitLab and the readers for GitHub, as described by
https://github.com/testmoapp/junitxml.
"""

from collections.abc import Iterable
from itertools import groupby
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from canopy.evals.results import Attempt, CaseResult, Run, Score
from canopy.text.visible import excerpt, visible

_NAME = 100  # characters of a prompt in the test's name


def render(run: Run) -> bytes:
    """Return the report as UTF-8.

    Failed cases are failures, unscored cases are errors, and cases that await review are skipped.
    """
    root = Element("testsuites", {"name": "canopy evals", **_counts(run.cases)})
    by_file = groupby(sorted(run.cases, key=lambda case: case.file), key=lambda case: case.file)  # stable within a file
    for file, group in by_file:
        cases = list(group)
        about = {"name": visible(file), "timestamp": run.started_at}
        suite = SubElement(root, "testsuite", {**about, **_counts(cases)})
        properties = SubElement(suite, "properties")
        for name, value in _facts(run):
            SubElement(properties, "property", name=name, value=visible(value))
        for case in cases:
            _add(suite, case)
    indent(root)
    document: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return document


def _counts(cases: list[CaseResult]) -> dict[str, str]:
    statuses = [case.status for case in cases]
    return {
        "tests": str(len(cases)),
        "failures": str(statuses.count("failed")),
        "errors": str(statuses.count("unscored")),
        "skipped": str(statuses.count("awaiting_review")),
        "time": _seconds(cases),
    }


def _facts(run: Run) -> Iterable[tuple[str, str]]:
    yield "run", run.id
    yield "backend", run.target.url
    if run.target.config_revision:
        yield "config_revision", run.target.config_revision
    yield "canopy_version", run.canopy_version
    yield "scoring", run.scoring
    yield "finished", run.finished_at or "no: the run was interrupted"


def _add(suite: Element, case: CaseResult) -> None:
    # CI systems identify a test by class and name, so the name ends with a part of the case's id.
    name = f"{excerpt(visible(case.prompt), _NAME)} [{case.id[-8:]}]"
    test = SubElement(suite, "testcase", classname=visible(case.suite), name=name, time=_seconds([case]))
    reason = visible(case.reason or "")
    match case.status:
        case "failed":
            SubElement(test, "failure", type="failed", message=reason).text = visible(_account(case))
        case "unscored":
            SubElement(test, "error", type="unscored", message=reason).text = visible(_account(case))
        case "awaiting_review":
            SubElement(test, "skipped", message=reason)
        case "passed":
            SubElement(test, "system-out").text = visible(_account(case))


def _account(case: CaseResult) -> str:
    """Return what happened in the case's attempts, as text."""
    parts = [case.reason or "", f"Expected:\n{case.expected_result}"]
    for number, attempt in enumerate(case.attempts, 1):
        title = "Generated" if len(case.attempts) == 1 else f"Generated, attempt {number} of {len(case.attempts)}"
        parts += [f"{title}:\n{attempt.answer}", *_verdicts(attempt)]
    return "\n\n".join(filter(None, parts))


def _verdicts(attempt: Attempt) -> Iterable[str]:
    if attempt.error:
        yield f"No answer: {attempt.error}"
    if attempt.scores:
        yield "\n".join(map(_line, attempt.scores))
    yield from (f"{score.scorer} said:\n{score.text}" for score in attempt.scores if score.text)
    if attempt.request_id:
        yield f"Request id: {attempt.request_id}"


def _line(score: Score) -> str:
    if score.value is None:
        return f"{score.scorer}: no value. {score.error or ''}".rstrip()
    grade = f" ({score.grade})" if score.grade else ""
    word = {True: "passed", False: "failed", None: "only informs"}[score.passed]
    return f"{score.scorer}: {score.value:.3g}{grade}, {word}"


def _seconds(cases: Iterable[CaseResult]) -> str:
    return f"{sum(attempt.duration or 0 for case in cases for attempt in case.attempts):.3f}"
