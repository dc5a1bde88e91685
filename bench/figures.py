"""What a benchmark finds, and the table that shows it."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Literal

type Judged = Literal["measured", "ratio", "difference"]


@dataclass(frozen=True, slots=True)
class Bound:
    """A limit on the measured value itself, on its ratio to the baseline, or on its difference from it."""

    limit: float
    on: Judged = "measured"
    at_least: bool = False

    def __str__(self) -> str:
        sign = "≥" if self.at_least else "≤"
        shown = {"measured": "{}", "ratio": "{}x", "difference": "+{}"}[self.on].format(number(self.limit))
        return f"{sign} {shown}"


@dataclass(frozen=True, slots=True)
class Figure:
    """One number with its unit, the number it is compared with, and the bound. Without a bound it only informs."""

    name: str
    measured: float
    unit: str
    baseline: float | None = None
    against: str = ""  # what the baseline is
    bound: Bound | None = None

    @property
    def ratio(self) -> float | None:
        """Measured to baseline."""
        return self.measured / self.baseline if self.baseline else None

    @property
    def met(self) -> bool | None:
        """Whether the bound holds; None where there is none."""
        if self.bound is None:
            return None
        match self.bound.on:
            case "measured":
                value = self.measured
            case "ratio":
                value = self.ratio or float("nan")
            case "difference":
                value = self.measured - (self.baseline or 0)
        return value >= self.bound.limit if self.bound.at_least else value <= self.bound.limit

    def as_json(self) -> dict[str, Any]:
        """Everything, for programs."""
        return {
            "name": self.name,
            "measured": self.measured,
            "unit": self.unit,
            "baseline": self.baseline,
            "against": self.against,
            "ratio": self.ratio,
            "bound": str(self.bound) if self.bound else None,
            "met": self.met,
        }


def number(value: float) -> str:
    """Three significant digits, without an exponent."""
    size = abs(value)
    if size >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if size >= 10 else f"{value:.2f}".rstrip("0").rstrip(".")


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` of the values don't exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def middle(rounds: Sequence[float]) -> float:
    """The typical round: on a machine shared with others some rounds are unlucky, and few are lucky."""
    return median(rounds)


def table(figures: Sequence[Figure]) -> str:
    """The figures in columns."""
    head = ("figure", "measured", "baseline", "ratio", "bound", "", "measured against")
    rows = [head, *(_row(figure) for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    rows.insert(1, tuple("─" * width for width in widths))
    right = {1, 2, 3, 4}
    return "\n".join(
        "  ".join(
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def _row(figure: Figure) -> tuple[str, ...]:
    return (
        figure.name,
        f"{number(figure.measured)} {figure.unit}",
        f"{number(figure.baseline)} {figure.unit}" if figure.baseline is not None else "",
        f"{figure.ratio:.2f}x" if figure.ratio is not None else "",
        str(figure.bound) if figure.bound else "",
        {True: "met", False: "MISSED", None: ""}[figure.met],
        figure.against,
    )
