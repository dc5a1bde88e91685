"""What counts as made up, and what as a summary, when the embedded model is measured."""

import pytest

from bench.faithfulness import kept

TEXT = (
    "Frank Farina told Soccer Australia on Tuesday that its 1,500 juniors should not pay a $10 levy. The board, which "
    "met in Melbourne, wants 2.5 million more by 2003. Abdel-Aziz Rahman's club is against it. Nothing was decided."
)


@pytest.mark.parametrize(
    ("summary", "numbers", "names"),
    [
        ("Farina says that 1,500 juniors should pay no levy.", [], []),
        ("The 1500 juniors of Abdel-Aziz should not pay, and Australia's board wants 2.5 million.", [], []),
        ("Farina asked for $12 in 2013.", ["12", "2013"], []),
        ("Frank Farina met the World Cup board in Sydney. Sadly he lost.", [], ["World", "Cup", "Sydney"]),
    ],
)
def test_what_the_text_does_not_have_is_made_up(summary: str, numbers: list[str], names: list[str]) -> None:
    found = kept(TEXT, summary, whole=True)
    assert (found.invented_numbers, found.invented_names) == (numbers, names)
    assert found.invents == bool(numbers or names)


def test_half_a_word_at_the_end_of_a_reply_that_was_cut_is_no_name() -> None:
    assert not kept(TEXT, "The board met in Melb", whole=False).invents
    assert kept(TEXT, "The board met in Melb", whole=True).invents


@pytest.mark.parametrize(
    ("summary", "whole", "is_summary"),
    [
        ("Farina doesn't want juniors to pay a levy, and the board does.", True, True),
        ("Farina doesn't want juniors to pay a levy, and the", False, False),
        ("Here is the revised text: Farina doesn't want a levy.", True, False),
        ("The board met in Melbourne. The board met in Melbourne.", True, False),
        (TEXT, True, False),
        ("A levy.", True, False),
    ],
)
def test_a_copy_a_revision_a_loop_and_a_piece_are_no_summaries(summary: str, whole: bool, is_summary: bool) -> None:
    assert kept(TEXT, summary, whole=whole).is_summary is is_summary
