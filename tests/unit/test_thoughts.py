"""Thoughts are left out of an answer alike, whether it is there as a whole or arrives piece by piece."""

import pytest

from canopy.inference.thoughts import ThoughtFilter
from canopy.text.thoughts import MARKS, lone_end, without_thoughts


def streamed(text: str, size: int, expected: str | None = None) -> str:
    thoughts = ThoughtFilter(expected)
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    return "".join(piece if thoughts.plain else thoughts.feed(piece) for piece in pieces) + thoughts.end()


@pytest.mark.parametrize("opening", [*MARKS, *map(str.upper, MARKS)])
@pytest.mark.parametrize("size", [1, 3, 1_000])
def test_every_familys_marks_are_known_in_both(opening: str, size: int) -> None:
    text = f"{opening}A or B? {MARKS[opening.lower()]}\nB"
    assert without_thoughts(text).strip() == streamed(text, size).strip() == "B"


@pytest.mark.parametrize("end", MARKS.values())
@pytest.mark.parametrize("size", [1, 3, 1_000])
def test_an_expected_end_is_waited_for(end: str, size: int) -> None:
    assert streamed(f"A or B?\n{end}\n\nB, as {end} says.", size, expected=end) == f"B, as {end} says."
    assert streamed("\nB, with a < b.", size, expected=end) == "\nB, with a < b."


def test_an_end_that_nothing_opened_is_none_where_it_is_quoted() -> None:
    for text in ("It ends with </think>, as", "<think>a\n</think>\nb", "Write `</think>` there.", "No mark."):
        assert lone_end(text) is None
    for text in (
        "Hm.</think>B",
        "Hm.\n</think>\n\nB",
        "Hm.</think>\nB",
        "Hm.\n</think>B",
        "<think>a</think>Hm.\n</think>\nB",
    ):
        mark = lone_end(text)
        assert mark
        assert text[mark.end() :].strip() == without_thoughts(text).strip() == "B"


def test_thoughts_without_an_end_leave_no_answer() -> None:
    for opening in MARKS:
        text = f"{opening}A or B?"
        assert without_thoughts(text) == streamed(text, 2) == ""


def test_thoughts_that_are_cut_short_before_the_expected_end_are_no_answer() -> None:
    thoughts = ThoughtFilter("</think>")
    assert thoughts.feed("A or B? I think") + thoughts.end(cut_short=True) == ""
