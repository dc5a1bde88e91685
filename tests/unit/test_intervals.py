"""How sure a share is."""

import pytest

from canopy.experiments.intervals import percent, wilson


@pytest.mark.parametrize(
    ("part", "n", "low", "high"),
    [(8, 10, 0.490162, 0.943318), (1, 1, 0.206549, 1.0), (0, 10, 0.0, 0.277533), (50, 100, 0.403832, 0.596168)],
)
def test_the_interval_is_wilsons(part: int, n: int, low: float, high: float) -> None:
    assert wilson(part, n) == pytest.approx((low, high), abs=1e-6)


def test_without_anything_counted_there_is_no_interval() -> None:
    assert wilson(0, 0) is None


@pytest.mark.parametrize(
    ("share", "words"), [(0, "0 %"), (0.001, "1 %"), (0.5, "50 %"), (0.875, "88 %"), (0.999, "99 %"), (1, "100 %")]
)
def test_only_none_is_0_percent_and_only_all_100(share: float, words: str) -> None:
    assert percent(share) == words
