"""Charts in text for `canopy ab`, at most 80 columns wide; `say` drops colours without a terminal."""

from collections.abc import Sequence

import click

from canopy.cli.terminal import style

WIDTH = 80
_SCALE = 60  # columns of the axis from 0 to 1
_MARGIN = 8  # columns before it


class Axis:
    """A win-rate axis from 0 to 100 %, with marks at ½ and, if known, at the true rate."""

    def __init__(self, truth: float | None = None) -> None:
        self._truth = None if truth is None else self._column(truth)

    def header(self, label: str) -> list[str]:
        """Return the lines of the scale: the rows' label, the quarters and their marks."""
        scale = f"{label:>{_MARGIN - 2}}  "
        for share in (0, 25, 50, 75, 100):
            scale = scale.ljust(_MARGIN + self._column(share / 100) - (1 if share else 0)) + f"{share} %"
        marks = list("├" + "─" * (_SCALE - 1) + "┤")
        for quarter in (1, 2, 3):
            marks[quarter * _SCALE // 4] = "┼"
        if self._truth is not None:
            marks[self._truth] = "▼"
        return [scale, " " * _MARGIN + "".join(marks)]

    def row(self, label: str, interval: tuple[float, float], rate: float, *, colour: str = "yellow") -> str:
        """Return one row: the interval, the observed rate in it, and both in numbers."""
        cells = [" "] * (_SCALE + 1)
        if self._truth is not None:
            cells[self._truth] = style("┊", fg="cyan")
        cells[_SCALE // 2] = "│"
        low, high = (self._column(end) for end in interval)
        for column in range(low, high + 1):
            sign = "├" if column == low else "┤" if column == high else "┼" if column == _SCALE // 2 else "─"
            cells[column] = style(sign, fg=colour)
        cells[self._column(rate)] = style("●", fg=colour, bold=True)
        numbers = f"{100 * interval[0]:.0f}-{100 * interval[1]:.0f} %"
        return f"{label:>{_MARGIN - 2}}  {''.join(cells)} {numbers}"

    @staticmethod
    def _column(share: float) -> int:
        return round(share * _SCALE)


def bars(rows: Sequence[tuple[str, float, str]], *, label_width: int, colour: str | None = None) -> list[str]:
    """Return one bar per label and share, the longest filling the line; each row ends with its note."""
    space = WIDTH - label_width - 2 - max((len(note) for _, _, note in rows), default=0) - 10
    most = max((share for _, share, _ in rows), default=0) or 1
    lines = []
    for label, share, note in rows:
        length = share / most * space
        # A share above 0 gets a visible bar.
        bar = "█" * int(length) + ("▌" if length % 1 >= 0.5 or 0 < length < 1 else "")
        lines.append(f"{label:<{label_width}}  {style(bar, fg=colour)} {100 * share:.1f} %  {note}".rstrip())
    return lines


def paragraph(text: str) -> str:
    """Wrap a text to the width."""
    return click.wrap_text(text, width=WIDTH)


def title(text: str) -> str:
    """Return a heading, with space above it."""
    return "\n" + style(text, bold=True)
