"""CSV as RFC 4180 has it, which spreadsheets read without calculating."""

import csv
import io

import pytest

from canopy.text.csv_lines import lines


def test_cells_have_quotes_where_they_need_them_and_rows_end_with_crlf() -> None:
    assert lines([["a", "b,c", 'd"e', "f\ng", "h\ri", "", None, 3, 0.5]]) == (
        b'a,"b,c","d""e","f\ng","h\ri",,,3,0.5\r\n'
    )


@pytest.mark.parametrize(
    "text",
    ["=1", "+1", "-1", "@x", "\t=1", "\tx", "\rx", "\n-1", "  =1", "\xa0=1", "\ufeff=1", "\u200b\u200e@x", "＝1"],  # noqa: RUF001  # full width
)
def test_nothing_is_calculated(text: str) -> None:
    assert list(csv.reader(io.StringIO(lines([[text]]).decode(), newline=""))) == [[f"'{text}"]]


@pytest.mark.parametrize("text", ["a=1", "'=1", "1-2", "é", "", " x", "\u2028x", "日本"])
def test_everything_else_stays_as_it_is(text: str) -> None:
    assert list(csv.reader(io.StringIO(lines([["", text]]).decode(), newline=""))) == [["", text]]


def test_numbers_stay_numbers() -> None:
    assert lines([[-1, -0.5]]) == b"-1,-0.5\r\n"
