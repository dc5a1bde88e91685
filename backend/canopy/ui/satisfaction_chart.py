"""The geometry of the chart of satisfaction over time.

Two panels share one time axis: above, the share of positive votes; below, the votes as stacked bars. Horizontal
positions are percentages of the width and vertical ones are pixels, so that the chart fits every screen while its text
keeps its size.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import log10
from typing import Protocol

from canopy.feedback.statistics import SentimentCount, Tally, tallies_by
from canopy.ui.time_axis import Tick, TimeAxis, time_axis

LINE_TOP, LINE_HEIGHT = 10, 100
BARS_TOP, BARS_HEIGHT = 140, 88
HEIGHT = 262


class TimedCount(SentimentCount, Protocol):
    """Says how many votes of a stretch of time have one sentiment."""

    @property
    def hour(self) -> int:
        """When it begins: microseconds since the epoch, a whole hour."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """Places one bar, which stands for the votes of one `Chart.unit` of time."""

    label: str  # such as `3 Sep 2026`
    tally: Tally
    left: float  # percent of the width, as every x here
    width: float
    middle: float
    positive_height: float  # pixels
    positive_y: float
    negative_height: float
    negative_y: float
    line_y: float | None  # None: nobody took a side


@dataclass(frozen=True, slots=True)
class Chart:
    """Holds what the template draws: the line of satisfaction, the bars of votes, and the axes.

    `positive` and `negative` are paths of all bars and `line` is the points of the line, in percent and pixels: a
    browser paints one shape sooner than a hundred.
    """

    unit: str  # `hour`, `day`, `week` or `month`
    first: str
    last: str
    buckets: list[Bucket]
    positive: str
    negative: str
    line: str
    times: list[Tick]
    votes: list[Tick]
    shares: list[Tick]


def satisfaction_chart(
    counts: Sequence[TimedCount], now: int, since: int | None, until: int | None, axis: TimeAxis | None = None
) -> Chart | None:
    """Return the chart of the votes from `since` to `until` (microseconds, as `now`); None if there are none.

    `counts` are by the hour where all lie within `HOURS_FOR`, and may be by the day else. The `axis` has room for all.
    """
    by_hour = tallies_by(counts, lambda it: it.hour)
    if not by_hour:
        return None
    axis = axis or time_axis(min(by_hour), max(by_hour), now, since, until)
    sums = {start: Tally() for start in axis.starts}
    for hour, votes in by_hour.items():
        bucket = sums[axis.floor(hour)]
        bucket.positive += votes.positive
        bucket.neutral += votes.neutral
        bucket.negative += votes.negative
    top = _top(sums.values())
    buckets = _buckets(axis, list(sums.values()), top)
    return Chart(
        unit=axis.unit,
        first=axis.name(0),
        last=axis.name(-1),
        buckets=buckets,
        positive=_bars((it.left, it.positive_y, it.width, it.positive_height) for it in buckets),
        negative=_bars((it.left, it.negative_y, it.width, it.negative_height) for it in buckets),
        line=points_of([(it.middle, it.line_y) for it in buckets if it.line_y is not None]),
        times=axis.ticks(),
        votes=[Tick(_bar_y(n, top), f"{n:,}") for n in (0, top // 2, top)],
        shares=[Tick(line_y(share), f"{share * 100:.0f} %") for share in (0, 0.5, 1)],
    )


def _buckets(axis: TimeAxis, sums: Sequence[Tally], top: int) -> list[Bucket]:
    buckets = []
    for index, votes in enumerate(sums):
        positive, negative = (BARS_HEIGHT * n / top for n in (votes.positive, votes.negative))
        middle = axis.middle(index)
        buckets.append(
            Bucket(
                label=axis.name(index),
                tally=votes,
                left=round(middle - axis.width / 2, 3),
                width=round(axis.width, 3),
                middle=round(middle, 3),
                positive_height=round(positive, 1),
                positive_y=round(BARS_TOP + BARS_HEIGHT - positive, 1),
                negative_height=round(negative, 1),
                negative_y=round(BARS_TOP + BARS_HEIGHT - positive - negative, 1),
                line_y=None if votes.satisfaction is None else line_y(votes.satisfaction),
            )
        )
    return buckets


def points_of(places: Iterable[tuple[float, float]]) -> str:
    """Return places (x, y) as the points of a line."""
    return " ".join(f"{x},{y}" for x, y in places)


def _bars(places: Iterable[tuple[float, float, float, float]]) -> str:
    """Return a path of rectangles (left, top, width, height), without those that have no height."""
    return "".join(f"M{x} {y}h{width}v{height}h-{width}z" for x, y, width, height in places if height)


def _top(tallies: Iterable[Tally]) -> int:
    """Return the even, round number at which the bars' axis ends."""
    most = max(votes.positive + votes.negative for votes in tallies)
    magnitude: int = 10 ** int(log10(max(most, 1)))
    return next(top for step in (1, 2, 4, 6, 8, 10) if (top := step * magnitude) >= max(most, 2))


def line_y(share: float) -> float:
    """Return where a share of positive votes lies in the upper panel."""
    return round(LINE_TOP + LINE_HEIGHT * (1 - share), 1)


def _bar_y(n: int, top: int) -> float:
    return round(BARS_TOP + BARS_HEIGHT * (1 - n / top), 1)
