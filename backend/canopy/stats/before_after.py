"""Tells whether satisfaction has fallen since a change by more than chance, however often one looks.

The people who voted before the change are a fixed number, so an exact bound holds for what their satisfaction was.
Those after it come one by one and are looked at again and again, so theirs is a confidence sequence. Each may be wrong
with half of the risk; that one of them ever is has at most the whole.

It says nothing of why: time has changed with the prompt, other people ask, and other texts.

Source: C. J. Clopper and E. S. Pearson, "The use of confidence or fiducial limits illustrated in the case of the
binomial", Biometrika 26, 1934: the exact bound.
"""

from functools import lru_cache
from math import lgamma, log, log1p
from typing import NamedTuple

from canopy.stats.sequential import log_mixture

RISK = 0.05  # of ever saying so of a change that changed nothing
_PRIOR = 1.0  # satisfaction is often far from ½, so every rate is as likely beforehand
_HALVINGS = 60
_NEGLIGIBLE = 1e-17


class Outcomes(NamedTuple):
    """Counts people by whether they were satisfied: one outcome each."""

    good: int
    bad: int

    @property
    def people(self) -> int:
        """Return how many people these are."""
        return self.good + self.bad

    @property
    def share(self) -> float:
        """Return which share is satisfied, from 0 to 1; 0 where nobody has voted."""
        return self.good / self.people if self.people else 0.0


def has_fallen(before: Outcomes, after: Outcomes, risk: float = RISK) -> bool:
    """Return whether people are less satisfied than they were, at any number of looks but for `risk`."""
    least = exact_lower_bound(before.good, before.people, risk / 2)
    # The sequence is below `least` where its own bet against that share has won, since it bets less on those nearer by.
    return after.share < least and log_mixture(least, after.good, after.bad, _PRIOR) >= log(2 / risk)


@lru_cache(256)  # what was before a change stays, and is asked for at each look
def exact_lower_bound(part: int, n: int, alpha: float) -> float:
    """Return the share below which `part` of `n` or more would come about with less than `alpha`."""
    if not part:
        return 0.0
    low, high = 0.0, part / n
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if _log_at_least(part, n, middle) < log(alpha):
            low = middle
        else:
            high = middle
    return low


def _log_at_least(part: int, n: int, share: float) -> float:
    """Return the logarithm of the probability of `part` or more of `n`, for a share between 0 and part / n."""
    term = total = 1.0  # each relative to that of exactly `part`; they shrink, since the share is below part / n
    for k in range(part, n):
        term *= (n - k) / (k + 1) * share / (1 - share)
        total += term
        if term < total * _NEGLIGIBLE:
            break
    binomial = lgamma(n + 1) - lgamma(part + 1) - lgamma(n - part + 1)
    return binomial + part * log(share) + (n - part) * log1p(-share) + log(total)
