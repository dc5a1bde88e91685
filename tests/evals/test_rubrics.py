"""A judge's letters and numbers mean what its prompt says, or what the suite says, and else nobody guesses."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
import yaml

from canopy.base.errors import ConfigError
from canopy.evals.results import CaseResult, Score
from canopy.evals.run.plan import make_plan
from canopy.evals.scorers.patterns import Pattern
from canopy.evals.scorers.rubric import DEFAULT_RUBRIC, recognize_rubric
from tests.evals.test_run import TEXT, report
from tests.support.backend_server import FakeBackend
from tests.support.commands import canopy
from tests.support.model_scripts import Script
from tests.support.model_server import FakeModelServer

AGREEMENT = """Compare {generated_answer} with {expected_answer}.
(A) What was submitted is a subset of the expert's text and fully consistent with it.
(B) What was submitted is a superset of it and fully consistent.
(C) Both hold all the same details.
(D) There is a disagreement between the two.
(E) They differ, but the differences don't matter for the facts.
"""
LETTERS = [Pattern("Answer: (A|B|C|D|E)")]
NUMBERS = [Pattern(r"Total rating: (\d+)")]


@pytest.mark.parametrize(
    ("prompt", "values"),
    [
        (AGREEMENT, {"A": 1, "B": 1, "C": 1, "D": 0, "E": 1}),
        ("A: CORRECT\nB: INCORRECT\nC: NOT_ATTEMPTED\n", {"A": 1, "B": 0, "C": 0}),
        ("- **A** \u2013 Correct\n- **B** \u2013 Wrong\n", {"A": 1, "B": 0}),
        ("A. Excellent\nB. Good\nC. Fair\nD. Poor\nE. Very bad", DEFAULT_RUBRIC.values),
        (
            "A) Useless\nB) Weak\nC) Fair\nD) Good\nE) Perfect",
            dict(zip("EDCBA", DEFAULT_RUBRIC.values.values(), strict=True)),
        ),
        ("Grade {generated_answer} and end with one letter.", DEFAULT_RUBRIC.values),
    ],
)
def test_letters_are_worth_what_the_prompt_says(prompt: str, values: dict[str, float]) -> None:
    assert recognize_rubric(prompt, LETTERS)[0].values == values


@pytest.mark.parametrize(
    ("prompt", "scale"),
    [
        ("Rate it on a scale of 1 to 5.", (1, 5)),
        ("Give a score (1-10).", (1, 10)),
        ("Your rating, a number between 0 and 100:", (0, 100)),
    ],
)
def test_numbers_have_the_scale_that_the_prompt_says(prompt: str, scale: tuple[float, float]) -> None:
    assert recognize_rubric(prompt, NUMBERS)[0].scale == scale


@pytest.mark.parametrize(
    ("prompt", "patterns", "asked_for"),
    [
        ("A: like a cat\nB: like a dog", LETTERS, "`rubric: {A: 1, B: 0}`"),
        ("Rate {generated_answer}.", NUMBERS, "`scale: [1, 5]`"),
        ("Rate style from 1 to 5 and give a score from 1 to 10.", NUMBERS, "`scale: [1, 5]`"),
    ],
)
def test_what_the_prompt_does_not_tell_is_asked_for(prompt: str, patterns: list[Pattern], asked_for: str) -> None:
    with pytest.raises(ValueError) as asked:
        recognize_rubric(prompt, patterns)
    assert asked_for in str(asked.value)


def written(folder: Path, judge: dict[str, Any], *, placeholder: bool = False) -> Path:
    """A suite of the workshop's shape: five cases, so that the judge can give a letter to each."""
    folder.mkdir()
    judge = {"judge_model": "grader", "type": "llm_as_judge", "judge_score_regexes": ["Answer: (A|B|C|D|E)"], **judge}
    tests = [{"prompt": f"{TEXT}{letter}", "expected_result": letter} for letter in "ABCDE"]
    document = {
        "name": "summary_tests",
        "description": "Of the workshop's shape.",
        "model": "llama32",
        "endpoint": "/summarize",
        "scoring_params": {"llm-as-judge::base": judge, "basic::subset_of": None},
        "tests": tests + ([{"prompt": "", "expected_result": ""}] if placeholder else []),
    }
    (folder / "lab_tests.yaml").write_text(yaml.safe_dump(document))
    return folder


def judge_of(case: CaseResult) -> Score:
    return next(score for score in case.attempts[0].scores if score.scorer == "llm-as-judge::base")


def template_of(folder: Path) -> str:
    suite = yaml.safe_load((folder / "lab_tests.yaml").read_text())
    given: str = suite["scoring_params"]["llm-as-judge::base"]["prompt_template"]
    return (folder / given).read_text() if given.endswith(".txt") else given


async def judged(
    folder: Path, *options: str, said: str = "Answer: {}"
) -> tuple[int, str, str, dict[str, float | None]]:
    """Status, output and errors of a run in which the judge names each case's letter, and what these were worth."""
    async with FakeBackend() as backend, FakeModelServer() as model:
        model.scripts["grader"] = Script(tokens=("yes",))
        for letter in "ABCDE":
            asked = template_of(folder).format(generated_answer="An answer of the backend.", expected_answer=letter)
            model.scripts[asked] = Script(tokens=(said.format(letter),))
        output = folder.parent / "results"
        status, out, errors = await canopy(
            "evals",
            "run",
            folder,
            *("--backend", backend.url, "--judge", model.url, "--scoring", "local", "--output", str(output)),
            *options,
        )
    values = {} if "Error:" in errors else {it.expected_result: judge_of(it).value for it in report(output).cases}
    return status, out, errors, values


