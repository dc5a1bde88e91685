"""What a run will do, and by which thresholds."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from canopy.base.errors import ConfigError
from canopy.evals.run.plan import make_plan
from canopy.evals.run.thresholds import Thresholds

SUITE = {"name": "some_tests", "endpoint": "/summarize", "scoring_params": {"length": None}}


def suite(folder: Path, name: str, cases: dict[str, str], **fields: Any) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    tests = [{"prompt": prompt, "expected_result": expected} for prompt, expected in cases.items()]
    path.write_text(yaml.safe_dump({**SUITE, "tests": tests, **fields}))
    return path


def thresholds(folder: Path, content: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "thresholds.yaml").write_text(content)


def test_every_suite_has_the_thresholds_nearest_to_it(tmp_path: Path) -> None:
    thresholds(tmp_path, "pass_rate: 0.5")
    thresholds(tmp_path / "a", "{pass_rate: 0.9, scorers: {rouge: {minimum: 0.3, decides: true, mean: 0.4}}}")
    suite(tmp_path, "a/deep/a_tests.yaml", {"one": "1"})
    suite(tmp_path, "b/b_tests.yaml", {"two": "2"})
    first, second = make_plan(tmp_path).parts
    assert (first.file, first.thresholds_file) == ("a/deep/a_tests.yaml", "a/thresholds.yaml")
    assert (second.file, second.thresholds_file) == ("b/b_tests.yaml", "thresholds.yaml")
    assert (first.thresholds.pass_rate, second.thresholds.pass_rate) == (0.9, 0.5)
    assert first.thresholds.minimums == {"rouge": 0.3}
    assert first.thresholds.decides("rouge")


def test_without_thresholds_every_case_has_to_pass(tmp_path: Path) -> None:
    thresholds(tmp_path, "pass_rate: 0.5")  # above what is run, so it is somebody else's
    suite(tmp_path, "a/a_tests.yaml", {"one": "1"})
    part = make_plan(tmp_path / "a").parts[0]
    assert part.thresholds_file is None
    assert part.thresholds == Thresholds(pass_rate=1, max_regressions=0, max_unscored=0)


def test_one_file_is_run_with_the_thresholds_beside_it(tmp_path: Path) -> None:
    thresholds(tmp_path, "pass_rate: 0.5")
    plan = make_plan(suite(tmp_path, "a_tests.yaml", {"one": "1"}))
    assert [(part.file, part.thresholds.pass_rate) for part in plan.parts] == [("a_tests.yaml", 0.5)]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("pass_rat: 1", "Line 1: `pass_rat` is not a known key"),
        ("max_unscored: 0\npass_rate: 80", "Line 2: `pass_rate` should be less than or equal to 1"),
        ("scorers:\n  rogue: {minimum: 1}", "Line 2 names `rogue`, which is no scorer. There are `llm-as-judge::base`"),
    ],
)
def test_wrong_thresholds_are_refused(tmp_path: Path, content: str, sentence: str) -> None:
    thresholds(tmp_path, content)
    suite(tmp_path, "a_tests.yaml", {"one": "1"})
    with pytest.raises(ConfigError) as refused:
        make_plan(tmp_path)
    assert sentence in refused.value.sentence
    assert "thresholds.yaml" in refused.value.sentence


def test_a_suite_that_nobody_decides_is_refused(tmp_path: Path) -> None:
    suite(tmp_path, "a_tests.yaml", {"one": "1"}, scoring_params={"rouge": None})
    with pytest.raises(ConfigError, match=r"`llm-as-judge::base`, `length`.*`scorers: \{rouge: \{decides: true\}\}`"):
        make_plan(tmp_path)


def test_an_unknown_scorer_is_refused(tmp_path: Path) -> None:
    suite(tmp_path, "a_tests.yaml", {"one": "1"}, scoring_params={"blue": None})
    with pytest.raises(ConfigError, match=r"`blue`, which is no scorer\. There are"):
        make_plan(tmp_path)


def test_what_was_reviewed_in_another_file_is_run_once(tmp_path: Path) -> None:
    suite(tmp_path, "a/feedback-eval-dataset.yaml", {"one": "", "two": "", "three": ""})
    suite(tmp_path, "b_tests.yaml", {"two": "2", "one": "1"})
    suite(tmp_path, "c_tests.yaml", {"two": "2", "three": ""})
    plan = make_plan(tmp_path)
    assert [(part.file, case.prompt, case.expected_result) for part, case in plan.cases] == [
        ("a/feedback-eval-dataset.yaml", "three", ""),
        ("b_tests.yaml", "two", "2"),
        ("b_tests.yaml", "one", "1"),
    ]
    assert plan.notes == [
        "a/feedback-eval-dataset.yaml: left out 2 cases whose prompt stands in another suite as well.",
        "c_tests.yaml: left out 2 cases whose prompt stands in another suite as well.",
    ]


def test_two_expectations_of_one_prompt_are_refused(tmp_path: Path) -> None:
    suite(tmp_path, "a_tests.yaml", {"one": "1"})
    suite(tmp_path, "b_tests.yaml", {"one": "2"})
    with pytest.raises(ConfigError, match=r"a_tests.yaml and .*b_tests.yaml expect different results"):
        make_plan(tmp_path)


def test_the_rules_change_with_what_scores_and_with_nothing_else(tmp_path: Path) -> None:
    def rules(expected: str, *, pass_rate: float = 1, minimum: float = 1, judge: str = "Judge") -> str:
        (tmp_path / "judge_prompt.txt").write_text(f"{judge} {{generated_answer}}")
        thresholds(tmp_path, f"{{pass_rate: {pass_rate}, scorers: {{rouge: {{minimum: {minimum}}}}}}}")
        params = {"length": None, "llm-as-judge::base": {"prompt_template": "judge_prompt.txt"}}
        suite(tmp_path, "a_tests.yaml", {"one": expected}, scoring_params=params)
        return make_plan(tmp_path).rules(None)

    assert rules("1") == rules("2") == rules("2", pass_rate=0.5)
    assert len({rules("1"), rules("1", minimum=0.5), rules("1", judge="Other"), make_plan(tmp_path).rules("m")}) == 4
