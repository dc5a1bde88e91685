"""The change of a pass rate on the same cases, and how sure it is."""

from fractions import Fraction
from itertools import product
from math import log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canopy.stats.paired import mcnemar, tango

Z = 1.959963984540054


@st.composite
def pairs(draw: st.DrawFn) -> tuple[int, int, int]:
    gained, lost = draw(st.integers(0, 60)), draw(st.integers(0, 60))
    return gained, lost, gained + lost + draw(st.integers(0 if gained + lost else 1, 200))


@pytest.mark.parametrize("differing", range(12))
def test_mcnemar_counts_every_way_the_pairs_could_have_fallen(differing: int) -> None:
    for gained in range(differing + 1):
        fallen = [sum(way) for way in product((0, 1), repeat=differing)]
        lopsided = sum(abs(2 * heads - differing) >= abs(2 * gained - differing) for heads in fallen)
        assert mcnemar(gained, differing - gained) == float(Fraction(lopsided, len(fallen)))


def test_mcnemar_takes_thousands_of_pairs() -> None:
    assert 0 < mcnemar(5000, 5400) < 1e-3


def test_tango_agrees_with_the_published_example() -> None:
    # Fagerland, Lydersen and Laake, "Recommended tests and confidence intervals for paired binomial proportions",
    # Statistics in Medicine 33, 2014: airway reactivity of 21 children before and after a transplantation.
    assert tango(1, 7, 21) == pytest.approx((-0.517, -0.026), abs=5e-4)
    assert mcnemar(1, 7) == pytest.approx(0.0703, abs=5e-5)


@pytest.mark.parametrize("n", [1, 10, 1000])
def test_tango_has_a_width_where_nothing_differs(n: int) -> None:
    # With no pair that differs the score equation is solved by hand: Z² / (n + Z²).
    assert tango(0, 0, n) == pytest.approx((-(Z**2) / (n + Z**2), Z**2 / (n + Z**2)))


@given(pairs())
def test_tango_holds_what_was_observed_and_mirrors(counts: tuple[int, int, int]) -> None:
    gained, lost, n = counts
    low, high = tango(gained, lost, n)
    assert -1 <= low <= (gained - lost) / n <= high <= 1
    assert tango(lost, gained, n) == pytest.approx((-high, -low), abs=1e-9)


@given(pairs().filter(lambda counts: counts[0] and counts[1] and sum(counts[:2]) < counts[2]))
def test_a_score_test_rejects_neither_end_by_more_than_it_must(counts: tuple[int, int, int]) -> None:
    gained, lost, n = counts
    for end in tango(gained, lost, n):
        rate = likeliest(gained, lost, n, end)
        variance = 2 * rate + end - end**2
        assert abs(gained - lost - n * end) / (n * variance) ** 0.5 == pytest.approx(Z, rel=1e-3)


def likeliest(gained: int, lost: int, n: int, difference: float) -> float:
    """The rate of `lost` that makes the counts likeliest when the rate of `gained` is higher by `difference`."""
    low, high = max(0.0, -difference), (1 - difference) / 2

    def likelihood(rate: float) -> float:
        same = 1 - 2 * rate - difference
        return gained * log(rate + difference) + lost * log(rate) + (n - gained - lost) * log(same)

    for _ in range(200):  # ternary search: the likelihood has one summit
        third = (high - low) / 3
        low, high = (low + third, high) if likelihood(low + third) < likelihood(high - third) else (low, high - third)
    return (low + high) / 2
