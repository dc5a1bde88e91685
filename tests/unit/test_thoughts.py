"""Thoughts are left out of an answer alike, whether it is there as a whole or arrives piece by piece."""

import pytest

from canopy.inference.thoughts import Thoughts
from canopy.thoughts import MARKS, without_thoughts


def streamed(text: str, size: int) -> str:
    thoughts = Thoughts()
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    return "".join(map(thoughts.feed, pieces)) + thoughts.end()


@pytest.mark.parametrize("opening", [*MARKS, *map(str.upper, MARKS)])
@pytest.mark.parametrize("size", [1, 3, 1_000])
def test_every_familys_marks_are_known_in_both(opening: str, size: int) -> None:
    text = f"{opening}A or B? {MARKS[opening.lower()]}\nB"
    assert without_thoughts(text).strip() == streamed(text, size).strip() == "B"


def test_thoughts_without_an_end_leave_no_answer() -> None:
    for opening in MARKS:
        text = f"{opening}A or B?"
        assert without_thoughts(text) == streamed(text, 2) == ""
