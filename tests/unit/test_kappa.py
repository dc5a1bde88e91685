"""How far two raters agree beyond chance, and how sure that is."""

from itertools import product
from math import comb, prod, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canopy.stats.kappa import AgreementTable, kappa, standard_error, strength

counts = st.integers(0, 60)
tables = st.builds(AgreementTable, counts, counts, counts, counts)


@pytest.mark.parametrize(
    ("table", "value"),
    [
        # J. Sim and C. C. Wright, "The kappa statistic in reliability studies", Physical Therapy 85, 2005, table 1.
        (AgreementTable(22, 2, 4, 11), 0.67),
        # A. J. Viera and J. M. Garrett, "Understanding interobserver agreement", Family Medicine 37, 2005.
        (AgreementTable(15, 5, 10, 70), 0.57),
    ],
)
def test_kappa_agrees_with_published_examples(table: AgreementTable, value: float) -> None:
    found = kappa(table)
    assert found is not None
    assert found.value == pytest.approx(value, abs=5e-3)


@given(tables.filter(lambda table: min(table) > 0))
def test_the_standard_error_is_how_kappa_moves_with_the_shares(table: AgreementTable) -> None:
    # The delta method by hand: the slope along each share, and the multinomial distribution of the shares.
    n = sum(table)
    shares = [count / n for count in table]

    def at(*moved: float) -> float:
        yes, first, second, no = (share / sum(moved) for share in moved)
        expected = (yes + first) * (yes + second) + (second + no) * (first + no)
        return (yes + no - expected) / (1 - expected)

    step = 1e-6
    slopes = [
        (
            at(*(p + step * (i == j) for j, p in enumerate(shares)))
            - at(*(p - step * (i == j) for j, p in enumerate(shares)))
        )
        / (2 * step)
        for i in range(4)
    ]
    mean = sum(p * slope for p, slope in zip(shares, slopes, strict=True))
    variance = sum(p * (slope - mean) ** 2 for p, slope in zip(shares, slopes, strict=True)) / n
    assert standard_error(table) == pytest.approx(sqrt(variance), rel=1e-4, abs=1e-7)


@given(tables)
def test_the_interval_holds_the_value_and_whoever_is_first_is_the_same(table: AgreementTable) -> None:
    found = kappa(table)
    mirrored = kappa(table._replace(first=table.second, second=table.first))
    if found is None:
        assert mirrored is None
    else:
        assert found == pytest.approx(mirrored)
        assert -1 <= found.low <= found.value <= found.high <= 1
        assert found.low < found.high


@pytest.mark.parametrize("n", [10, 20])
@pytest.mark.parametrize(
    ("first", "second", "truth"), [(0.1, 0.1, 0.8), (0.2, 0.3, 0.6), (0.5, 0.5, 0.9), (0.3, 0.3, 0)]
)
def test_the_interval_covers_the_truth_also_where_there_are_few(
    n: int, first: float, second: float, truth: float
) -> None:
    expected = first * second + (1 - first) * (1 - second)
    both = (expected + truth * (1 - expected) + first + second - 1) / 2
    shares = (both, first - both, second - both, 1 - first - second + both)
    covered = defined = 0.0
    for yes, a, b in product(range(n + 1), repeat=3):  # every table that can come about
        if yes + a + b > n:
            continue
        table = AgreementTable(yes, a, b, n - yes - a - b)
        if (found := kappa(table)) is None:
            continue
        ways = comb(n, yes) * comb(n - yes, a) * comb(n - yes - a, b)
        probability = ways * prod(share**count for share, count in zip(shares, table, strict=True))
        defined += probability
        covered += probability * (found.low <= truth <= found.high)
    assert covered / defined > 0.92


def test_where_all_agree_the_interval_says_on_how_little() -> None:
    few, many = kappa(AgreementTable(2, 0, 0, 3)), kappa(AgreementTable(200, 0, 0, 300))
    assert few is not None
    assert many is not None
    assert few.value == many.value == few.high == 1
    assert few.low < 0.4
    assert many.low > 0.95


@pytest.mark.parametrize("table", [(0, 0, 0, 0), (0, 0, 0, 9), (7, 0, 0, 0), (0, 3, 0, 9), (0, 0, 4, 2), (5, 4, 0, 0)])
def test_with_a_rater_who_always_says_the_same_there_is_no_kappa(table: tuple[int, int, int, int]) -> None:
    assert kappa(AgreementTable(*table)) is None


@pytest.mark.parametrize(
    ("value", "word"),
    [(-0.3, "no"), (0.2, "slight"), (0.4, "fair"), (0.48, "moderate"), (0.7, "substantial"), (1.0, "almost perfect")],
)
def test_agreement_has_the_usual_names(value: float, word: str) -> None:
    assert strength(value) == word
