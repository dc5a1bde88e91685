"""Runs Canopy's decision over people's choices, one after another, as it runs over ballots."""

from collections.abc import Iterable, Iterator
from functools import cache
from random import Random
from typing import NamedTuple

from canopy.config.values import AbTestingValues
from canopy.experiments.decision import Decision, DecisionStatus, decide
from canopy.experiments.simulation import Boundaries, boundaries
from canopy.stats.sequential import DecisionRule
from tools.choices.people import Choice, Pair

_VALUES = AbTestingValues()
RULE = DecisionRule(
    *(getattr(_VALUES, name) for name in DecisionRule._fields)
)  # the one that the values have by default


class End(NamedTuple):
    """Where a decision appeared for the first time."""

    status: DecisionStatus
    votes: int  # ties included
    decisive: int


class Course(NamedTuple):
    """An experiment that people end only when everybody has chosen, though one looks after each of them."""

    first: End | None  # None if nothing was ever decided
    z_winner: int | None  # whom the z-test after every vote named first: 1 the pair's `one`, -1 its `other`
    decision: Decision  # at the end
    ties: int


class Errors(NamedTuple):
    """Shares of experiments without any difference in which a winner was named."""

    firsts: float  # by the first vote of each person
    every: float  # by every vote


@cache
def limits() -> Boundaries:
    """Return the rule as numbers of wins."""
    return boundaries(RULE)


def course(values: Iterable[int]) -> Course:
    """Look after each choice: 1 is a win of Prompt B, -1 of Prompt A, 0 a tie."""
    better, level, z = limits()
    wins = {1: 0, -1: 0, 0: 0}
    first, z_winner = None, None
    for votes, value in enumerate(values, start=1):
        wins[value] += 1
        n, leader = wins[1] + wins[-1], max(wins[1], wins[-1])
        ahead = 1 if wins[1] == leader else -1
        if z_winner is None and n and leader >= z[n]:
            z_winner = ahead
        if first is None and n and leader >= better[n]:
            first = End("promote_b" if ahead == 1 else "keep_a", votes, n)
        elif first is None and n and n - leader >= level[n]:
            first = End("equivalent", votes, n)
    return Course(first, z_winner, decide(wins[-1], wins[1], RULE), wins[0])


def values(pair: Pair) -> list[int]:
    """Return the choices with the pair's `one` in the place of Prompt B."""
    return [choice.value for choice in pair.choices]


def by_place(pair: Pair) -> list[int]:
    """Return the choices with what was shown first in the place of Prompt B."""
    return [choice.value if choice.one_first else -choice.value for choice in pair.choices]


def with_habit(pair: Pair, every: int) -> list[int]:
    """Return the choices as if each `every`-th person had taken what was shown first, whatever it was."""
    return [
        (1 if choice.one_first else -1) if row % every == 0 else choice.value for row, choice in enumerate(pair.choices)
    ]


def firsts(choices: Iterable[Choice]) -> list[Choice]:
    """Return the first choice of each person."""
    found: dict[str, Choice] = {}
    for choice in choices:
        found.setdefault(choice.person, choice)
    return list(found.values())


def in_turns(choices: Iterable[Choice]) -> list[Choice]:
    """Return the choices as they come when people take turns: everybody's first, everybody's second, and so on."""
    rounds: dict[str, int] = {}
    numbered = []
    for choice in choices:
        rounds[choice.person] = rounds.get(choice.person, 0) + 1
        numbered.append((rounds[choice.person], choice))
    return [choice for _, choice in sorted(numbered, key=lambda item: item[0])]


def errors_without_difference(pairs: list[Pair], runs: int, seed: int, *, turns: bool) -> Errors:
    """Say how often a winner is named where there is none.

    In each run of each pair a coin per person says whether all of that person's answers are read the other way round.
    So each person is as consistent as they really are, and both things are liked equally: every winner is a mistake.
    """
    by_first = by_every = 0
    for number, pair in enumerate(pairs):
        choices = in_turns(pair.choices) if turns else pair.choices
        once = firsts(choices)
        for flipped in _coins(f"{seed}/{number}", {choice.person for choice in once}, runs):
            by_first += _names_a_winner(once, flipped)
            by_every += _names_a_winner(choices, flipped)
    return Errors(by_first / (runs * len(pairs)), by_every / (runs * len(pairs)))


def _coins(seed: str, people: Iterable[str], runs: int) -> Iterator[dict[str, bool]]:
    draw = Random(seed)  # noqa: S311 - repeatable on purpose, and no secret
    everybody = sorted(people)
    for _ in range(runs):
        yield {person: draw.random() < 0.5 for person in everybody}


def _names_a_winner(choices: list[Choice], flipped: dict[str, bool]) -> bool:
    better = limits().better
    wins = 0
    for n, (person, value, _) in enumerate(choices, start=1):
        wins += (value > 0) != flipped[person]
        if wins >= better[n] or n - wins >= better[n]:
            return True
    return False
