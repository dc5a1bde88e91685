"""The evidence for one prompt over another, held against numbers that are found in other ways."""

from fractions import Fraction
from math import comb, exp, isfinite, lgamma, log, log1p, prod
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canopy.experiments.simulation import VoterModel, boundaries, simulate, winners_within
from canopy.stats.sequential import DecisionRule, confidence_sequence, evidence, log_mixture

DEFAULT = DecisionRule(alpha=0.05, prior_strength=10, equivalence_margin=0.05, max_decisive_votes=1000)

counts = st.integers(0, 300)
priors = st.sampled_from([0.5, 1, 2.5, 10, 100])
alphas = st.sampled_from([0.001, 0.05, 0.2, 0.5])
rates = st.floats(0.001, 0.999)


def exact_mixture(p: float, wins: int, losses: int, prior: float) -> Fraction:
    """M(p) without logarithms or gamma functions: the mixture is Pólya's urn, whose votes are drawn one by one."""
    a, rate = Fraction(prior), Fraction(p)
    urn = prod((a + k for k in range(wins)), start=Fraction(1)) * prod(a + k for k in range(losses))
    return urn / prod(2 * a + k for k in range(wins + losses)) / (rate**wins * (1 - rate) ** losses)


def integrated_mixture(p: float, wins: int, losses: int, prior: float, points: int = 20_000) -> float:
    """M(p) as what it means: the likelihood ratio of a rate q to p, averaged over the prior, by the midpoint rule."""

    def height(q: float) -> float:
        ratio = wins * log(q / p) + losses * log((1 - q) / (1 - p))
        return exp(ratio + (prior - 1) * (log(q) + log1p(-q)) - (2 * lgamma(prior) - lgamma(2 * prior)))

    return sum(height((k + 0.5) / points) for k in range(points)) / points


@pytest.mark.parametrize(
    ("wins", "losses", "prior", "e_value", "e_b", "low", "high"),
    [
        (9, 1, 1, 9.309090909, 18.50909091, 0.4548817473, 0.9995435831),
        (62, 38, 10, 4.620473203, 9.114441996, 0.4726281011, 0.7537415112),
        (140, 90, 10, 43.81541989, 87.56594187, 0.5081471874, 0.7034007979),
    ],
)
def test_known_counts_give_known_numbers_to_ten_digits(
    wins: int, losses: int, prior: float, e_value: float, e_b: float, low: float, high: float
) -> None:
    found = evidence(wins, losses, prior)
    interval = confidence_sequence(wins, losses, prior=prior, alpha=0.05)
    got = [found.e_value, found.e_b, *interval]
    assert [f"{number:.10g}" for number in got] == [f"{number:.10g}" for number in (e_value, e_b, low, high)]


@given(counts, counts, priors, rates)
def test_the_mixture_is_the_exact_one(wins: int, losses: int, prior: float, p: float) -> None:
    exact = exact_mixture(p, wins, losses, prior)
    expected = log(exact.numerator) - log(exact.denominator)
    assert log_mixture(p, wins, losses, prior) == pytest.approx(expected, rel=1e-12, abs=1e-11)


@pytest.mark.parametrize(("wins", "losses", "prior"), [(0, 0, 2), (3, 9, 1), (62, 38, 10), (200, 300, 10)])
def test_the_mixture_is_an_average_over_rates(wins: int, losses: int, prior: float) -> None:
    for p in (0.3, 0.5, 0.62):
        expected = integrated_mixture(p, wins, losses, prior)
        assert exp(log_mixture(p, wins, losses, prior)) == pytest.approx(expected, rel=1e-6)


@given(counts, counts, priors, alphas, rates)
def test_the_confidence_sequence_holds_exactly_the_rates_that_are_not_refuted(
    wins: int, losses: int, prior: float, alpha: float, p: float
) -> None:
    low, high = confidence_sequence(wins, losses, prior=prior, alpha=alpha)
    if min(abs(p - low), abs(p - high)) > 1e-12:
        assert (low < p < high) == (exact_mixture(p, wins, losses, prior) < 1 / Fraction(alpha))


@given(counts, counts, priors, alphas)
def test_the_ends_of_the_confidence_sequence_are_where_refutation_begins(
    wins: int, losses: int, prior: float, alpha: float
) -> None:
    low, _ = confidence_sequence(wins, losses, prior=prior, alpha=alpha)
    assert (low == 0) == (wins == 0)
    if wins:
        assert float(exact_mixture(low, wins, losses, prior)) == pytest.approx(1 / alpha, rel=1e-9)
    _, high = confidence_sequence(losses, wins, prior=prior, alpha=alpha)
    assert high == 1 - low


