"""Whether people are less satisfied than before a change: how often that is said wrongly, and how soon rightly."""

import random

import pytest

from canopy.stats.before_after import Outcomes, exact_lower_bound, has_fallen

LOOKS = 30  # at ever more people, about 1,100 at last


def look_again(rng: random.Random, before: float, voters: int, after: float) -> int | None:
    """How many people it took after a change until they were said to be less satisfied; None: they never were."""
    former = _outcomes(rng, before, voters)
    seen = Outcomes(0, 0)
    for look in range(LOOKS):
        more = _outcomes(rng, after, 5 + 65 * look // LOOKS)
        seen = Outcomes(seen.good + more.good, seen.bad + more.bad)
        if has_fallen(former, seen):
            return seen.people
    return None


def _outcomes(rng: random.Random, share: float, n: int) -> Outcomes:
    good = sum(rng.random() < share for _ in range(n))
    return Outcomes(good, n - good)


@pytest.mark.parametrize(("share", "voters"), [(0.8, 200), (0.5, 20), (0.95, 60)])
def test_a_change_that_changed_nothing_is_blamed_in_fewer_than_one_of_twenty_cases(share: float, voters: int) -> None:
    rng = random.Random(15)
    blamed = sum(look_again(rng, share, voters, share) is not None for _ in range(300))
    assert blamed <= 0.05 * 300


def test_what_has_become_better_is_not_blamed() -> None:
    rng = random.Random(15)
    assert all(look_again(rng, 0.6, 300, 0.7) is None for _ in range(50))


@pytest.mark.parametrize(("after", "found", "typical"), [(0.6, 0.95, 120), (0.7, 0.4, 700)])
def test_a_real_fall_from_four_in_five_is_found(after: float, found: float, typical: int) -> None:
    rng = random.Random(15)
    needed = [it for it in (look_again(rng, 0.8, 300, after) for _ in range(100)) if it is not None]
    assert len(needed) >= found * 100
    assert sorted(needed)[len(needed) // 2] <= typical


def test_without_votes_on_both_nothing_is_said() -> None:
    for before, after in (((0, 0), (0, 50)), ((50, 0), (0, 0)), ((0, 9), (0, 9)), ((3, 3), (3, 3))):
        assert not has_fallen(Outcomes(*before), Outcomes(*after))
    assert has_fallen(Outcomes(50, 0), Outcomes(0, 50))


# The exact bound, by R's binom.test(part, n, alternative = "greater", conf.level = 1 - alpha).
@pytest.mark.parametrize(
    ("part", "n", "bound"), [(8, 10, 0.4439045), (80, 100, 0.7081573), (10, 10, 0.6915029), (0, 10, 0.0)]
)
def test_the_exact_bound_is_that_of_clopper_and_pearson(part: int, n: int, bound: float) -> None:
    assert exact_lower_bound(part, n, 0.025) == pytest.approx(bound, abs=1e-6)


def test_the_exact_bound_holds_for_many_people() -> None:
    assert 0.79 < exact_lower_bound(16_000, 20_000, 0.025) < 0.8
