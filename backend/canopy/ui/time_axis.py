"""The time axis that the charts of the overview share, so that what happened at once stands one below the other.

Horizontal positions are percentages of the width, so that a chart fits every screen while its text keeps its size.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from math import ceil

HOURS_FOR = 2 * 86_400_000_000  # microseconds that are drawn by the hour, at most
_LEAD = 31 * 86_400_000_000  # microseconds drawn before the first event when the range begins earlier
_LABELS = 7  # at most
_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Tick:
    """Places a label on an axis; `minor` ones are hidden on small screens."""

    at: float
    label: str
    minor: bool = False


@dataclass(frozen=True, slots=True)
class TimeAxis:
    """Divides a range of time into equal slots, each an hour, a day, a week or a month (`unit`)."""

    unit: str
    starts: list[datetime]

    @property
    def slot(self) -> float:
        """Return the width of a slot, in percent."""
        return 100 / len(self.starts)

    @property
    def width(self) -> float:
        """Return the width of the bar in a slot."""
        return self.slot * (0.72 if self.slot > 1.5 else 0.84)

    def middle(self, index: int) -> float:
        """Return the middle of a slot."""
        return self.slot * (index + 0.5)

    def name(self, index: int) -> str:
        """Return a slot's name, such as `3 Sep 2026`."""
        return _name(self.unit, self.starts[index])

    def floor(self, microseconds: int) -> datetime:
        """Return the start of the slot in which a time lies."""
        return _floor_of(self.unit, microseconds)

    def ticks(self, most: int = _LABELS) -> list[Tick]:
        """Return the labels below a chart, every second of them minor."""
        every = ceil(len(self.starts) / most)
        ticks = []
        for place, index in enumerate(range(every // 2, len(self.starts), every)):
            start = self.starts[index]
            label = {"hour": f"{start:%H:%M}", "month": f"{start:%b %Y}"}.get(self.unit, f"{start.day} {start:%b}")
            ticks.append(Tick(round(self.middle(index), 3), label, minor=place % 2 == 1))
        return ticks


def time_axis(earliest: int, latest: int, now: int, since: int | None, until: int | None) -> TimeAxis:
    """Return the axis of what happened from `earliest` to `latest`, of a range from `since` to `until` (microseconds).

    An open start is the first event, an open end is now; a short range is extended to a day. Of a range that begins
    long before the first event or ends after now, only the part near the events is drawn.
    """
    end = max(now, latest)
    last = _at(end if until is None else max(min(until - 1, end), latest))
    start = earliest if since is None else min(max(since, earliest - _LEAD), earliest)
    first = min(_at(start), last - 23 * _HOUR)
    unit = _unit(last - first)
    return TimeAxis(unit, _starts(unit, first, last))


def _at(microseconds: int) -> datetime:
    return datetime.fromtimestamp(microseconds // 1_000_000, UTC)


def _unit(span: timedelta) -> str:
    if span <= timedelta(microseconds=HOURS_FOR):
        return "hour"
    if span <= 92 * _DAY:
        return "day"
    return "week" if span <= 731 * _DAY else "month"


@lru_cache(4096)  # each chart asks for the same ones
def _floor_of(unit: str, microseconds: int) -> datetime:
    return _floor(unit, _at(microseconds))


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


@lru_cache(4096)  # each chart asks for the same ones, at 10 µs each
def _name(unit: str, start: datetime) -> str:
    day = f"{start.day} {start:%b %Y}"
    return {"hour": f"{day}, {start:%H:%M} UTC", "week": f"Week of {day}", "month": f"{start:%B %Y}"}.get(unit, day)
