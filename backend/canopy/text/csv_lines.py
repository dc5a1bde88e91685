"""Lines of a CSV file as spreadsheets and programs read them: RFC 4180, and no cell that a spreadsheet calculates."""

import csv
import io
import re
from collections.abc import Iterable, Sequence

MARK = "\ufeff".encode()
"""Tells a spreadsheet at the beginning of a file that it is UTF-8."""

# What a spreadsheet takes for a formula, also behind what it doesn't show.
_FORMULA = re.compile("[\\s\ufeff\u200b-\u200f]*[=+\\-@＝＋－＠]|[\t\r\n]")  # noqa: RUF001  # full-width ones count, too


def lines(rows: Iterable[Sequence[str | int | float | None]]) -> bytes:
    """Return the rows in UTF-8, each with CRLF at its end; None is an empty cell.

    A text that a spreadsheet would calculate gets an apostrophe in front, by which the spreadsheet shows it as text.
    """
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue().encode()


def _cell(value: str | float | None) -> str | float | None:
    return f"'{value}" if isinstance(value, str) and _FORMULA.match(value) else value