async def test_the_workshops_own_suite_runs_and_its_letters_mean_what_its_prompt_says(tmp_path: Path) -> None:
    folder = written(tmp_path / "evals", {"prompt_template": "judge_prompt.txt"}, placeholder=True)
    (folder / "judge_prompt.txt").write_text(AGREEMENT + "It expects {expected_answer}.")
    status, _, errors, values = await judged(folder)
    assert "lab_tests.yaml: left out 1 case without a prompt." in errors
    assert "kinds of agreement by its prompt: A, B, C, E pass, D don't." in errors
    assert values == {"A": 1, "B": 1, "C": 1, "D": 0, "E": 1}
    assert status == 1
    listed = await canopy("evals", "list", folder)
    assert listed[1].endswith("summary_tests, 5 cases, 1 without a prompt left out\n")


async def test_a_template_may_stand_in_the_suite(tmp_path: Path) -> None:
    template = "Grade {generated_answer}.\nIt expects {expected_answer}."
    folder = written(tmp_path / "evals", {"prompt_template": template, "rubric": {"A": 0.2, "b": 0.4, "C": 1, "D": 1}})
    _, _, _, values = await judged(folder)
    assert values == {"A": 0.2, "B": 0.4, "C": 1, "D": 1, "E": None}


async def test_thresholds_say_what_grades_are_worth_before_the_suite_does(tmp_path: Path) -> None:
    folder = written(
        tmp_path / "evals", {"prompt_template": "{generated_answer} expects {expected_answer}.", "rubric": {"A": 0}}
    )
    rules = {"scorers": {"llm-as-judge::base": {"rubric": dict.fromkeys("ABCDE", 1)}}}
    (folder / "thresholds.yaml").write_text(yaml.safe_dump(rules))
    status, _, errors, values = await judged(folder)
    assert (status, set(values.values())) == (0, {1}), errors


async def test_a_total_rating_has_a_scale(tmp_path: Path) -> None:
    params = {"judge_score_regexes": [r"Total rating: (\d+)"], "scale": [1, 5]}
    folder = written(tmp_path / "evals", {"prompt_template": "{generated_answer} expects {expected_answer}.", **params})
    _, _, _, values = await judged(folder, said="Total rating: 4 ({})")
    assert set(values.values()) == {0.75}


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        ({"prompt_template": "A: cat\nB: dog\n{generated_answer}"}, "what the grades A, B are worth can't be told"),
        ({"prompt_template": "Grade it.\n"}, "`prompt_template`: must hold `{generated_answer}`"),
        ({"prompt_template": "{generated_answer}", "scale": [1, 1]}, "`scale`: must be the worst and the best number"),
        ({"prompt_template": "{generated_answer}", "rubric": {"A": 2}}, "`rubric.A`"),
    ],
)
async def test_what_is_wrong_with_a_judge_is_a_sentence(tmp_path: Path, params: dict[str, Any], sentence: str) -> None:
    status, _, errors, _ = await judged(written(tmp_path / "evals", params))
    assert status == 2
    assert sentence in errors


def test_only_a_judge_has_a_rubric(tmp_path: Path) -> None:
    folder = written(tmp_path / "evals", {"prompt_template": "{generated_answer}"})
    (folder / "thresholds.yaml").write_text("scorers:\n  rouge: {scale: [1, 5]}\n")
    with pytest.raises(ConfigError, match="Line 2: `rouge` gives no grades"):
        make_plan(folder)
    (folder / "thresholds.yaml").write_text("scorers:\n  llm-as-judge::base: {scale: [5, 5]}\n")
    with pytest.raises(ConfigError, match="`scale` must be the worst and the best number"):
        make_plan(folder)


async def test_a_judge_that_cannot_be_read_is_counted_shown_and_asked_again_on_request(tmp_path: Path) -> None:
    folder = written(tmp_path / "evals", {"prompt_template": "{generated_answer} expects {expected_answer}."})
    (folder / "thresholds.yaml").write_text("max_unscored: 9")
    status, out, errors, values = await judged(folder, said="Excellent, as {} is.")
    assert set(values.values()) == {None}
    assert status == 2, errors
    assert "A scorer gave no value 5 times. `--resume --retry-unusable` asks a judge again" in out
    page = await asyncio.to_thread((tmp_path / "results" / "report.html").read_text)
    assert "5 cases could not be scored" in page
    async with FakeBackend() as backend, FakeModelServer() as model:
        model.scripts["grader"] = Script(tokens=("Excellent.",))
        output = tmp_path / "again"
        arguments = ("evals", "run", folder, "--backend", backend.url, "--judge", model.url, "--scoring", "local")
        assert (await canopy(*arguments, "--output", output))[0] == 2
        assert len(model.requests) == 1 + 5
        assert (await canopy(*arguments, "--output", output, "--resume", "--retry-unusable"))[0] == 2
        assert len(model.requests) == 1 + 5 + 1 + 3 * 5
        _, said, again = model.requests[-1].body["messages"]
        assert said["content"] == "Excellent."
        assert again["content"].startswith("No grade can be read in that. Repeat your grade alone")
        model.scripts["grader"] = Script(tokens=("Answer: A",))
        status, _, errors = await canopy(*arguments, "--output", output, "--resume", "--retry-unusable")
    assert status == 0, errors
    assert {judge_of(case).grade for case in report(output).cases} == {"A"}
