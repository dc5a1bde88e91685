"""Says how many more votes a decision takes: the median, and the range that eight of ten experiments stay in.

The difference of wins walks by one a vote until it leaves the corridor that the rule leaves undecided. What is computed
is the probability of each place in it, vote by vote. Where an experiment has had many votes, a step is of 4, 16, 64 or
256 votes and 2, 4, 8 or 16 places far, as chance goes, so that the time that it takes hardly grows with the limit.
"""

from collections.abc import Callable
from functools import lru_cache
from math import inf, log, sqrt
from typing import NamedTuple

from canopy.stats.sequential import DecisionRule, log_mixture

_FINE = 300  # votes from which on steps are twice as far; from each four times as many on once more
_LONGEST_STEP = 16
_GRID = 1.12  # ratio of the numbers of votes at which the corridor is computed; between them it is interpolated
_HALVINGS = 30
_NEGLIGIBLE = 1e-7  # probability of a place


class VotesAhead(NamedTuple):
    """Says how many more decisive votes it takes until a decision, whichever it is.

    A tenth of such experiments take at most `low`, half `median` and nine of ten `high`: None where the limit of the
    rule ends so many undecided. `decided` is the share of those that come to a decision.
    """

    low: int | None
    median: int | None
    high: int | None
    decided: float


class _Corridor(NamedTuple):
    """Holds how far apart the wins may be without a decision, in roots of the number of votes, at logarithms of it."""

    at: list[float]
    winner: list[float]  # from here on one of both has won
    level: list[float]  # up to here both are equivalent; negative: nowhere

    def widths(self, n: int) -> tuple[float, float]:
        """Return both after `n` votes, in wins."""
        place = log(n) / log(_GRID)
        index = min(int(place), len(self.at) - 2)
        part = place - index
        root = sqrt(n)
        return (
            _between(self.winner[index], self.winner[index + 1], part) * root,
            _between(self.level[index], self.level[index + 1], part) * root,
        )


def _between(first: float, second: float, part: float) -> float:
    return first + part * (second - first) if abs(first) < inf and abs(second) < inf else second if part else first


@lru_cache(64)
def _corridor(rule: DecisionRule) -> _Corridor:
    at, winner, level = list[float](), list[float](), list[float]()
    enough, margin, prior = -log(rule.alpha), rule.equivalence_margin, rule.prior_strength
    n = 1.0
    while not at or at[-1] < log(rule.max_decisive_votes):

        def won(apart: float, n: float = n) -> bool:
            # E⁺ and E⁻ are 2 · E but for a part that is small where they decide.
            return log_mixture(0.5, (n + apart) / 2, (n - apart) / 2, prior) >= enough

        def far_from_level(apart: float, n: float = n) -> bool:
            return log_mixture(0.5 + margin, (n + apart) / 2, (n - apart) / 2, prior) < enough

        at.append(log(n))
        winner.append(_first(won, 0.0, n) / sqrt(n) if won(n) else inf)
        level.append(-inf if far_from_level(-n) else _first(far_from_level, -n, 2 * margin * n) / sqrt(n))
        n *= _GRID
    return _Corridor([*at, log(n)], [*winner, winner[-1]], [*level, level[-1]])


def _first(holds: Callable[[float], bool], low: float, high: float) -> float:
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


@lru_cache(512)
def votes_ahead(rule: DecisionRule, rate: float | None = None, wins_a: int = 0, wins_b: int = 0) -> VotesAhead:
    """Return how many more votes it takes after these, of which none is a decision yet.

    `rate` is the share of the further ones that are for Prompt B. For None it is as uncertain as the votes leave it:
    by the distribution that the rule's bet begins with, and what it has learned.
    """
    if (wins_a > wins_b) if rate is None else rate < 0.5:
        return votes_ahead(rule, None if rate is None else 1 - rate, wins_b, wins_a)  # both variants have the same rule
    corridor, most, begun = _corridor(rule), rule.max_decisive_votes, wins_a + wins_b
    n, step = begun, 1
    lowest, mass = float(wins_b - wins_a), [1.0]  # the places are two steps apart
    ended, reached = 0.0, dict[float, int]()
    while n < most and mass:
        while step < _LONGEST_STEP and n >= _FINE * step * step:
            mass, step = _coarser(mass), 2 * step
        if rate is None:
            pull, known = step / 2, 2 * rule.prior_strength + n
            first, more = 0.5 + pull * lowest / known, 2 * step * pull / known
            up = [x * min(max(first + more * index, 0.0), 1.0) for index, x in enumerate(mass)]
        else:
            share = min(max(0.5 + step * (rate - 0.5), 0.0), 1.0)
            up = [x * share for x in mass]
        down = [x - y for x, y in zip(mass, up, strict=True)]
        mass = [x + y for x, y in zip([*down, 0.0], [0.0, *up], strict=True)]
        n, lowest = min(n + step * step, most), lowest - step
        mass, lowest, left = _undecided(mass, lowest, step, *corridor.widths(n))
        ended += left
        for share in (0.1, 0.5, 0.9):
            if ended >= share:
                reached.setdefault(share, n - begun)
    return VotesAhead(reached.get(0.1), reached.get(0.5), reached.get(0.9), min(ended, 1.0))


def _undecided(
    mass: list[float], lowest: float, step: int, winner: float, level: float
) -> tuple[list[float], float, float]:
    """Return the places that are no decision, the lowest of them, and the probability of the others."""
    before = sum(mass)
    begin, end = 0, len(mass)
    while begin < end and (lowest + 2 * step * begin <= -winner or mass[begin] < _NEGLIGIBLE):
        begin += 1
    while end > begin and (lowest + 2 * step * (end - 1) >= winner or mass[end - 1] < _NEGLIGIBLE):
        end -= 1
    mass, lowest = mass[begin:end], lowest + 2 * step * begin
    if level >= 0:
        mass = [0.0 if abs(lowest + 2 * step * index) <= level else x for index, x in enumerate(mass)]
    return mass, lowest, before - sum(mass)


def _coarser(mass: list[float]) -> list[float]:
    """Return the probabilities of every other place, with half of what was between two of them at each."""
    padded = [*mass, 0.0] if len(mass) % 2 == 0 else mass
    halves = [*(x / 2 for x in padded[1::2]), 0.0]
    return [x + y + z for x, y, z in zip(padded[::2], halves, [0.0, *halves[:-1]], strict=True)]
