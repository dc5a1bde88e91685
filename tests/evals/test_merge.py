"""A new export merged into a file that people have reviewed."""

import sys
from collections.abc import Mapping

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from canopy.base.errors import ConfigError
from canopy.config.features import BUILT_IN, features_of
from canopy.config.values import Values
from canopy.evals.suites.editing import EditableSuite
from canopy.evals.suites.layout import mark
from canopy.evals.suites.merge import MergeResult, merge, new_suite
from canopy.feedback.dataset import head
from canopy.text.yaml_scalars import case_lines

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
CASES = st.dictionaries(TEXTS, TEXTS, max_size=5)


def an_export(cases: Mapping[str, str]) -> EditableSuite:
    """What the server exports for these prompts and expected results."""
    lines = "".join(case_lines(prompt, expected) for prompt, expected in cases.items())
    tests = f"tests:\n{lines}" if lines else "tests: []\n"
    return EditableSuite(head(features_of(Values())[BUILT_IN]).decode() + tests, "export.yaml")


def merged(text: str, cases: Mapping[str, str]) -> MergeResult:
    return merge(EditableSuite(text, "file.yaml"), an_export(cases))


def cases_in(text: str) -> list[tuple[str, str]]:
    return [(case["prompt"], case["expected_result"]) for case in yaml.safe_load(text)["tests"]]


def test_a_file_that_is_not_there_becomes_the_export() -> None:
    first = new_suite(an_export({"one": "", "two": "Good."}))
    assert yaml.safe_load(first.text) == yaml.safe_load(an_export({"one": "", "two": "Good."}).text)
    assert (first.added, first.removed, first.kept) == (2, 0, 0)
    again = merged(first.text, {"one": "", "two": "Good."})
    assert again == MergeResult(first.text, 0, 0, 2, 0, [])


def test_cases_of_another_endpoint_are_refused() -> None:
    text = new_suite(an_export({"one": ""})).text
    with pytest.raises(ConfigError, match=r"export\.yaml has cases of /summarize, and file\.yaml asks /translate"):
        merged(text.replace("endpoint: /summarize", "endpoint: /translate"), {"two": ""})
    assert merged(text.replace("endpoint: /summarize", "endpoint: /summarization"), {"two": ""}).added == 1


def test_new_cases_follow_the_last_one_in_the_exports_order() -> None:
    text = new_suite(an_export({"b": "", "d": ""})).text
    result = merged(text, {"a": "", "b": "", "c": "", "d": ""})
    assert [prompt for prompt, _ in cases_in(result.text)] == ["b", "d", "a", "c"]
    assert result.added == 2
    assert result.text.startswith(text)


def test_a_vote_that_was_taken_back_disappears_unless_it_was_reviewed() -> None:
    text = new_suite(an_export({"gone": "", "reviewed": "", "stays": ""})).text
    text = text.replace('"reviewed"\n  expected_result: ""', '"reviewed"\n  expected_result: "By hand."')
    result = merged(text, {"stays": ""})
    assert cases_in(result.text) == [("reviewed", "By hand."), ("stays", "")]
    assert (result.removed, result.kept) == (1, 2)


def test_a_saved_export_that_was_never_merged_is_known_for_what_it_is() -> None:
    text = an_export({"gone": "", "stays": ""}).text + "- prompt: By hand\n  expected_result:\n"
    result = merged(text, {"stays": "", "new": ""})
    assert [prompt for prompt, _ in cases_in(result.text)] == ["stays", "By hand", "new"]
    assert merged(result.text, {"stays": "", "new": ""}).text == result.text


@pytest.mark.parametrize("expected", ['""', "", "''", "|", "A good answer."])
def test_a_case_that_was_written_by_hand_stays(expected: str) -> None:
    text = f"name: summary_tests\ntests:\n- prompt: By hand\n  expected_result: {expected}\n"
    first = merged(text, {"new": ""})
    assert first.text.startswith(text)
    assert (first.added, first.removed, first.kept) == (1, 0, 1)
    assert merged(first.text, {}).text == text


def test_comments_order_layout_and_other_keys_stay() -> None:
    text = (
        "# Ours. Ask Ada.\n"
        "name: summary_tests   # the lab's\n"
        "tests:\n"
        "\n"
        "  # The first.\n"
        "  - expected_result: >-\n"
        "      Folded\n"
        "      text.\n"
        "    prompt: |\n"
        "      Several\n"
        "      lines.\n"
        "    tags: [a, b]  # ours\n"
        "\n"
        "  -\n"
        "    prompt: 'Quoted: it''s one.'\n"
        '    expected_result: ""   # nobody knows\n'
        "  # The end.\n"
        "scoring_params: {basic::subset_of: null}\n"
    )
    result = merged(text, {"new: 1": "", "Several\nlines.\n": "", "Quoted: it's one.": "From the browser."})
    assert result.text == text.replace('""   #', '"From the browser."   #').replace(
        "  # The end.\n",
        f'  {mark("new: 1", "")}\n  - prompt: "new: 1"\n    expected_result: ""\n  # The end.\n',
    )
    assert (result.added, result.removed, result.kept, result.filled) == (1, 0, 2, 1)


