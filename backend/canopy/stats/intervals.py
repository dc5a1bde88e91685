"""Intervals of an observed share, such as a satisfaction or a pass rate, and of two shares' difference."""

from math import hypot, sqrt

Z_95 = 1.959963984540054  # 97.5 % quantile of the normal distribution: a 95 % interval


def wilson(part: int, n: int) -> tuple[float, float] | None:
    """Return the 95 % Wilson interval of the share `part / n`; None if n is 0.

    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", Journal of the
    American Statistical Association 22, 1927.
    """
    if not n:
        return None
    share = part / n
    centre = (share + Z_95 * Z_95 / (2 * n)) / (1 + Z_95 * Z_95 / n)
    spread = Z_95 / (1 + Z_95 * Z_95 / n) * sqrt(share * (1 - share) / n + Z_95 * Z_95 / (4 * n * n))
    # Rounding must not exclude the share itself.
    return (max(0.0, centre - spread) if part else 0.0), (min(1.0, centre + spread) if part < n else 1.0)


def newcombe(part: int, n: int, other_part: int, other_n: int) -> tuple[float, float] | None:
    """Return the 95 % interval of the difference `part / n - other_part / other_n`; None if either n is 0.

    It is the hybrid score interval, made of both shares' Wilson intervals. It takes the two groups for independent.
    Source: R. G. Newcombe, "Interval estimation for the difference between independent proportions: comparison of
    eleven methods", Statistics in Medicine 17, 1998, method 10.
    """
    one, other = wilson(part, n), wilson(other_part, other_n)
    if one is None or other is None:
        return None
    share, other_share = part / n, other_part / other_n
    between = share - other_share
    below = hypot(share - one[0], other[1] - other_share)
    above = hypot(one[1] - share, other_share - other[0])
    return max(-1.0, between - below), min(1.0, between + above)


def percent(share: float) -> str:
    """Return a share (0 to 1) in whole percent; only exactly none and all are shown as 0 and 100."""
    if 0 < share < 1:
        return f"{min(max(round(share * 100), 1), 99)} %"
    return f"{share * 100:.0f} %"


def percent_bounds(share: float, interval: tuple[float, float]) -> tuple[str, str]:
    """Return an interval's ends in whole percent that include the share as `percent` shows it."""
    read = int(percent(share).split()[0])
    low, high = (round(end * 100) for end in interval)
    return f"{min(low, read)} %", f"{max(high, read)} %"
