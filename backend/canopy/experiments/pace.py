"""Says how many people a day choose, by what was counted in the last four weeks, and how far that differs by the week.

Times are microseconds since the epoch.
"""

from collections.abc import Iterable, Sequence
from math import sqrt
from typing import Literal, NamedTuple

from canopy.experiments.votes_ahead import VotesAhead
from canopy.store.experiments.experiment import Experiment, FirstBallots
from canopy.store.feedback.hourly_counts import DAY

type PaceBasis = Literal["ballots", "votes"]

WEEK = 7 * DAY
PACE_WEEKS = 4
_FEWEST = 10  # votes, or a week, before there is a pace
_CHANCE = 0.64  # half of the 80 % quantile of the normal distribution: the spread of the root of a count


class Pace(NamedTuple):
    """Says how many decisive votes a day there are.

    `basis` is what was counted: first ballots that chose a side, or votes on single answers where nothing was compared
    yet. `slowest` and `fastest` are those of the weeks, and at least as far apart as chance alone makes such a count.
    """

    basis: PaceBasis
    votes: int
    days: float  # in which they came
    per_day: float
    slowest: float
    fastest: float
    idle: bool  # nobody in the last week

    def of_share(self, share: float) -> "Pace":
        """Return the pace of a share of these people, from 0 to 1."""
        return self._replace(per_day=self.per_day * share, slowest=self.slowest * share, fastest=self.fastest * share)


class DaysAhead(NamedTuple):
    """Says how many days it takes, as `VotesAhead` says how many votes; `high` is None where there is no saying."""

    low: float
    median: float
    high: float | None


def pace_of(counts: Iterable[tuple[int, int]], begun: int, now: int, basis: PaceBasis = "ballots") -> Pace | None:
    """Return the pace by the numbers of votes at times; None where they are too few yet to tell.

    `begun` is when people could begin to vote; of longer times the last four weeks count.
    """
    since = max(begun, now - PACE_WEEKS * WEEK)
    votes, weeks = 0, [0] * PACE_WEEKS
    for at, n in counts:
        if since <= at <= now:
            votes += n
            weeks[min((now - at) // WEEK, PACE_WEEKS - 1)] += n
    whole = (now - since) // WEEK
    if votes < _FEWEST and not whole:
        return None
    days = max((now - since) / DAY, 1.0)
    by_chance = max(sqrt(votes) - _CHANCE, 0.0) ** 2 / days, (sqrt(votes + 1) + _CHANCE) ** 2 / days
    paces = [n / 7 for n in weeks[:whole]]
    return Pace(
        basis,
        votes,
        days,
        votes / days,
        min([*paces, by_chance[0]]),
        max([*paces, by_chance[1]]),
        idle=bool(whole) and not weeks[0],
    )


def own_pace(experiment: Experiment, firsts: FirstBallots, now: int | None) -> Pace | None:
    """Return the pace of an experiment's own votes until `now`, or until the last one of them."""
    course = firsts.course
    last = course[-1].timestamp if course else 0
    begun = min(experiment.created_at, course[0].timestamp) if course else experiment.created_at
    chosen, counts = 0, list[tuple[int, int]]()
    for at, wins_a, wins_b in course:
        counts.append((at, wins_a + wins_b - chosen))
        chosen = wins_a + wins_b
    return pace_of(counts, begun, max(now or 0, last, begun))


def pace_until_last(counts: Sequence[tuple[int, int]]) -> Pace | None:
    """Return the pace of the weeks before the last vote, where nothing is compared any more; None without any."""
    return pace_of(counts, counts[0][0], counts[-1][0]) if counts else None


def days_ahead(votes: VotesAhead, pace: Pace | None) -> DaysAhead | None:
    """Return how long so many votes take; None where nobody votes, or most such experiments end undecided."""
    if pace is None or pace.idle or not pace.per_day or votes.low is None or votes.median is None:
        return None
    high = votes.high / pace.slowest if votes.high is not None and pace.slowest else None
    return DaysAhead(votes.low / pace.fastest, votes.median / pace.per_day, high)
