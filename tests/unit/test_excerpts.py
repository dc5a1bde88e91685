"""What an entry's row shows of its texts."""

import pytest

from canopy.ui.excerpts import around, first_words, row_line


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        ("## What was decided\n\n- Lunch", "What was decided"),
        ("\n- **Lunch** at `noon`\n- Tea", "Lunch at noon"),
        ("1. First\n2. Second", "First"),
        ("> He said\n> so", "He said"),
        ("---\n# After a rule", "After a rule"),
        ("| Who | What |\n|-|-|\n| I | this |", "Who What"),
        ("5 * 3 is <b>15</b>, well-known", "5 * 3 is <b>15</b>, well-known"),
        ("#hashtag of a voter", "#hashtag of a voter"),
        ("", ""),
    ],
)
def test_a_row_has_the_words_of_an_answer_without_its_markdown(answer: str, shown: str) -> None:
    assert first_words(answer) == shown


def test_what_is_searched_for_is_marked_and_nothing_else_is_markup() -> None:
    assert row_line("<i>Trains</i> & trains", "", "TRAINS") == (
        "&lt;i&gt;<mark>Trains</mark>&lt;/i&gt; &amp; <mark>trains</mark>"
    )
    assert row_line("<i>", "<i>", "") == row_line("<i>", "<i>", "trains") == "&lt;i&gt;"
    assert row_line("a <b> c", "", "<B>") == "a <mark>&lt;b&gt;</mark> c"
    assert row_line("Die Straße dort", "", "STRASSE") == "Die <mark>Straße</mark> dort"
    assert row_line("ﬀﬀ und קטן", "", "קטן") == "ﬀﬀ und <mark>קטן</mark>"


def test_a_row_shows_the_place_where_a_text_has_what_is_searched_for() -> None:
    text = f"It begins so. {'Then more. ' * 20}\nAt last  a train came. {'The end. ' * 40}"
    line = row_line("It begins so.", text, "A train")
    assert line.startswith("…Then more. At last <mark>a train</mark> came. The end.")
    assert line.endswith("…")
    assert row_line(text[:240], text, "more.").startswith("It begins so. Then <mark>more.</mark>")


def test_the_whole_text_is_looked_at_for_what_its_beginning_does_not_have() -> None:
    text = "x" * 5_000 + " a Train came " + "y" * 5_000
    piece = around(text, "train")
    assert " a Train came " in piece
    assert len(piece) < 600
    assert around(text, "ship") == ""
