"""Pass or fail, twice on the same cases: what changed, and how sure that is. Pure mathematics.

`gained` is the number of pairs that failed and then passed, `lost` of those that passed and then failed; what happened
twice alike says nothing about the change and counts in `n` alone.
"""

from collections.abc import Callable
from math import sqrt

_Z = 1.959963984540054  # 97.5 % quantile of the normal distribution: a 95 % interval
_HALVINGS = 60  # of an interval of length 2: below what a double can tell apart


def mcnemar(gained: int, lost: int) -> float:
    """The exact two-sided p-value of "no change": twice the smaller tail of a binomial distribution with rate ½.

    Source: Q. McNemar, "Note on the sampling error of the difference between correlated proportions or percentages",
    Psychometrika 12, 1947; the exact form is the sign test on the pairs that differ.
    """
    differing = gained + lost
    tail, ways = 0, 1  # exact integers; each binomial coefficient comes from the one before, which is much faster
    for k in range(min(gained, lost) + 1):
        tail += ways
        ways = ways * (differing - k) // (k + 1)
    return min(1.0, 2 * tail / (1 << differing))


def tango(gained: int, lost: int, n: int) -> tuple[float, float]:
    """The 95 % interval of the difference of the two pass rates, `(gained - lost) / n` as observed; `n` > 0.

    It holds the differences that a score test doesn't reject, so it stays within -1 and 1 and is right for few pairs
    and for none that differ, where the usual formula has the width 0.

    Source: T. Tango, "Equivalence test and confidence interval for the difference in proportions for the paired-sample
    design", Statistics in Medicine 17, 1998, section 3.
    """
    observed = (gained - lost) / n

    def rejected(difference: float) -> bool:
        return (gained - lost - n * difference) ** 2 > _Z**2 * n * _variance(difference, gained, lost, n)

    return _boundary(rejected, -1.0, observed), _boundary(rejected, 1.0, observed)


def _variance(difference: float, gained: int, lost: int, n: int) -> float:
    """Of one pair, at the likeliest rates that have this difference: the root of a quadratic for the rate of `lost`."""
    linear = (2 * n - gained + lost) * difference - gained - lost
    constant = -lost * difference * (1 - difference)
    rate = (sqrt(linear * linear - 8 * n * constant) - linear) / (4 * n)
    return 2 * rate + difference * (1 - difference)


def _boundary(rejected: Callable[[float], bool], outside: float, inside: float) -> float:
    """Where `rejected` turns from true to false between a far end and a point that isn't rejected."""
    if not rejected(outside):
        return outside
    for _ in range(_HALVINGS):
        middle = (outside + inside) / 2
        outside, inside = (middle, inside) if rejected(middle) else (outside, middle)
    return inside
