"""Two texts compared word by word."""

import pytest

from canopy.text.difference import DiffPiece, difference


def test_the_words_that_differ_are_marked_in_both_texts() -> None:
    got = difference("Keep the facts and be kind.", "Keep all facts and be kind now.")
    assert [it.text for it in got.before if it.changed] == ["the"]
    assert [it.text for it in got.after if it.changed] == ["all", " now"]
    assert got.places == 2


def test_words_that_changed_next_to_each_other_are_one_change() -> None:
    got = difference("in a clear and detailed manner", "in a short form")
    assert got.before == (DiffPiece("in a ", False), DiffPiece("clear and detailed manner", True))
    assert got.after == (DiffPiece("in a ", False), DiffPiece("short form", True))
    assert got.places == 1


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "new"),
        ("Be brief.", "Be brief"),
        ("a b c", "c b a"),
        ("Grüße 🌱", "Grüße 🌳"),
        ("x " * 9_000, "x y " * 5_000),
    ],
)
def test_both_texts_stay_whole(before: str, after: str) -> None:
    got = difference(before, after)
    assert ("".join(it.text for it in got.before), "".join(it.text for it in got.after)) == (before, after)


def test_white_space_that_alone_differs_can_be_seen() -> None:
    assert difference("Be brief.", "Be brief.\n").after == (DiffPiece("Be brief.", False), DiffPiece("↵\n", True))
    assert DiffPiece("␣␣", True) in difference("a b", "a  b").after


def test_equal_texts_differ_nowhere() -> None:
    assert difference("Be brief.", "Be brief.") == (
        (DiffPiece("Be brief.", False),),
        (DiffPiece("Be brief.", False),),
        0,
    )
