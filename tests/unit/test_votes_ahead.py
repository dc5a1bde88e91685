"""How many votes a decision takes, against experiments that are simulated vote by vote under the real rule."""

from random import Random

import pytest

from canopy.experiments.decision import decide
from canopy.experiments.outlook import more_votes
from canopy.experiments.simulation import Boundaries, VoterModel, boundaries, simulate
from canopy.experiments.votes_ahead import VotesAhead, votes_ahead
from canopy.stats.sequential import DecisionRule

RULE = DecisionRule(alpha=0.05, prior_strength=10, equivalence_margin=0.05, max_decisive_votes=2000)
RUNS = 400


@pytest.fixture(scope="module")
def limits() -> Boundaries:
    return boundaries(RULE)


def within(taken: list[int], votes: int) -> float:
    return sum(n <= votes for n in taken) / len(taken)


@pytest.mark.parametrize("rate", [0.5, 0.55, 0.6, 0.7, 0.3])
def test_as_many_simulated_experiments_are_decided_within_it_as_it_says(rate: float, limits: Boundaries) -> None:
    """Within what 400 runs differ by chance (three standard deviations)."""
    found = votes_ahead(RULE, rate)
    runs = list(simulate(VoterModel(rate, 0), limits, RUNS, seed=7))
    taken = [run.n if run.status != "inconclusive" else 10_000 for run in runs]
    assert within(taken, 2_000) == pytest.approx(found.decided, abs=0.05)
    for votes, share in ((found.low, 0.1), (found.median, 0.5), (found.high, 0.9)):
        if votes is not None:
            assert within(taken, votes) == pytest.approx(share, abs=0.075)


@pytest.mark.parametrize(("wins_a", "wins_b"), [(0, 0), (4, 8), (62, 38)])
def test_what_votes_leave_open_is_counted_as_open(wins_a: int, wins_b: int, limits: Boundaries) -> None:
    """The rate is drawn of what the rule expects and the votes have shown: eight of ten stay within the range."""
    found, draw, taken = votes_ahead(RULE, None, wins_a, wins_b), Random(5), list[int]()
    for _ in range(RUNS):
        rate = draw.betavariate(RULE.prior_strength + wins_b, RULE.prior_strength + wins_a)
        n, b = wins_a + wins_b, wins_b
        while n < 2_000 and max(b, n - b) < limits.better[n] and min(b, n - b) < limits.level[n]:
            n, b = n + 1, b + (draw.random() < rate)
        taken.append(n - wins_a - wins_b if n < 2_000 else 10_000)
    assert found.low is not None
    assert found.median is not None
    assert within(taken, found.low) == pytest.approx(0.1, abs=0.05)
    assert within(taken, found.median) == pytest.approx(0.5, abs=0.075)
    assert found.high is None or within(taken, found.high) == pytest.approx(0.9, abs=0.05)


def test_exchanging_the_prompts_changes_nothing() -> None:
    assert votes_ahead(RULE, None, 38, 62) == votes_ahead(RULE, None, 62, 38)
    assert votes_ahead(RULE, 0.4)[:3] == votes_ahead(RULE, 0.6)[:3]


def test_where_the_limit_comes_first_there_is_no_number() -> None:
    assert votes_ahead(RULE, None, 700, 760).median is None
    assert votes_ahead(RULE._replace(max_decisive_votes=1), 0.9) == VotesAhead(None, None, None, 0.0)
    assert votes_ahead(RULE._replace(max_decisive_votes=100), 0.6)[1:3] == (None, None)


def test_many_votes_take_no_more_places_than_few() -> None:
    """The highest limit and the closest race that the values allow, which a tenth of a second is to be enough for."""
    slow = RULE._replace(prior_strength=10_000, equivalence_margin=0.01, max_decisive_votes=100_000)
    found = votes_ahead(slow, 0.55)
    assert found.low is not None
    assert found.high is not None
    assert 2_000 < found.low < found.high < 8_000


@pytest.mark.parametrize(
    ("wins_a", "wins_b", "more"), [(0, 0, None), (2, 7, None), (700, 760, None), (90, 140, 0), (38, 62, 49)]
)
def test_programs_get_the_median_and_nothing_without_ground(wins_a: int, wins_b: int, more: int | None) -> None:
    assert more_votes(decide(wins_a, wins_b, RULE), RULE, wins_a, wins_b) == more
