"""Compares pass/fail results of two runs on the same cases.

`gained` is the number of pairs that failed and then passed, `lost` of those that passed and then failed. Pairs with
equal results carry no information on the change and count in `n` alone.
"""

from collections.abc import Callable
from math import sqrt

from canopy.stats.intervals import Z_95

_HALVINGS = 60  # of an interval of length 2, down to a double's precision


def mcnemar(gained: int, lost: int) -> float:
    """Return the exact two-sided p-value of "no change": twice the smaller tail of Binomial(gained + lost, ½).

    Source: Q. McNemar, "Note on the sampling error of the difference between correlated proportions or percentages",
    Psychometrika 12, 1947; the exact form is the sign test on the pairs that differ.
    """
    differing = gained + lost
    tail, ways = 0, 1  # exact integers, each binomial coefficient from the one before
    for k in range(min(gained, lost) + 1):
        tail += ways
        ways = ways * (differing - k) // (k + 1)
    return min(1.0, 2 * tail / (1 << differing))


def tango(gained: int, lost: int, n: int) -> tuple[float, float]:
    """Return the 95 % interval of the difference of the pass rates, `(gained - lost) / n` as observed; n > 0.

    It consists of the differences that a score test doesn't reject, so it stays within -1 and 1 and is valid for few
    pairs and for none that differ, where the usual formula has width 0.

    Source: T. Tango, "Equivalence test and confidence interval for the difference in proportions for the paired-sample
    design", Statistics in Medicine 17, 1998, section 3.
    """
    observed = (gained - lost) / n

    def rejected(difference: float) -> bool:
        return (gained - lost - n * difference) ** 2 > Z_95**2 * n * _variance(difference, gained, lost, n)

    return _boundary(rejected, -1.0, observed), _boundary(rejected, 1.0, observed)


def _variance(difference: float, gained: int, lost: int, n: int) -> float:
    """Return one pair's variance at the maximum-likelihood rates with this difference, from a quadratic equation."""
    linear = (2 * n - gained + lost) * difference - gained - lost
    constant = -lost * difference * (1 - difference)
    rate = (sqrt(linear * linear - 8 * n * constant) - linear) / (4 * n)
    return 2 * rate + difference * (1 - difference)


def _boundary(rejected: Callable[[float], bool], outside: float, inside: float) -> float:
    """Return where `rejected` turns false between a rejected far end and a point that isn't rejected."""
    if not rejected(outside):
        return outside
    for _ in range(_HALVINGS):
        middle = (outside + inside) / 2
        outside, inside = (middle, inside) if rejected(middle) else (outside, middle)
    return inside
