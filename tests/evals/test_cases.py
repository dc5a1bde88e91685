"""Suites are found and read strictly."""

from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from canopy.base.errors import ConfigError
from canopy.config.features import BUILT_IN, features_of
from canopy.config.values import Values
from canopy.evals.suites.cases import case_id, find, load
from canopy.feedback.dataset import head
from canopy.text.yaml_scalars import scalar

SUITE = """\
name: some_tests
endpoint: /summarize
scoring_params:
  basic::subset_of: null
tests:
- prompt: one
  expected_result: 1st
- prompt: two
  expected_result:
"""


def written(folder: Path, content: str, name: str = "some_tests.yaml") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def refusal(folder: Path, content: str) -> str:
    with pytest.raises(ConfigError) as refused:
        load(written(folder, content))
    assert "some_tests.yaml" in refused.value.sentence
    return refused.value.sentence


def test_suites_are_found_by_their_name_and_exports_by_what_they_hold(tmp_path: Path) -> None:
    there = [
        written(tmp_path, SUITE, "Summary/feedback-eval-dataset (1).yaml"),
        written(tmp_path, SUITE, "Summary/summary_tests.yaml"),
        written(tmp_path, SUITE, "feedback-eval-dataset.yaml"),
        written(tmp_path, "nonsense", "z_tests.yml"),
    ]
    written(tmp_path, "pass_rate: 1", "Summary/thresholds.yaml")
    written(tmp_path, "spec:\n  endpoint: x\n  tests: []", "pipeline/task.yaml")
    written(tmp_path, SUITE, ".cache/summary_tests.yaml")
    written(tmp_path, SUITE, "summary_tests.yaml.orig")
    assert find(tmp_path) == there
    assert find(there[1]) == there[1:2]


def test_a_folder_without_a_suite_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="holds no suite"):
        find(tmp_path)
    with pytest.raises(ConfigError, match="There is no folder"):
        find(tmp_path / "nowhere")


def test_a_suite_is_read_whole(tmp_path: Path) -> None:
    suite = load(written(tmp_path, SUITE))
    assert (suite.name, suite.description, suite.endpoint) == ("some_tests", "", "/summarize")
    assert suite.scoring_params == {"basic::subset_of": None}
    assert [(case.prompt, case.expected_result, case.reviewed) for case in suite.cases] == [
        ("one", "1st", True),
        ("two", "", False),
    ]


@pytest.mark.parametrize("blank", ['""', "' \\t '", "|\n   ", "null", "~", ""])
def test_a_blank_expected_result_awaits_review(tmp_path: Path, blank: str) -> None:
    suite = load(written(tmp_path, SUITE.replace("1st", blank)))
    assert not suite.cases[0].reviewed or blank == "' \\t '"  # where backslash and t are text


def test_ids_tell_prompts_and_endpoints_apart(tmp_path: Path) -> None:
    ids = [case.id for case in load(written(tmp_path, SUITE)).cases]
    assert ids == [case_id("/summarize", "one"), case_id("/summarize", "two")]
    assert len({*ids, case_id("/translate", "one"), case_id("/summarizeo", "ne")}) == 4


@given(st.text(min_size=1).filter(str.strip), st.text())
def test_the_export_reads_back_exactly(tmp_path_factory: pytest.TempPathFactory, prompt: str, expected: str) -> None:
    test = f"tests:\n- prompt: {scalar(prompt)}\n  expected_result: {scalar(expected)}\n"
    path = tmp_path_factory.getbasetemp() / "any_tests.yaml"
    path.write_bytes(head(features_of(Values())[BUILT_IN]) + test.encode())
    case = load(path).cases[0]
    assert (case.prompt, case.expected_result) == (prompt, expected)


def test_a_large_suite_is_read(tmp_path: Path) -> None:
    tests = "".join(f"- prompt: {scalar(f'{number} ' + 'x' * 2000)}\n" for number in range(2000))
    assert len(load(written(tmp_path, SUITE + tests)).cases) == 2002


@pytest.mark.parametrize(
    ("before", "after", "sentence"),
    [
        ("endpoint:", "endpont:", "Line 2: `endpont` is not a known key"),
        ("expected_result: 1st", "expected: 1st", "Line 7: `tests.0.expected` is not a known key"),
        ("1st", "1", "Line 7: `tests.0.expected_result` should be a valid string"),
        ("expected_result: 1st", "expected_result: 1st\n- prompt: ''\n  expected_result: x", "`prompt` is blank, and"),
        ("- prompt: two\n  e", "- e", "Line 8: `tests.1.prompt` is missing"),
        ("prompt: two", "prompt: one", "the prompt on line 8 stands on line 6 as well"),
        ("name: some_tests", "name: some_tests\nname: more", "line 2, column 1: `name` stands twice"),
        ("1st", "1st\n  prompt: three", "line 8, column 3: `prompt` stands twice"),
        ("/summarize", "//elsewhere/summarize", "Line 2: `endpoint`: must be a path"),
        ("/summarize", "http://elsewhere/summarize", "Line 2: `endpoint`: must be a path"),
        ("  basic::subset_of: null", "  {}", "Line 3: `scoring_params`"),
        ("basic::subset_of: null", "basic::subset_of: 1", "Line 4: `scoring_params.basic::subset_of`"),
        ("1st", '"\\ud83d"', "line 7, column 23: found invalid Unicode"),
        ("1st", "[", "is not valid YAML at line"),
        ("1st", "\x01", "control characters are not allowed (position 120); save it as UTF-8"),
        ("1st", "[" * 5000, "line 7, column 67: it nests more than 50 levels deep"),
        ("1st", "!!python/object:os.system x", "is not valid YAML at line 7"),
        (SUITE, "", "`name` is missing"),
        (SUITE, "- 1", "Line 1: The file must be a mapping"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path: Path, before: str, after: str, sentence: str) -> None:
    assert before in SUITE
    assert sentence in refusal(tmp_path, SUITE.replace(before, after, 1))


def test_the_first_findings_are_enough(tmp_path: Path) -> None:
    content = orjson.dumps({"name": "x", "endpoint": "/x", "scoring_params": {"a": None}, "tests": [{}] * 9})
    assert "And 4 more." in refusal(tmp_path, content.decode())


def test_a_document_that_nests_for_ever_is_refused(tmp_path: Path) -> None:
    assert "is not valid YAML" in refusal(tmp_path, "[" * 100_000)
