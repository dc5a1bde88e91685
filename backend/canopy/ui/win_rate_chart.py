"""The geometry of the chart of Prompt B's win rate and its interval.

Horizontal positions are percentages of the width and vertical ones are pixels, as in `satisfaction_chart`. Only the
band is drawn in a nested, stretched SVG that is 100 units wide, because a polygon takes no percentages.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import log10

from canopy.experiments.report import WinRatePoint
from canopy.ui.satisfaction_chart import points_of
from canopy.ui.time_axis import Tick

TOP, PLOT = 8, 240
HEIGHT = TOP + PLOT + 46
_STEPS = (1, 2, 2.5, 5, 10)
_LABELS = 6  # on the axis of votes, at most


@dataclass(frozen=True, slots=True)
class Spot:
    """Places one point of the trajectory: a dot at `y`, and its interval from `high_y` down to `low_y`."""

    n: int
    timestamp: int
    win_rate: float
    low: float
    high: float
    x: float  # percent of the width, as every x here
    y: float
    low_y: float
    high_y: float
    hit_x: float  # the area in which the pointer selects this point
    hit_width: float


@dataclass(frozen=True, slots=True)
class WinRateChart:
    """Holds what the template draws: the win rate after each decisive vote, its interval, and both axes."""

    spots: list[Spot]
    band: str  # the points of the interval's polygon
    line: str
    half_y: float
    zone_y: float  # the equivalence zone
    zone_height: float
    shares: list[Tick]
    votes: list[Tick]


def win_rate_chart(trajectory: Sequence[WinRatePoint], equivalence_margin: float) -> WinRateChart | None:
    """Return the chart of a trajectory over the number of decisive votes; None without any.

    Win rates within ½ ± `equivalence_margin` are the equivalence zone. The band begins at full height, since nothing is
    known before the first vote.
    """
    points = [(point, point.win_rate) for point in trajectory if point.n and point.win_rate is not None]
    if not points:
        return None
    last = points[-1][0].n
    places = [100 * point.n / last for point, _ in points]
    edges = [0.0, *((x1 + x2) / 2 for x1, x2 in pairwise(places)), 100.0]
    spots = [
        Spot(
            n=point.n,
            timestamp=point.timestamp,
            win_rate=rate,
            low=point.low,
            high=point.high,
            x=round(x, 3),
            y=_y(rate),
            low_y=_y(point.low),
            high_y=_y(point.high),
            hit_x=round(left, 3),
            hit_width=round(right - left, 3),
        )
        for (point, rate), x, (left, right) in zip(points, places, pairwise(edges), strict=True)
    ]
    return WinRateChart(
        spots=spots,
        band=_band(spots),
        line=points_of((it.x, it.y) for it in spots),
        half_y=_y(0.5),
        zone_y=_y(0.5 + equivalence_margin),
        zone_height=round(_y(0.5 - equivalence_margin) - _y(0.5 + equivalence_margin), 1),
        shares=[Tick(_y(share), f"{share * 100:.0f} %") for share in (0, 0.25, 0.5, 0.75, 1)],
        votes=_vote_ticks(last),
    )


def _band(spots: Sequence[Spot]) -> str:
    upper = [(0.0, _y(1)), *((spot.x, spot.high_y) for spot in spots)]
    lower = [(0.0, _y(0)), *((spot.x, spot.low_y) for spot in spots)]
    return " ".join(f"{x},{y}" for x, y in [*upper, *reversed(lower)])


def _vote_ticks(last: int) -> list[Tick]:
    magnitude = 10 ** int(log10(last))
    steps = (scale * step for scale in (magnitude / 10, magnitude) for step in _STEPS)
    step = next(int(step) for step in steps if step >= 1 and step == int(step) and last / step <= _LABELS)
    return [Tick(round(100 * n / last, 3), f"{n:,}", minor=n // step % 2 == 1) for n in range(0, last + 1, step)]


def _y(share: float) -> float:
    return round(TOP + PLOT * (1 - share), 1)
