"""How sure a share is."""

import pytest

from canopy.experiments.intervals import wilson


@pytest.mark.parametrize(
    ("part", "n", "low", "high"),
    [(8, 10, 0.490162, 0.943318), (1, 1, 0.206549, 1.0), (0, 10, 0.0, 0.277533), (50, 100, 0.403832, 0.596168)],
)
def test_the_interval_is_wilsons(part: int, n: int, low: float, high: float) -> None:
    assert wilson(part, n) == pytest.approx((low, high), abs=1e-6)


def test_without_anything_counted_there_is_no_interval() -> None:
    assert wilson(0, 0) is None