def test_a_text_from_the_browser_fills_what_awaits_review() -> None:
    text = new_suite(an_export({"one": ""})).text
    result = merged(text, {"one": "From the browser."})
    assert cases_in(result.text) == [("one", "From the browser.")]
    assert (result.filled, result.conflicts) == (1, [])


def test_a_text_that_changed_in_the_browser_alone_is_taken_over() -> None:
    text = new_suite(an_export({"one": "First."})).text
    assert cases_in(merged(text, {"one": "Better."}).text) == [("one", "Better.")]


def test_a_text_that_changed_in_the_file_alone_stays_without_a_conflict() -> None:
    text = new_suite(an_export({"one": "First."})).text.replace('"First."', "By hand.")
    result = merged(text, {"one": "First."})
    assert (result.text, result.conflicts) == (text, [])


def test_a_text_that_changed_on_both_sides_is_a_conflict_that_the_file_wins_and_hears_of_once() -> None:
    text = new_suite(an_export({"one": ""})).text.replace('expected_result: ""', "expected_result: By hand.")
    result = merged(text, {"one": "In the browser."})
    assert cases_in(result.text) == [("one", "By hand.")]
    assert result.conflicts == ["one"]
    assert merged(result.text, {"one": "In the browser."}) == MergeResult(result.text, 0, 0, 1, 0, [])
    assert merged(result.text, {"one": "In the browser, later."}).conflicts == ["one"]


def test_a_text_is_never_lost_because_the_browsers_was_taken_back() -> None:
    text = new_suite(an_export({"one": "Good."})).text
    assert cases_in(merged(text, {"one": ""}).text) == [("one", "Good.")]
    assert cases_in(merged(text, {}).text) == [("one", "Good.")]


def test_an_empty_list_is_filled_and_a_list_can_become_empty() -> None:
    for empty in ("tests: []  # none yet\n", "tests:   # none yet\n", "tests: []  # none yet"):
        result = merged(f"name: x\n{empty}", {"one": ""})
        assert cases_in(result.text) == [("one", "")]
        assert "# none yet\n" in result.text
        without = merged(result.text, {})
        assert (yaml.safe_load(without.text)["tests"], without.removed) == ([], 1)
        assert cases_in(merged(without.text, {"one": ""}).text) == [("one", "")]


def test_a_case_without_an_expected_result_gets_one() -> None:
    result = merged(
        "name: x\ntests:\n- prompt: one\n- prompt: |\n    two\n\n- prompt: three", {"one": "1", "two\n": "2"}
    )
    assert cases_in(result.text + '\n  expected_result: "3"') == [("one", "1"), ("two\n", "2"), ("three", "3")]


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("bom", ["", "\ufeff"])
def test_line_ends_and_a_byte_order_mark_stay(newline: str, bom: str) -> None:
    text = f"{bom}name: x\ntests:\n- prompt: one\n  expected_result: ''".replace("\n", newline)
    result = merged(text, {"one": "1", "two": ""})
    assert result.text == text.replace("''", '"1"') + (
        f'{newline}{mark("two", "")}{newline}- prompt: "two"{newline}  expected_result: ""{newline}'
    )


@settings(max_examples=50)
@given(CASES, CASES, CASES)
@example({"\x85\u2028\ufeff": ""}, {"".join(map(chr, range(1, 0x3000))): "\u2029\ud7ff"}, {"👩‍👩‍👧‍👦": "\x7f\x80"})
@example({}, {chr(sys.maxunicode): ""}, {})
def test_whatever_is_merged_no_written_text_is_lost_and_a_second_time_changes_nothing(
    first: dict[str, str], second: dict[str, str], third: dict[str, str]
) -> None:
    text = new_suite(an_export(first)).text
    for cases in (second, third):
        before = {prompt: expected for prompt, expected in cases_in(text) if expected.strip()}
        result = merged(text, cases)
        after = dict(cases_in(result.text))
        assert before.keys() <= after.keys()
        assert cases.keys() <= after.keys()
        assert all(after[prompt] in {expected, cases.get(prompt)} for prompt, expected in before.items())
        assert len(after) == result.added + result.kept
        text = result.text
        again = merged(text, cases)
        assert (again.text, again.added, again.removed, again.filled) == (text, 0, 0, 0)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: [", "not valid YAML"),
        ("- a", "no evaluation suite"),
        ("name: x", "has no `tests`"),
        ("tests: {a: 1}", "write `tests` as a list"),
        ("tests: [{prompt: a, expected_result: b}]", "write `tests` as a list"),
        ("tests:\n- expected_result: a", "test 1 has no `prompt`"),
        ("tests:\n- prompt: b\n  expected_result: &e ''\n- prompt: a\n  expected_result: *e", "unusual"),
    ],
)
def test_a_file_that_cannot_be_merged_is_refused_with_a_sentence(text: str, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        merged(text, {"a": "text"})