@given(counts, counts, priors, alphas)
def test_exchanging_the_prompts_mirrors_everything(wins: int, losses: int, prior: float, alpha: float) -> None:
    low, high = confidence_sequence(wins, losses, prior=prior, alpha=alpha)
    mirrored_low, mirrored_high = confidence_sequence(losses, wins, prior=prior, alpha=alpha)
    assert (1 - mirrored_high, 1 - mirrored_low) == pytest.approx((low, high), abs=1e-15)
    there, back = evidence(wins, losses, prior), evidence(losses, wins, prior)
    assert (there.e_value, there.e_a, there.e_b) == pytest.approx((back.e_value, back.e_b, back.e_a))


@given(counts, counts, priors, alphas)
def test_the_confidence_sequence_holds_the_observed_rate_and_narrows_with_alpha(
    wins: int, losses: int, prior: float, alpha: float
) -> None:
    low, high = confidence_sequence(wins, losses, prior=prior, alpha=alpha)
    if wins + losses:
        assert low <= wins / (wins + losses) <= high
    wider = confidence_sequence(wins, losses, prior=prior, alpha=alpha / 10)
    assert wider[0] <= low
    assert high <= wider[1]


@given(counts, counts, priors)
def test_a_win_speaks_for_its_prompt(wins: int, losses: int, prior: float) -> None:
    before, after = evidence(wins, losses, prior), evidence(wins + 1, losses, prior)
    assert after.e_b > before.e_b
    assert after.e_a < before.e_a
    old = confidence_sequence(wins, losses, prior=prior, alpha=0.05)
    new = confidence_sequence(wins + 1, losses, prior=prior, alpha=0.05)
    assert sum(new) >= sum(old) - 1e-12


@given(counts, counts, st.integers(1, 60))
def test_the_directions_split_the_evidence_by_the_exact_tail(wins: int, losses: int, prior: int) -> None:
    found = evidence(wins, losses, prior)
    assert found.e_a + found.e_b == pytest.approx(2 * found.e_value, rel=1e-14)
    # For whole numbers the incomplete beta function is a binomial tail.
    tosses = 2 * prior + wins + losses - 1
    below_half = Fraction(sum(comb(tosses, k) for k in range(prior + wins, tosses + 1)), 2**tosses)
    exact = 2 * exact_mixture(0.5, wins, losses, prior) * below_half
    assert found.e_a == pytest.approx(float(exact), rel=1e-10)


def test_without_votes_nothing_is_known() -> None:
    assert confidence_sequence(0, 0, prior=10, alpha=0.05) == (0, 1)
    assert evidence(0, 0, 10) == pytest.approx((1, 1, 1))


@pytest.mark.parametrize("counts", [(2000, 0), (0, 2000), (10**6, 0), (10**6, 10**6 - 9), (7, 10**6)])
def test_extreme_counts_stay_finite_and_keep_the_small_side(counts: tuple[int, int]) -> None:
    found = evidence(*counts, prior=10)
    assert all(isfinite(number) and number > 0 for number in found)
    low, high = confidence_sequence(*counts, prior=10, alpha=0.05)
    assert 0 <= low < high <= 1


def test_the_small_side_of_a_landslide_is_not_rounded_away() -> None:
    exact = 2 * exact_mixture(0.5, 2000, 0, 10) * Fraction(sum(comb(2019, k) for k in range(2010, 2020)), 2**2019)
    assert evidence(2000, 0, 10).e_a == pytest.approx(float(exact), rel=1e-9)


def test_the_interval_shrinks_on_the_average() -> None:
    draw = Random(5)
    widths = dict.fromkeys((10, 40, 160, 640), 0.0)
    for _ in range(50):
        votes = [draw.random() < 0.6 for _ in range(640)]
        for n in widths:
            low, high = confidence_sequence(sum(votes[:n]), n - sum(votes[:n]), prior=10, alpha=0.05)
            widths[n] += high - low
    assert list(widths.values()) == sorted(widths.values(), reverse=True)
    assert widths[640] < widths[160] * 0.6  # four times the votes, half the width


def test_looking_after_every_vote_errs_in_alpha_of_the_experiments_at_most() -> None:
    runs, alpha = 2000, DEFAULT.alpha
    results = list(simulate(VoterModel(win_rate=0.5, ties=0), boundaries(DEFAULT), runs, seed=2026))
    by_rule, by_z_test = winners_within(results, DEFAULT.max_decisive_votes)
    assert by_rule <= alpha + 3 * (alpha * (1 - alpha) / runs) ** 0.5
    assert by_z_test > 0.4  # the habit that the rule replaces
