"""Agreement of two raters beyond chance for yes/no ratings: Cohen's kappa.

An `AgreementTable` counts subjects by both ratings.
"""

from math import sqrt
from typing import NamedTuple

from canopy.stats.intervals import Z_95

# Names for ranges of kappa by upper bound: J. R. Landis and G. G. Koch, "The measurement of observer
# agreement for categorical data", Biometrics 33, 1977.
_WORDS = [(0.0, "no"), (0.2, "slight"), (0.4, "fair"), (0.6, "moderate"), (0.8, "substantial"), (1.0, "almost perfect")]


class AgreementTable(NamedTuple):
    """Counts of subjects by the ratings of two raters."""

    both: float  # both said yes
    first: float  # only the first rater said yes
    second: float  # only the second rater said yes
    neither: float


class Kappa(NamedTuple):
    """Agreement beyond chance, from -1 to 1, and its 95 % interval."""

    value: float
    low: float
    high: float


def kappa(table: AgreementTable) -> Kappa | None:
    """Return Cohen's kappa; None if a rater gave all subjects the same rating, which leaves it undefined.

    Source: J. Cohen, "A coefficient of agreement for nominal scales", 1960. The interval is the large-sample one with ½
    added to each count, as for odds ratios. Without that, its width is 0 at full agreement, and with 20 subjects its
    coverage falls to 30 %; with it, the coverage is at least 90 %.
    """
    both, first, second, neither = table
    if not (both + first and second + neither and both + second and first + neither):
        return None
    value = _estimate(table)
    smoothed = AgreementTable(*(count + 0.5 for count in table))
    centre, spread = _estimate(smoothed), Z_95 * standard_error(smoothed)
    return Kappa(value, max(-1.0, min(value, centre - spread)), min(1.0, max(value, centre + spread)))


def standard_error(table: AgreementTable) -> float:
    """Return kappa's standard error for large samples.

    Source: J. L. Fleiss, J. Cohen and B. S. Everitt, "Large sample standard errors of kappa and weighted kappa",
    Psychological Bulletin 72, 1969, formula 13.
    """
    n = sum(table)
    yes, first, second, no = (count / n for count in table)
    observed, expected = yes + no, _expected(table)
    of_yes, of_no = 2 * yes + first + second, 2 * no + first + second  # both raters' shares together
    agreed = sum(p * (1 - expected - q * (1 - observed)) ** 2 for p, q in ((yes, of_yes), (no, of_no)))
    # A subject rated differently weighs by each rater's share of the other's rating.
    differed = first * (yes + second + second + no) ** 2 + second * (yes + first + first + no) ** 2
    rest = (observed * expected - 2 * expected + observed) ** 2
    return sqrt(max(0.0, agreed + (1 - observed) ** 2 * differed - rest) / n) / (1 - expected) ** 2


def strength(value: float) -> str:
    """Return Landis and Koch's word for a kappa, such as `moderate`."""
    return next(word for bound, word in _WORDS if value <= bound)


def _estimate(table: AgreementTable) -> float:
    observed, expected = (table.both + table.neither) / sum(table), _expected(table)
    return (observed - expected) / (1 - expected)


def _expected(table: AgreementTable) -> float:
    """Return the share on which the raters would agree by chance."""
    n = sum(table)
    first, second = (table.both + table.first) / n, (table.both + table.second) / n
    return first * second + (1 - first) * (1 - second)
