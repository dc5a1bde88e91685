"""A share that was counted once, such as a satisfaction or a pass rate: how sure it is, and how people read it."""

from math import sqrt

_Z = 1.959963984540054  # 97.5 % quantile of the normal distribution: a 95 % interval


def wilson(part: int, n: int) -> tuple[float, float] | None:
    """The 95 % interval of the share `part / n`, which is how far chance alone may have moved it; None where n is 0.

    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", 1927.
    """
    if not n:
        return None
    share = part / n
    centre = (share + _Z * _Z / (2 * n)) / (1 + _Z * _Z / n)
    spread = _Z / (1 + _Z * _Z / n) * sqrt(share * (1 - share) / n + _Z * _Z / (4 * n * n))
    # Rounding must not leave the share itself outside.
    return (max(0.0, centre - spread) if part else 0.0), (min(1.0, centre + spread) if part < n else 1.0)


def percent(share: float) -> str:
    """A share of 1 in whole percent, where 0 and 100 mean none and all."""
    if 0 < share < 1:
        return f"{min(max(round(share * 100), 1), 99)} %"
    return f"{share * 100:.0f} %"


def percent_bounds(share: float, interval: tuple[float, float]) -> tuple[str, str]:
    """The ends of a share's interval in whole percent, such that the share as people read it lies between them."""
    read = int(percent(share).split()[0])
    low, high = (round(end * 100) for end in interval)
    return f"{min(low, read)} %", f"{max(high, read)} %"
