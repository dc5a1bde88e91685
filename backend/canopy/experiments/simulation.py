"""Simulates voters under the real decision rule: how long a decision takes, and how often it is wrong.

The usual habit is simulated beside it: a two-sided z-test at level alpha after every vote from the tenth decisive one
on, which names a winner the first time that it is significant.
"""

from collections.abc import Callable, Iterator, Sequence
from math import ceil, sqrt
from random import Random
from statistics import NormalDist
from typing import Literal, NamedTuple

from canopy.experiments.decision import DecisionStatus, status
from canopy.stats.sequential import DecisionRule

Z_FIRST_LOOK = 10  # decisive votes before the first z-test


class VoterModel(NamedTuple):
    """Describes how people vote: each ballot is independently a tie or a win for one of the variants."""

    win_rate: float  # chance that a decisive vote is for Prompt B
    ties: float  # chance that a ballot is a tie


class SimulatedRun(NamedTuple):
    """Sums up one experiment from its first ballot to its end."""

    status: DecisionStatus
    n: int  # decisive votes at the rule's decision
    votes: int  # ballots at the rule's decision, ties included
    z_winner: Literal["a", "b"] | None  # whom the z-test named first; None if nobody before the last vote
    z_votes: int  # ballots at that time


class SimulationStep(NamedTuple):
    """Holds the counts after a decisive vote."""

    votes: int  # ballots, ties included
    wins_a: int
    wins_b: int


class Boundaries(NamedTuple):
    """Lists how many wins decide after n decisive votes, at index n. Both variants have the same boundaries."""

    better: list[int]  # wins from which on the leading prompt is better
    level: list[int]  # wins of the trailing prompt from which on both are equivalent
    z: list[int]  # wins from which on the z-test names the leading prompt


def boundaries(rule: DecisionRule) -> Boundaries:
    """Return the rule and the z-test as numbers of wins, so that a simulation only compares integers.

    Where no number of wins is enough, the boundary is unreachable.
    """
    critical = NormalDist().inv_cdf(1 - rule.alpha / 2)
    better, level, z = [1], [1], [1]
    for n in range(1, rule.max_decisive_votes + 1):

        def ends_as(wanted: DecisionStatus, wins_b: int, n: int = n) -> bool:
            return status(n - wins_b, wins_b, rule) == wanted

        better.append(_first(lambda wins: ends_as("promote_b", wins), better[-1], n))
        level.append(_first(lambda wins: ends_as("equivalent", wins), level[-1], n // 2))
        z.append(ceil((n + critical * sqrt(n)) / 2) if n >= Z_FIRST_LOOK else n + 1)
    return Boundaries(better, level, z)


def simulate(voters: VoterModel, limits: Boundaries, runs: int, seed: int) -> Iterator[SimulatedRun]:
    """Yield simulated experiments; the same seed gives the same runs."""
    for index in range(runs):
        yield _run(voters, limits, seed, index)


def replay(voters: VoterModel, seed: int, index: int, n: int) -> list[SimulationStep]:
    """Return the first `n` decisive votes of run number `index` of `simulate`."""
    steps: list[SimulationStep] = []
    wins_b = 0
    for votes, ballot in enumerate(_ballots(voters, seed, index), start=1):
        if len(steps) == n:
            break
        if ballot is not None:
            wins_b += ballot
            steps.append(SimulationStep(votes, len(steps) + 1 - wins_b, wins_b))
    return steps


def shares(runs: Sequence[SimulatedRun]) -> dict[DecisionStatus, float]:
    """Return the share of runs by final status."""
    ends: tuple[DecisionStatus, ...] = ("promote_b", "keep_a", "equivalent", "inconclusive")
    return {end: sum(run.status == end for run in runs) / len(runs) for end in ends}


def is_right(reached: DecisionStatus, win_rate: float, rule: DecisionRule) -> bool | None:
    """Return whether a decision is true of voters among whom Prompt B has this win rate, from 0 to 1.

    None for a decision that claims nothing, such as `inconclusive`.
    """
    equivalent = abs(win_rate - 0.5) < rule.equivalence_margin
    claims = {"promote_b": win_rate > 0.5, "keep_a": win_rate < 0.5, "equivalent": equivalent}
    return claims.get(reached)


def typical_run(runs: Sequence[SimulatedRun]) -> int:
    """Return the index of the run of median length among those with the most frequent end."""
    frequent = max(shares(runs).items(), key=lambda item: item[1])[0]
    alike = sorted((run.votes, index) for index, run in enumerate(runs) if run.status == frequent)
    return alike[len(alike) // 2][1]


def winners_within(runs: Sequence[SimulatedRun], votes: int) -> tuple[float, float]:
    """Return the shares of runs in which the rule, and the z-test, named a winner within `votes` ballots."""
    by_rule = sum(run.status in {"promote_b", "keep_a"} and run.votes <= votes for run in runs)
    by_z = sum(run.z_winner is not None and run.z_votes <= votes for run in runs)
    return by_rule / len(runs), by_z / len(runs)


def _first(holds: Callable[[int], bool], near: int, most: int) -> int:
    """Return the lowest number up to `most` for which `holds`, which is monotonic; `most + 1` if there is none.

    From one vote to the next a boundary moves by about one, so the search begins at `near`, the previous one.
    """
    first = min(near, most + 1)
    while first <= most and not holds(first):
        first += 1
    while first > 0 and holds(first - 1):
        first -= 1
    return first


def _ballots(voters: VoterModel, seed: int, index: int) -> Iterator[bool | None]:
    """Yield whether each ballot is for Prompt B; None for a tie."""
    draw = Random(f"{seed}/{index}").random  # noqa: S311 - repeatable on purpose, and no secret
    for_b = voters.ties + (1 - voters.ties) * voters.win_rate
    while True:
        value = draw()
        yield None if value < voters.ties else value < for_b


def _run(voters: VoterModel, limits: Boundaries, seed: int, index: int) -> SimulatedRun:
    better, level, z = limits
    most = len(better) - 1
    ended: tuple[DecisionStatus, int, int] | None = None
    z_winner: Literal["a", "b"] | None = None
    n = wins_b = votes = z_votes = 0
    for votes, ballot in enumerate(_ballots(voters, seed, index), start=1):
        if ballot is None:
            continue
        n += 1
        wins_b += ballot
        leader = wins_b if 2 * wins_b > n else n - wins_b
        if ended is None:
            if leader >= better[n]:
                ended = ("promote_b" if leader == wins_b else "keep_a", n, votes)
            elif n - leader >= level[n]:
                ended = ("equivalent", n, votes)
            elif n == most:
                ended = ("inconclusive", n, votes)
        if z_winner is None and leader >= z[n]:
            z_winner, z_votes = ("b" if leader == wins_b else "a"), votes
        if ended and (z_winner or n == most):
            return SimulatedRun(*ended, z_winner, z_votes or votes)
    raise AssertionError("ballots never end")
