"""The scorers that compute, and what a judge is asked and understood to say."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from canopy.base.errors import ConfigError
from canopy.evals.scorers.catalog import SCORERS
from canopy.evals.scorers.grades import read_grade
from canopy.evals.scorers.patterns import Pattern
from canopy.evals.scorers.rubric import DEFAULT_RUBRIC
from canopy.evals.scorers.spec import Formula, Row
from canopy.evals.scorers.template import PLACEHOLDERS, check_template, fill_in, read_template
from tests.support.docs import code, table

TEXTS = st.text(max_size=200)
LAB = [Pattern("Answer: (A|B|C|D|E)")]


def test_each_scorer_is_documented_with_its_defaults() -> None:
    rows = {code(row["scorer"])[0]: row for row in table("evaluations.md", "scorer")}
    assert rows.keys() == SCORERS.keys()
    for name, kind in SCORERS.items():
        assert float(code(rows[name]["minimum"])[0]) == kind.minimum
        assert rows[name]["decides"] == ("yes" if kind.decides else "no")


def value(name: str, params: dict[str, Any] | None = None, *, source: str = "", expected: str = "", got: str) -> float:
    scorer = SCORERS[name].read(name, params, Path())
    assert isinstance(scorer, Formula)
    return scorer.value(Row(source, expected, got))


@given(TEXTS, TEXTS, TEXTS)
def test_an_answer_contains_what_stands_in_it(before: str, expected: str, after: str) -> None:
    assert value("basic::subset_of", expected=expected, got=before + expected + after) == 1


@pytest.mark.parametrize(("expected", "got"), [("Paris", "paris"), ("a  b", "a b"), ("é", "e\u0301"), ("ab", "a b")])
def test_the_basic_scorers_compare_letter_by_letter(expected: str, got: str) -> None:
    assert value("basic::subset_of", expected=expected, got=got) == 0
    assert value("basic::equality", expected=expected, got=got) == 0


def test_only_the_same_text_is_equal() -> None:
    assert value("basic::equality", expected="It rains.", got="It rains.") == 1
    assert value("basic::equality", expected="It rains.", got="It rains. ") == 0


# By hand: 4 of the 5 expected words are among the 6 of the answer, in this order.
@pytest.mark.parametrize(("measure", "score"), [("recall", 4 / 5), ("precision", 4 / 6), ("fmeasure", 8 / 11)])
def test_rouge_counts_the_words_in_common(measure: str, score: float) -> None:
    texts = {"expected": "The ferry returns in April", "got": "Surely the FERRY returns in May"}
    assert value("rouge", {"measure": measure}, **texts) == pytest.approx(score)


def test_rouge_compares_no_texts_without_end() -> None:
    with pytest.raises(ConfigError, match="too long for ROUGE"):
        value("rouge", expected="word " * 10_000, got="word " * 10_000)


def test_rouge_l_sum_goes_by_sentences_and_rouge_l_by_the_whole_text() -> None:
    texts = {"expected": "The ferry returns. It costs money.", "got": "It costs money. The ferry returns."}
    assert value("rouge", None, **texts) == 1
    assert value("rouge", {"variant": "rougeL"}, **texts) == 0.5


@pytest.mark.parametrize(
    "text",
    ["Die Fähre kehrt im Frühjahr zurück.", "Паром вернётся весной.", "渡し船は春に戻る。", "เรือข้ามฟากจะกลับมา", "ÉTÉ"],
)
def test_rouge_reads_every_script(text: str) -> None:
    assert value("rouge", expected=text, got=text.lower()) == 1
    assert value("rouge", expected=text, got="something else") == 0


@given(TEXTS, TEXTS, st.sampled_from(["rouge1", "rouge2", "rougeL", "rougeLsum"]))
def test_rouge_of_any_texts_is_a_share(expected: str, got: str, variant: str) -> None:
    assert 0 <= value("rouge", {"variant": variant}, expected=expected, got=got) <= 1


@pytest.mark.parametrize(
    ("ratio", "length", "score"),
    [(0.5, 50, 1), (0.5, 10, 1), (0.5, 100, 0.5), (0.5, 200, 0.25), (1, 100, 1), (1, 0, 0)],
)
def test_length_is_the_share_of_the_answer_that_was_allowed(ratio: float, length: int, score: float) -> None:
    assert value("length", {"ratio": ratio}, source="s" * 100, got="g" * length) == score


def test_blank_space_has_no_length() -> None:
    assert value("length", source="s" * 100, got=" \n" * 500 + "g") == 1
    assert value("length", source="s" * 100, got=" \n") == 0


@pytest.fixture
def template(tmp_path: Path) -> Path:
    return tmp_path / "judge_prompt.txt"


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("missing.txt", b"", "there is no readable file `missing.txt`"),
        ("n" * 300, b"", "there is no readable file"),
        ("../judge_prompt.txt", b"", "is outside the suite's folder"),
        ("judge_prompt.txt", b"{generated_answer} \xff", "is not UTF-8 text"),
        ("judge_prompt.txt", b"{generated_answer}" * 20_000, "is larger than 256,000 bytes"),
    ],
)
def test_a_file_that_is_no_template_is_refused(template: Path, name: str, content: bytes, complaint: str) -> None:
    template.write_bytes(content)
    with pytest.raises(ValueError, match=complaint):
        read_template(template.parent, name)


@given(query=TEXTS, expected=TEXTS, got=TEXTS)
@example(query="{generated_answer}", expected="{input_query}", got="{expected_answer}")
@example(query="{0} {} {x!r:>10} {", expected="}} %s $x", got="{generated_answer.__class__.__mro__}")
def test_what_stands_in_a_text_is_never_filled_in(query: str, expected: str, got: str) -> None:
    filled = fill_in("<{input_query}|{generated_answer}|{expected_answer}> {{x}}", Row(query, expected, got))
    assert filled == f"<{query}|{got}|{expected}> {{x}}"


def test_a_template_may_leave_out_all_but_the_answer(template: Path) -> None:
    template.write_text("\ufeffGrade this: {generated_answer}")
    assert read_template(template.parent, template.name) == "Grade this: {generated_answer}"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("Grade it.", "must hold `{generated_answer}`"),
        ("{input_query} {expected_answer}", "must hold `{generated_answer}`"),
        ("{{generated_answer}}", "must hold `{generated_answer}`"),
        ("{generated_answer} {}", "may hold only `{input_query}`, `{generated_answer}`, `{expected_answer}` in braces"),
        ("{generated_answer} {question}", "may hold only"),
        ("{generated_answer.__class__}", "may hold only"),
        ("{generated_answer[0]}", "may hold only"),
        ("{generated_answer!r}", "may hold only"),
        ("{generated_answer:>{input_query}}", "may hold only"),
        ('{generated_answer} {"grade": "A"}', "may hold only"),
        ("{generated_answer} {", "brace without its partner"),
        ("{generated_answer} }", "brace without its partner"),
    ],
)
def test_a_template_that_cannot_be_filled_in_is_refused(template: Path, text: str, complaint: str) -> None:
    template.write_text(text)
    with pytest.raises(ValueError) as refused:
        read_template(template.parent, template.name)
    assert complaint in str(refused.value)
    assert "judge_prompt.txt" in str(refused.value)


@given(st.lists(st.sampled_from([*"{}!:_.[]0", *PLACEHOLDERS, "{generated_answer}"])).map("".join))
def test_a_template_is_refused_or_can_be_filled_in(template: str) -> None:
    try:
        check_template(template)
    except ValueError:
        return
    assert "{got}" in fill_in(template, Row("{query}", "{expected}", "{got}"))


@pytest.mark.parametrize(("grade", "worth"), DEFAULT_RUBRIC.values.items())
def test_a_letter_is_worth_a_value(grade: str, worth: float) -> None:
    found = read_grade(f"It is fine.\nAnswer: {grade}", LAB)
    assert (found.value, found.grade, found.error) == (worth, grade, None)
    assert found.text == f"It is fine.\nAnswer: {grade}"


@pytest.mark.parametrize(("said", "worth"), [("0", 0), ("0.85", 0.85), ("1", 1), ("1.0", 1)])
def test_a_number_from_0_to_1_stays_one(said: str, worth: float) -> None:
    assert read_grade(f"Score: {said}", [Pattern(r"Score: (\S+)")]).value == worth


@pytest.mark.parametrize("said", ["7", "-0.5", "1.01", "nan", "inf", "F", "good", "AB", "x" * 1000])
def test_any_other_grade_is_an_error_of_the_judge(said: str) -> None:
    found = read_grade(f"Score: {said}", [Pattern(r"Score: (\S+)")])
    assert found.value is None
    assert found.error is not None
    assert "neither one of A to E nor a number from 0 to 1" in found.error
    assert len(found.error) < 120


def test_the_first_expression_that_matches_decides() -> None:
    patterns = [Pattern(r"Final: (\w)"), Pattern(r"Answer: (\w)"), Pattern(r"(A|B|C|D|E)")]
    assert read_grade("A start. Answer: D Final: B", patterns).grade == "B"
    assert read_grade("A start. Answer: D", patterns).grade == "D"
    assert read_grade("E.", patterns).grade == "E"


def test_a_group_that_took_no_part_in_the_match_is_no_grade() -> None:
    assert read_grade("Answer: none.", [Pattern("Answer: (?:none|(A|B))"), Pattern("(none)")]).grade == "NONE"


@given(st.text().filter(lambda text: "Answer: " not in text))
def test_without_a_match_there_is_no_grade(said: str) -> None:
    found = read_grade(said, LAB)
    assert found.value is None
    assert found.text == said
    assert "no regular expression of `judge_score_regexes` matches" in str(found.error)


@given(TEXTS, st.sampled_from("ABCDE"), st.sampled_from("ABCDE"))
def test_a_grade_that_the_judge_quotes_never_becomes_the_grade(between: str, quoted: str, meant: str) -> None:
    found = read_grade(f'The summary says "Answer: {quoted}". {between}\nAnswer: {meant}', LAB)
    if quoted == meant:
        assert found.grade == meant
    else:
        assert found.value is None
        assert str(found.error).startswith("The judge named several grades: ")


@pytest.mark.parametrize(
    ("name", "params", "complaint"),
    [
        ("length", {"ratio": 0}, "`ratio`"),
        ("length", {"rate": 0.5}, "`rate`"),
        ("rouge", {"variant": "rouge9"}, "`variant`"),
        ("basic::subset_of", {"type": "llm_as_judge"}, "`type`"),
        ("llm-as-judge::base", None, "`judge_model`"),
    ],
)
def test_a_wrong_parameter_is_named(name: str, params: dict[str, Any] | None, complaint: str) -> None:
    with pytest.raises(ConfigError) as refused:
        SCORERS[name].read(name, params, Path())
    assert refused.value.sentence.startswith(f"`scoring_params` of `{name}`: ")
    assert complaint in refused.value.sentence


@pytest.mark.parametrize(
    ("pattern", "complaint"),
    [
        ("Answer: A", "needs a group"),
        ("(A", "not a regular expression"),
        (f"(A{'B' * 1_000})", "longer than 1,000 characters"),
    ],
)
def test_an_expression_that_finds_no_grade_is_refused(template: Path, pattern: str, complaint: str) -> None:
    template.write_text("{generated_answer}")
    params = {"judge_model": "m", "prompt_template": template.name, "judge_score_regexes": ["(ok)", pattern]}
    with pytest.raises(ConfigError, match=r"`judge_score_regexes\.1`") as refused:
        SCORERS["llm-as-judge::base"].read("llm-as-judge::base", params, template.parent)
    assert complaint in refused.value.sentence
