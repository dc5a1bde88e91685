"""What a judge says is read whatever it wears, and a letter in a word is no grade."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canopy.evals.scorers.grades import read_grade
from canopy.evals.scorers.patterns import Pattern
from canopy.evals.scorers.rubric import Rubric
from canopy.text.thoughts import without_thoughts

LETTERS = [Pattern("Answer: (A|B|C|D|E)")]
NUMBERS = [Pattern(r"\[\[(\d+)\]\]"), Pattern(r"(?:Rating|Score): (\d+)")]


@pytest.mark.parametrize(
    "said",
    [
        "Answer: C",
        "answer: c",
        "ANSWER:   C.",
        "Answer : C",
        "Answer:\n\nC",
        "**Answer:** C",
        "**Answer: C**",
        "> ### Answer: __C__",
        "Answer: `C`",
        "Answer: <b>C</b>",
        "Answer: (C)",
        "Answer: [C]",
        "Answer: “C”",
        '{"Answer": "C"}',
        r"Answer: $\boxed{C}$",
        "Answer:\u00a0C",
        "Answer:\u202f\u2009C",
        "Answer: \u200b\ufeffC\u2060",
        "Answer\uff1a\uff23",  # full width, as Chinese and Japanese models write it
        "Answer: C+",
        "Answer: C, since it misses a point.",
        "Answer: C, B is too good for it.",
        "Answer: C (not B)",
        "Answer: C and not B",
        "Answer: C - a good start",
        "Answer: C and a half",
        "Answer: C\n- B is for better ones.",
        "Answer: C or better",
        "Answer: C\u2014it misses a point.",
        "Answer: C. And again: Answer: C",
        "<think>Answer: A? No.</think>Answer: C",
        "<THINKING>Answer: A</THINKING>\nAnswer: C",
        "[THINK]Answer: A[/THINK]\nAnswer: C",
        "◁think▷Answer: A◁/think▷Answer: C",
        "It may be Answer: B\n</think>\n\nAnswer: C",
        "<think>one <think>Answer: A</think> Answer: B</think> Answer: C",
        "<|channel|>analysis<|message|>Answer: A<|end|><|start|>assistant<|channel|>final<|message|>Answer: C",
    ],
)
def test_a_grade_is_read_in_whatever_dress(said: str) -> None:
    found = read_grade(said, LETTERS)
    assert (found.grade, found.value, found.error) == ("C", 0.5, None)
    assert found.text == said


@pytest.mark.parametrize(
    "said",
    [
        "Answer: Clearly good.",
        "Answer: E.g. the date is missing.",
        "Answer: Dodgy",
        "Answer: C'est bien",
        "Answer: D\u2019accord",
        "Answer: A-level work",
        "Answer: B-C",
        "Answer: A+ work but B",
        "Answer: B2B",
        "Answer: E_1",
        "Answer: C\u0327a va",
        "Answer: A good summary, so I choose (B).",
        "Answer: Äußerst gut",
        "Answer: One of ABCDE: nothing fits.",
        "<think>Answer: B",
        "<|channel|>analysis<|message|>Answer: B",
    ],
)
def test_a_letter_that_is_part_of_something_else_is_no_grade(said: str) -> None:
    found = read_grade(said, LETTERS)
    assert (found.grade, found.value) == (None, None)
    assert found.error


@given(st.text(st.characters(categories=["L", "Nd"]), min_size=1, max_size=8), st.sampled_from("ABCDE"))
def test_no_word_that_begins_with_a_letter_is_that_grade(rest: str, letter: str) -> None:
    assert read_grade(f"Answer: {letter}{rest}", LETTERS).value is None


def test_a_quoted_mark_of_thoughts_hides_no_grade() -> None:
    found = read_grade('Answer: E, as it says "</think> Answer: A".', LETTERS)
    assert found.error == "The judge named several grades: A and E."


@pytest.mark.parametrize(
    "said",
    [
        "Answer: B/C",
        "Answer: B and C",
        "Answer: B or C",
        "Answer: B & C",
        "Answer: B, C",
        "Answer: B, C and D are right",
        "Answer: B \u2013 C",
        "Answer: B to C",
        "Answer: **B** / **C**",
        "**Answer:** (B) or (C)",
        "Answer: B+/C",
        "answer: b or c",
        "Answer:B and C",
        "Answer: B and A, since it is good.",
    ],
)
def test_several_grades_side_by_side_are_none(said: str) -> None:
    found = read_grade(said, LETTERS)
    assert (found.grade, found.value) == (None, None)
    assert (found.error or "").startswith("The judge named several grades: ")


def test_a_grade_in_another_case_contradicts_one_that_is_quoted() -> None:
    assert read_grade('It says "Answer: A". answer: e', LETTERS).value is None


@pytest.mark.parametrize(
    ("said", "value"),
    [
        ("Rating: 4", 0.75),
        ("Rating: **4**", 0.75),
        ("Rating: 1", 0),
        ("Rating: [[5]]", 1),
        ("Rating: 4/5", 0.75),
        ("Rating: 4 out of 5", 0.75),
        ("Score: 7/10", 0.7),
        ("Score: 85%", 0.85),
        ("Rating: \uff14", 0.75),
        ("Rating: 4, 2 facts are missing", 0.75),
        ("Rating: 4\n- 2 facts are missing", 0.75),
        ("Rating: 4.5", None),
        ("Rating: 3-4", None),
        ("Rating: 3 \u2013 4", None),
        ("Rating: 3 to 4", None),
        ("Rating: 3 or 4", None),
        ("Rating: **3**-**4**", None),
        ("Rating: 3, 4", None),
        ("Score: 80%-90%", None),
        ("Rating: 40", None),
        ("Rating: 0", None),
        ("Rating: 4th of May", None),
        ("Score: 7/0", None),
    ],
)
def test_a_number_is_worth_its_place_on_the_scale(said: str, value: float | None) -> None:
    assert read_grade(said, NUMBERS, Rubric({}, (1, 5))).value == value


def test_a_scale_may_begin_with_its_best_number() -> None:
    assert read_grade("Rating: 2", NUMBERS, Rubric({}, (5, 1))).value == 0.75


def test_words_can_be_grades() -> None:
    rubric, patterns = Rubric({"CORRECT": 1, "INCORRECT": 0}), [Pattern("(correct|incorrect)")]
    assert read_grade("This is incorrect.", patterns, rubric).value == 0
    assert read_grade("This is correct.", patterns, rubric).value == 1
    assert "is neither one of CORRECT, INCORRECT nor" in str(read_grade("A", [Pattern("(A)")], rubric).error)


@given(st.text())
def test_a_text_without_marks_is_all_answer(text: str) -> None:
    if not any(sign in text for sign in "<[◁"):
        assert without_thoughts(text) == text
