"""Says how long it takes until an experiment is decided, in figures and in words.

Everything that speaks of it takes it from here: pages, programs, `canopy ab plan` and `canopy ab start`.
"""

from typing import NamedTuple

from canopy.experiments.decision import Decision
from canopy.experiments.pace import DaysAhead, Pace, days_ahead, own_pace
from canopy.experiments.votes_ahead import VotesAhead, votes_ahead
from canopy.stats.sequential import DecisionRule
from canopy.store.experiments.experiment import Experiment, FirstBallots

RATES = (0.55, 0.6, 0.7)  # shares of people who prefer the candidate
FEWEST_TO_LEARN_FROM = 10  # decisive votes before it is said what to expect if people choose as they did so far
LONG_DAYS = 90  # what takes longer is not to be waited for
USUAL_RATE = 0.6  # the share that is named where only one is
HELP = (
    "What else helps: a candidate that differs more; more people asked (`ab_testing.percentage`, or tell them of it); "
    "or replay, which asks nobody: `canopy evals run` on the texts that you have, once with each prompt."
)


class Outlook(NamedTuple):
    """Says what to expect if this share of people prefers the candidate; for None, as they have chosen so far."""

    rate: float | None
    votes: VotesAhead
    days: DaysAhead | None  # None: it takes more votes than the limit, or there is no telling how many come
    limit: int  # votes after which it ends undecided
    left: int  # of those

    @property
    def undecided(self) -> bool:
        """Return whether the limit likely comes before a decision."""
        return self.votes.median is None

    @property
    def too_long(self) -> bool:
        """Return whether something else helps more than to wait."""
        return self.undecided or (self.days is not None and self.days.median > LONG_DAYS)


class Expected(NamedTuple):
    """Says what to expect of an experiment that collects votes: as people chose so far, and if 60 % prefer Prompt B."""

    so_far: Outlook | None  # None: too few have chosen
    usual: Outlook
    pace: Pace | None

    @property
    def stalled(self) -> bool:
        """Return whether nobody has chosen within the last week."""
        return self.pace is not None and self.pace.idle

    @property
    def sentence(self) -> str:
        """Say it in a sentence."""
        return pace_words(self.pace) if self.stalled else outlook_words(self.so_far or self.usual, self.pace, more=True)

    @property
    def details(self) -> str:
        """Say what the sentence rests on."""
        usual = outlook_words(self.usual, self.pace, more=True)
        return f"{pace_words(self.pace)} {usual}" if self.so_far else pace_words(self.pace)


def expected_of(experiment: Experiment, decision: Decision, firsts: FirstBallots, now: int | None) -> Expected | None:
    """Return what to expect of an experiment; None where it is decided. `now` is in microseconds."""
    if decision.status != "collecting":
        return None
    pace, wins, rule = own_pace(experiment, firsts, now), (firsts.wins_a, firsts.wins_b), experiment.rule
    usual = _outlook(rule, USUAL_RATE, pace, wins)
    learned = decision.n >= FEWEST_TO_LEARN_FROM
    return Expected(_outlook(rule, None, pace, wins) if learned else None, usual, pace)


def more_votes(decision: Decision, rule: DecisionRule, wins_a: int, wins_b: int) -> int | None:
    """Return about how many decisive votes a decision still takes; 0 when it is there, None where there is no telling.

    It is the median, and there is no telling with fewer than ten votes, or where the limit comes before.
    """
    if decision.status != "collecting":
        return 0
    return votes_ahead(rule, None, wins_a, wins_b).median if decision.n >= FEWEST_TO_LEARN_FROM else None


def outlooks_of(rule: DecisionRule, pace: Pace | None, wins: tuple[int, int] = (0, 0)) -> list[Outlook]:
    """Return what to expect after these wins of A and B: as people chose so far, and for each of `RATES`."""
    learned: list[float | None] = [None] if sum(wins) >= FEWEST_TO_LEARN_FROM else []
    return [_outlook(rule, rate, pace, wins) for rate in (*learned, *RATES)]


def outlook_words(it: Outlook, pace: Pace | None, *, more: bool = False) -> str:
    """Say in a sentence how long it takes; `more`: an experiment has votes already."""
    if it.rate is None:
        condition = "As people have chosen so far"
    else:
        condition = (
            f"If {it.rate:.0%}".replace("%", " %") + f" of the people {'to come ' if more else ''}prefer the candidate"
        )
    if it.undecided:
        return f"{condition}, inconclusive is the likely end: its limit of {it.limit:,} votes comes before a decision."
    return f"{condition}, a decision takes {ahead(it, pace, more=more)}."


def ahead(it: Outlook, pace: Pace | None, *, more: bool = True) -> str:
    """Say how many votes it takes, and how many days that is, such as `about 180 votes (60 to 420)`."""
    low, median, high, _ = it.votes
    end = f"{_rounded(high):,}" if high is not None else f"{it.left:,}, its limit"
    noun = f"{'more ' if more else ''}vote{'' if median == 1 else 's'}"
    votes = f"about {_rounded(median or 0):,} {noun} ({_rounded(low or 0):,} to {end})"
    if it.days is None or pace is None:
        return votes
    return f"{votes}, at your {frequency(pace.per_day)} {days_words(it.days)}"


def days_words(days: DaysAhead) -> str:
    """Say how many days, such as `about 61 days (40 to 90)`."""
    low, median = max(round(days.low), 1), max(round(days.median), 1)
    if days.median > 10 * 365:
        return "more than ten years"
    high = None if days.high is None else max(round(days.high), 1)
    spread = (
        ""
        if high == low == median
        else f" ({_rounded(low):,} {'or more' if high is None else f'to {_rounded(high):,}'})"
    )
    return f"about {_rounded(median):,} day{'' if median == 1 else 's'}{spread}"


def pace_words(pace: Pace | None) -> str:
    """Say how many choose, and what that was counted by."""
    if pace is None:
        return "There are too few votes yet to tell how many come in a day."
    if pace.idle:
        return "Nobody has voted in the last week, so there is no saying how long it takes."
    within = f"In the last {max(round(pace.days), 1):,} day{'' if round(pace.days) <= 1 else 's'}"
    if pace.basis == "ballots":
        return f"{within} there were {frequency_words(pace)} that chose a side."
    return (
        f"Nothing was compared lately. {within} the people who are to compare gave answers {frequency_words(pace)}. "
        "It may take longer, since an experiment counts each person once, and no ties."
    )


def frequency_words(pace: Pace) -> str:
    """Say how often somebody votes, in the usual week, the slowest and the fastest: `14 votes a day (12 to 17)`."""
    unit = 1 if pace.per_day >= 1 else 7
    return f"{frequency(pace.per_day)} ({_number(unit * pace.slowest)} to {_number(unit * pace.fastest)})"


def frequency(per_day: float) -> str:
    """Say how often somebody votes."""
    number, unit = (_number(per_day), "day") if per_day >= 1 else (_number(7 * per_day), "week")
    return f"{number} vote{'' if number == '1' else 's'} a {unit}"


def _outlook(rule: DecisionRule, rate: float | None, pace: Pace | None, wins: tuple[int, int]) -> Outlook:
    votes = votes_ahead(rule, rate, *wins)
    limit = rule.max_decisive_votes
    return Outlook(rate, votes, days_ahead(votes, pace), limit, max(limit - sum(wins), 0))


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}" if value >= 0.1 else f"{value:.1g}"


def _rounded(n: int) -> int:
    """Round to two digits, the precision of the estimate."""
    unit: int = 10 ** max(len(str(n)) - 2, 0)
    return round(n / unit) * unit
