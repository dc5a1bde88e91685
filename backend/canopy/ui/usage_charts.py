"""The geometry of the small charts of what answers took: failures, the time to the first token, tokens.

Each has the time axis of the chart of satisfaction. Vertical positions are pixels.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import floor, log10

from canopy.store.generations.usage import UsageCount, UsageSum
from canopy.ui.satisfaction_chart import points_of
from canopy.ui.time_axis import Tick, TimeAxis

TOP, PLOT, HEIGHT = 8, 66, 104
_LABELS = 4  # on a small chart's time axis


@dataclass(frozen=True, slots=True)
class UsageBar:
    """Places one value; of a chart of lines only its upper end is drawn."""

    label: str
    words: str  # the value for people
    left: float  # percent of the width, as every x here
    width: float
    middle: float
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class UsageChart:
    """Holds one small chart: its name, the figure of the whole time, and what to draw."""

    name: str
    title: str
    figure: str
    bars: list[UsageBar]
    line: str  # its points; empty where bars are drawn
    values: list[Tick]


@dataclass(frozen=True, slots=True)
class UsageRow:
    """Says in the table what is drawn of one stretch of time."""

    label: str
    usage: UsageSum
    first_token: str


@dataclass(frozen=True, slots=True)
class UsageCharts:
    """Holds the small charts, their common time axis, and the table with the same numbers."""

    unit: str
    charts: list[UsageChart]
    times: list[Tick]
    rows: list[UsageRow]


def usage_charts(usage: Sequence[UsageCount], axis: TimeAxis) -> UsageCharts | None:
    """Return the charts; None without a generation. The axis has room for all."""
    if not usage:
        return None
    by_slot: dict[datetime, list[UsageSum]] = {start: [] for start in axis.starts}
    for it in usage:
        by_slot[axis.floor(it.since)].append(it.usage)
    sums = [UsageSum.sum(found) for found in by_slot.values()]
    total = UsageSum.sum(sums)
    failed = f"{total.failed:,} of {total.total:,}"
    spent = f"{total.input_tokens:,} in, {total.output_tokens:,} out"
    charts = [
        _chart(axis, sums, "failures", "Failures", failed, lambda it: it.failed, _count),
        _chart(
            axis, sums, "first-token", "Time to the first token", f"median {_seconds(total.first_token_median)}",
            lambda it: it.first_token_median, _seconds, line=True,
        ),
        _chart(axis, sums, "tokens", "Tokens", spent, lambda it: it.input_tokens + it.output_tokens, _count),
    ]  # fmt: skip
    rows = [
        UsageRow(axis.name(index), it, _seconds(it.first_token_median)) for index, it in enumerate(sums) if it.total
    ]
    return UsageCharts(axis.unit, charts, axis.ticks(_LABELS), rows)


def _chart(
    axis: TimeAxis,
    sums: Sequence[UsageSum],
    name: str,
    title: str,
    figure: str,
    value: Callable[[UsageSum], float | None],
    words: Callable[[float | None], str],
    *,
    line: bool = False,
) -> UsageChart:
    found = [(index, value(it)) for index, it in enumerate(sums) if it.total]
    top = _top(max((it or 0 for _, it in found), default=0), whole=not line)
    bars = []
    for index, it in found:
        if it is None or (not it and not line):
            continue
        height, middle = PLOT * it / top, axis.middle(index)
        bars.append(
            UsageBar(
                label=axis.name(index),
                words=words(it),
                left=round(middle - axis.width / 2, 3),
                width=round(axis.width, 3),
                middle=round(middle, 3),
                y=round(TOP + PLOT - height, 1),
                height=round(height, 1),
            )
        )
    points = points_of((it.middle, it.y) for it in bars) if line else ""
    values = [Tick(round(TOP + PLOT * (1 - share), 1), _short(top * share, line=line)) for share in (0, 1)]
    return UsageChart(name, title, figure, bars, points, values)


def _top(most: float, *, whole: bool) -> float:
    """Return the round number at which an axis ends: 1, 2 or 5 of a power of ten."""
    most = max(most, 1 if whole else 0.1)
    magnitude: float = 10 ** floor(log10(most))
    return next(top for step in (1, 2, 5, 10) if (top := step * magnitude) >= most * 0.999)


def _short(value: float, *, line: bool) -> str:
    """Return a number that fits beside a small chart."""
    if line:
        return f"{value:g} s"
    for size, letter in ((1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k")):
        if value >= size:
            return f"{value / size:g} {letter}"
    return f"{value:g}"


def _count(value: float | None) -> str:
    return f"{value or 0:,.0f}"


def _seconds(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.2f} s"
