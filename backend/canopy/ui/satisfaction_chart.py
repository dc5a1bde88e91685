"""The geometry of the chart of satisfaction over time.

Two panels share one time axis: above, the share of positive votes; below, the votes as stacked bars. Horizontal
positions are percentages of the width and vertical ones are pixels, so that the chart fits every screen while its text
keeps its size.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from math import ceil, log10

from canopy.feedback.statistics import Tally, tallies_by
from canopy.store.feedback.query import HourCount

LINE_TOP, LINE_HEIGHT = 10, 110
BARS_TOP, BARS_HEIGHT = 156, 110
HEIGHT = 300
_LABELS = 7  # on the time axis, at most
_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)


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
class LineSegment:
    """Places a piece of the satisfaction line, between two buckets in which people took sides."""

    x1: float
    y1: float
    x2: float
    y2: float


@dataclass(frozen=True, slots=True)
class Tick:
    """Places a label on an axis; `minor` ones are hidden on small screens."""

    at: float
    label: str
    minor: bool = False


HOURS_FOR = 2 * 86_400_000_000  # microseconds that are drawn by the hour, at most
_LEAD = 31 * 86_400_000_000  # microseconds drawn before the first vote when the range begins earlier


@dataclass(frozen=True, slots=True)
class Chart:
    """Holds what the template draws: the line of satisfaction, the bars of votes, and the axes."""

    unit: str  # `hour`, `day`, `week` or `month`
    first: str
    last: str
    buckets: list[Bucket]
    segments: list[LineSegment]
    times: list[Tick]
    votes: list[Tick]
    shares: list[Tick]


def satisfaction_chart(counts: Sequence[HourCount], now: int, since: int | None, until: int | None) -> Chart | None:
    """Return the chart of the votes from `since` to `until` (microseconds, as `now`); None if there are none.

    `counts` are by the hour where all lie within `HOURS_FOR`, and may be by the day else.

    An open start is the first vote, an open end is now; a short range is extended to a day. Of a range that begins long
    before the first vote or ends after now, only the part near the votes is drawn.
    """
    by_hour = tallies_by(counts, lambda it: it.hour)
    if not by_hour:
        return None
    earliest, latest = min(by_hour), max(by_hour)
    end = max(now, latest)
    last = _at(end if until is None else max(min(until - 1, end), latest))
    start = earliest if since is None else min(max(since, earliest - _LEAD), earliest)
    first = min(_at(start), last - 23 * _HOUR)
    unit = _unit(last - first)
    starts = _starts(unit, first, last)
    sums = {start: Tally() for start in starts}
    for hour, votes in by_hour.items():
        bucket = sums[_floor(unit, _at(hour))]
        bucket.positive += votes.positive
        bucket.neutral += votes.neutral
        bucket.negative += votes.negative
    top = _top(sums.values())
    buckets = _buckets(unit, sums, top)
    return Chart(
        unit=unit,
        first=_name(unit, starts[0]),
        last=_name(unit, starts[-1]),
        buckets=buckets,
        segments=_segments(buckets),
        times=_time_ticks(unit, starts),
        votes=[Tick(_bar_y(n, top), f"{n:,}") for n in (0, top // 2, top)],
        shares=[Tick(_line_y(share), f"{share * 100:.0f} %") for share in (0, 0.5, 1)],
    )


def _at(microseconds: int) -> datetime:
    return datetime.fromtimestamp(microseconds // 1_000_000, UTC)


def _unit(span: timedelta) -> str:
    if span <= timedelta(microseconds=HOURS_FOR):
        return "hour"
    if span <= 92 * _DAY:
        return "day"
    return "week" if span <= 731 * _DAY else "month"


def _floor(unit: str, at: datetime) -> datetime:
    if unit == "hour":
        return at.replace(minute=0, second=0, microsecond=0)
    day = at.replace(hour=0, minute=0, second=0, microsecond=0)
    if unit == "week":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if unit == "month" else day


def _starts(unit: str, first: datetime, last: datetime) -> list[datetime]:
    step = {"hour": _HOUR, "day": _DAY, "week": 7 * _DAY, "month": 32 * _DAY}[unit]
    starts = [_floor(unit, first)]
    while (following := _floor(unit, starts[-1] + step)) <= last:
        starts.append(following)
    return starts


def _buckets(unit: str, sums: dict[datetime, Tally], top: int) -> list[Bucket]:
    slot = 100 / len(sums)
    width = slot * (0.72 if slot > 1.5 else 0.84)
    buckets = []
    for index, (start, votes) in enumerate(sums.items()):
        positive, negative = (BARS_HEIGHT * n / top for n in (votes.positive, votes.negative))
        middle = slot * (index + 0.5)
        buckets.append(
            Bucket(
                label=_name(unit, start),
                tally=votes,
                left=round(middle - width / 2, 3),
                width=round(width, 3),
                middle=round(middle, 3),
                positive_height=round(positive, 1),
                positive_y=round(BARS_TOP + BARS_HEIGHT - positive, 1),
                negative_height=round(negative, 1),
                negative_y=round(BARS_TOP + BARS_HEIGHT - positive - negative, 1),
                line_y=None if votes.satisfaction is None else _line_y(votes.satisfaction),
            )
        )
    return buckets


def _segments(buckets: list[Bucket]) -> list[LineSegment]:
    points = [(bucket.middle, bucket.line_y) for bucket in buckets if bucket.line_y is not None]
    return [LineSegment(x1, y1, x2, y2) for (x1, y1), (x2, y2) in pairwise(points)]


def _top(tallies: Iterable[Tally]) -> int:
    """Return the even, round number at which the bars' axis ends."""
    most = max(votes.positive + votes.negative for votes in tallies)
    magnitude: int = 10 ** int(log10(max(most, 1)))
    return next(top for step in (1, 2, 4, 6, 8, 10) if (top := step * magnitude) >= max(most, 2))


def _line_y(share: float) -> float:
    return round(LINE_TOP + LINE_HEIGHT * (1 - share), 1)


def _bar_y(n: int, top: int) -> float:
    return round(BARS_TOP + BARS_HEIGHT * (1 - n / top), 1)


def _time_ticks(unit: str, starts: list[datetime]) -> list[Tick]:
    every = ceil(len(starts) / _LABELS)
    slot = 100 / len(starts)
    ticks = []
    for place, index in enumerate(range(every // 2, len(starts), every)):
        start = starts[index]
        label = {"hour": f"{start:%H:%M}", "month": f"{start:%b %Y}"}.get(unit, f"{start.day} {start:%b}")
        ticks.append(Tick(round(slot * (index + 0.5), 3), label, minor=place % 2 == 1))
    return ticks


def _name(unit: str, start: datetime) -> str:
    day = f"{start.day} {start:%b %Y}"
    return {"hour": f"{day}, {start:%H:%M} UTC", "week": f"Week of {day}", "month": f"{start:%B %Y}"}.get(unit, day)
