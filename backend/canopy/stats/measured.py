"""Intervals of what is measured of answers, such as tokens and seconds: of means, percentiles and ratios of means."""

from collections.abc import Sequence
from math import exp, log, sqrt
from typing import NamedTuple

from canopy.stats.intervals import Z_95

FEWEST = 20  # measurements of which an interval is told: with fewer these approximations promise too much


class Ratio(NamedTuple):
    """Holds how many times as much the one mean is as the other, with its 95 % interval."""

    ratio: float
    low: float
    high: float


def mean_interval(numbers: Sequence[float]) -> tuple[float, float] | None:
    """Return the 95 % interval of a mean that isn't negative, by the normal approximation; None of too few."""
    n = len(numbers)
    if n < FEWEST:
        return None
    mean = sum(numbers) / n
    spread = Z_95 * sqrt(sum((it - mean) ** 2 for it in numbers) / (n - 1) / n)
    return max(0.0, mean - spread), mean + spread


def percentile_interval(ordered: Sequence[float], share: float) -> tuple[float, float] | None:
    """Return the 95 % interval of a percentile, between two of the sorted measurements; None of too few.

    How many measurements lie below the percentile is binomial, whatever their distribution. Where that reaches beyond
    the last one, there are too few of them, too.
    """
    n = len(ordered)
    spread = Z_95 * sqrt(n * share * (1 - share))
    first, last = round(n * share - spread), round(n * share + spread) + 1  # counted from 1
    return (ordered[first - 1], ordered[last - 1]) if n >= FEWEST and first >= 1 and last <= n else None


def ratio_of_means(pairs: Sequence[tuple[float, float]]) -> Ratio | None:
    """Return the mean of the second ones as a multiple of the first ones'. None of too few, or where a mean is zero.

    The pairs are of one text each, so that their covariance narrows the interval: it is the delta method's on the
    logarithm of the ratio.
    """
    n = len(pairs)
    if n < FEWEST:
        return None
    a, b = (sum(side) / n for side in zip(*pairs, strict=True))
    if a <= 0 or b <= 0:
        return None
    # The variance of y/b - x/a is that of log b - log a, in the first order.
    spread = Z_95 * sqrt(sum((y / b - x / a) ** 2 for x, y in pairs) / (n - 1) / n)
    middle = log(b / a)
    return Ratio(b / a, exp(middle - spread), exp(middle + spread))
