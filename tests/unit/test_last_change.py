"""What is said of the last change of the prompt in force."""

from typing import Any

import pytest

from canopy.feedback.statistics import Tally
from canopy.stats.before_after import Outcomes
from canopy.store.experiments.variants_in_force import PromptAndModel, VariantInForce
from canopy.store.feedback.hourly_counts import DAY
from canopy.store.generations.usage import UsageCount, UsageSum
from canopy.ui.last_change import LastChange, PromptChange, VotesAround, days_around, last_change, last_prompt_change
from canopy.ui.variant_changes import changes_of

BEGIN = 20_000 * DAY
HOUR = DAY // 24
CHANGE = PromptChange(BEGIN, "summarize", "new", "old", other_model=False)


def used(day: int, prompt: str, model: str = "m", feature: str = "summarize", **numbers: Any) -> UsageCount:
    at = BEGIN + day * DAY
    return UsageCount(at, feature, prompt, model, "r", at, at, UsageSum(**({"completed": 4} | numbers)))


def told(good: int, bad: int, good_before: int, bad_before: int, days: int = 7) -> LastChange:
    counts = Tally(good, 0, bad), Tally(good_before, 0, bad_before)
    return last_change(VotesAround(CHANGE, BEGIN - days * DAY, BEGIN + days * DAY, *counts))


def test_the_last_change_is_the_newest_of_a_prompt_in_force() -> None:
    assert last_prompt_change(changes_of([])) is None
    assert last_prompt_change(changes_of([used(0, "a"), used(3, "a", model="other")])) is None
    usage = [
        used(0, "a"),
        used(2, "b", model="other"),
        used(2, "c", feature="chat"),
        used(4, "b"),  # another model alone
        used(5, "candidate", compared=4),
        *(used(day, f"of a past that is compared {day}", compared=4) for day in range(6, 20)),
    ]
    assert last_prompt_change(changes_of(usage)) == PromptChange(
        BEGIN + 2 * DAY, "summarize", "b", "a", other_model=True
    )
    assert last_prompt_change(changes_of([*usage, used(30, "d", feature="chat")])) == PromptChange(
        BEGIN + 30 * DAY, "chat", "d", "c", other_model=False
    )


def test_a_model_that_changed_since_is_told_as_well() -> None:
    usage = [used(0, "a"), used(2, "b"), used(9, "b", model="other")]
    assert last_prompt_change(changes_of(usage)) == PromptChange(
        BEGIN + 2 * DAY, "summarize", "b", "a", other_model=True
    )


@pytest.mark.parametrize(
    ("votes", "verdict"),
    [
        ((90, 10, 60, 40), "It seems to have helped: people are more satisfied, by 18 to 41 percentage points."),
        (
            (60, 40, 90, 10),
            "It seems to have hurt: people are less satisfied, by 18 to 41 percentage points. One look may show that "
            "by chance; Canopy warns when chance hardly explains it.",
        ),
        (
            (85, 35, 192, 108),
            "Nobody can tell yet whether that helped: it may be up to 3 percentage points worse or up to 16 better.",
        ),
        (
            (17, 3, 9, 7),
            "Nobody can tell yet whether that helped: it may be up to 1 percentage point worse or up to 54 better.",
        ),
        (
            (75_000, 25_000, 75_000, 25_000),
            "That neither helped nor hurt by more than chance: the difference is less than one percentage point.",
        ),
        ((0, 0, 192, 108), "Nobody can tell yet whether that helped: it takes votes on both."),
        (
            (5, 0, 0, 0),
            "Nobody can tell yet whether that helped: nobody voted on single answers in that time before it.",
        ),
    ],
)
def test_it_says_whether_the_change_helped_as_far_as_chance_lets_anybody_tell(
    votes: tuple[int, int, int, int], verdict: str
) -> None:
    assert told(*votes).verdict == verdict


def test_both_satisfactions_have_their_interval_and_their_votes() -> None:
    found = told(85, 35, 0, 0)
    assert found.after.interval is not None
    assert (found.after.votes, [round(end, 2) for end in found.after.interval]) == (120, [0.62, 0.78])
    assert (found.before.share, found.before.interval, found.before.votes) == (None, None, 0)


def test_as_long_before_is_counted_as_since_but_nothing_that_is_not_chosen() -> None:
    now = BEGIN + 5 * DAY + 1
    assert days_around(CHANGE, now, None, None) == (BEGIN - 5 * DAY - HOUR, now)
    assert days_around(CHANGE, now, BEGIN - DAY, BEGIN + 3 * DAY) == (BEGIN - DAY, BEGIN + 3 * DAY)
    assert days_around(CHANGE, BEGIN - DAY, None, None) == (BEGIN - HOUR, BEGIN + HOUR)  # a clock that is behind
    assert [told(1, 1, 1, 1, days).days for days in (1, 5)] == ["24 hours", "5 days"]


@pytest.mark.parametrize(("good", "bad"), [(30, 70), (75, 25), (90, 10)])
def test_what_people_after_the_change_have_proved_is_not_contradicted(good: int, bad: int) -> None:
    """The watch counts people and four weeks, the page votes and as long before as since: they may differ."""
    former, proved = PromptAndModel("old", "m"), Outcomes(10, 40)
    worse = VariantInForce(
        "summarize", BEGIN, PromptAndModel("new", "m"), "promotion", former, Outcomes(80, 20), "r", None, proved
    )
    around = VotesAround(CHANGE, BEGIN - DAY, BEGIN + DAY, Tally(good, 0, bad), Tally(80, 0, 20))
    said = "It has hurt: people are less satisfied than before the change, by more than chance explains."
    assert last_change(around, {"summarize": worse}).verdict == said
    of_another = worse._replace(producer=PromptAndModel("newer", "m"))
    assert last_change(around, {"summarize": of_another}).verdict != said
