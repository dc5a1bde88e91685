"""How sure a share is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canopy.stats.intervals import newcombe, percent, percent_bounds, wilson


@pytest.mark.parametrize(
    ("part", "n", "low", "high"),
    [(8, 10, 0.490162, 0.943318), (1, 1, 0.206549, 1.0), (0, 10, 0.0, 0.277533), (50, 100, 0.403832, 0.596168)],
)
def test_the_interval_is_wilsons(part: int, n: int, low: float, high: float) -> None:
    assert wilson(part, n) == pytest.approx((low, high), abs=1e-6)


def test_without_anything_counted_there_is_no_interval() -> None:
    assert wilson(0, 0) is None


@pytest.mark.parametrize(
    ("counts", "low", "high"),
    [  # the examples of Newcombe's paper, by its method 10
        ((56, 70, 48, 80), 0.0524, 0.3339),
        ((9, 10, 3, 10), 0.1705, 0.8090),
        ((6, 7, 2, 7), 0.0582, 0.8062),
        ((5, 56, 0, 29), -0.0381, 0.1926),
        ((0, 10, 0, 20), -0.1611, 0.2775),
        ((0, 10, 0, 10), -0.2775, 0.2775),
        ((10, 10, 0, 20), 0.6791, 1.0),
        ((10, 10, 0, 10), 0.6075, 1.0),
    ],
)
def test_the_interval_of_a_difference_is_newcombes(counts: tuple[int, int, int, int], low: float, high: float) -> None:
    assert newcombe(*counts) == pytest.approx((low, high), abs=5e-5)
    part, n, other_part, other_n = counts
    assert newcombe(other_part, other_n, part, n) == pytest.approx((-high, -low), abs=5e-5)


def test_a_difference_takes_two_groups() -> None:
    assert newcombe(1, 2, 0, 0) is None
    assert newcombe(0, 0, 1, 2) is None


@pytest.mark.parametrize(
    ("share", "words"), [(0, "0 %"), (0.001, "1 %"), (0.5, "50 %"), (0.875, "88 %"), (0.999, "99 %"), (1, "100 %")]
)
def test_only_none_is_0_percent_and_only_all_100(share: float, words: str) -> None:
    assert percent(share) == words


def test_none_of_28_has_an_interval_that_holds_none() -> None:
    interval = wilson(0, 28)
    assert interval is not None
    assert interval[0] == 0
    assert percent_bounds(0, interval) == ("0 %", "12 %")


@given(st.integers(1, 2_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_an_interval_holds_its_own_rate_as_people_read_it(counts: tuple[int, int]) -> None:
    part, n = counts
    interval = wilson(part, n)
    assert interval is not None
    assert interval[0] <= part / n <= interval[1]
    low, high = percent_bounds(part / n, interval)
    assert int(low.split()[0]) <= int(percent(part / n).split()[0]) <= int(high.split()[0])
