"""How many days a decision takes, by what was counted, and what is said of it."""

import pytest

from canopy.experiments.decision import decide
from canopy.experiments.outlook import Outlook, days_words, outlook_words, outlooks_of, pace_words
from canopy.experiments.pace import DaysAhead, Pace, days_ahead, own_pace, pace_of, pace_until_last
from canopy.experiments.planning import ExperimentPlan, plan_payload
from canopy.experiments.standing import Stage
from canopy.experiments.votes_ahead import VotesAhead
from canopy.stats.sequential import DecisionRule
from canopy.store.experiments.experiment import Experiment, FirstBallots
from canopy.store.feedback.hourly_counts import DAY

RULE = DecisionRule(alpha=0.05, prior_strength=10, equivalence_margin=0.05, max_decisive_votes=2000)
EXPERIMENT = Experiment("exp_1", 0, "a", "Long.", "b", "Short.", "llama32", 0.9, 4096, RULE)
NOW = 100 * DAY
TWO_HUNDRED = VotesAhead(100, 200, 400, 1.0)


def daily(*a_day: int) -> list[tuple[int, int]]:
    """So many votes on each day of the weeks before NOW, the last week's number last."""
    return [(NOW - DAY * day - DAY // 2, a_day[-1 - day // 7]) for day in range(7 * len(a_day))]


def pace(*a_day: int) -> Pace:
    found = pace_of(daily(*a_day), 0, NOW)
    assert found is not None
    return found


def test_the_pace_is_that_of_four_weeks_and_its_spread_that_of_the_weeks() -> None:
    found = pace(500, 10, 20, 6, 20)  # the first is too long ago
    assert (found.votes, found.days, found.per_day) == (7 * 56, 28, 14)
    assert (found.slowest, found.fastest, found.idle) == (6, 20, False)


def test_weeks_that_are_alike_still_differ_by_chance() -> None:
    found = pace(14, 14, 14, 14)
    assert 12.5 < found.slowest < 13.5
    assert 14.5 < found.fastest < 15.5


@pytest.mark.parametrize("votes", [0, 1, 9])
def test_a_few_votes_within_days_are_no_pace(votes: int) -> None:
    assert pace_of([(NOW, votes)], NOW - 3 * DAY, NOW) is None
    assert own_pace(EXPERIMENT, FirstBallots(0, 0, 0, 0, 0, []), None) is None


def test_votes_of_one_day_are_a_days_pace_and_one_in_four_weeks_is_a_slow_one() -> None:
    busy = pace_of([(NOW, 20)], NOW - DAY // 24, NOW)
    assert busy is not None
    assert busy.per_day == 20
    one = pace_of([(NOW - DAY, 1)], 0, NOW)
    assert one is not None
    assert (one.per_day, one.slowest) == (1 / 28, 0)
    assert days_ahead(TWO_HUNDRED, one) == DaysAhead(
        100 / one.fastest, 200 * 28, None
    )  # slower than any number of days


def test_a_silent_week_is_no_pace_to_reckon_with_unless_nothing_is_compared_any_more() -> None:
    silent = pace(14, 14, 14, 0)
    assert silent.idle
    assert days_ahead(TWO_HUNDRED, silent) is None
    former = pace_until_last([(at - 50 * DAY, n) for at, n in sorted(daily(14, 14))])
    assert former is not None
    assert not former.idle
    assert former.per_day == pytest.approx(14, rel=0.1)
    assert pace_until_last([]) is None


def test_the_days_are_few_votes_at_the_fastest_pace_to_many_at_the_slowest() -> None:
    assert days_ahead(TWO_HUNDRED, pace(10, 20, 6, 20)) == DaysAhead(100 / 20, 200 / 14, 400 / 6)
    assert days_ahead(VotesAhead(100, 200, None, 0.8), pace(10, 20, 6, 20)) == DaysAhead(5, 200 / 14, None)
    assert days_ahead(VotesAhead(100, None, None, 0.4), pace(14, 14)) is None
    assert days_ahead(TWO_HUNDRED, pace(10, 20, 6, 20).of_share(0.5)) == DaysAhead(10, 400 / 14, 400 / 3)


@pytest.mark.parametrize(
    ("days", "words"),
    [
        (DaysAhead(40, 61, 90), "about 61 days (40 to 90)"),
        (DaysAhead(0.1, 0.4, 0.9), "about 1 day"),
        (DaysAhead(0.1, 1.2, 7.6), "about 1 day (1 to 8)"),
        (DaysAhead(40, 61, None), "about 61 days (40 or more)"),
        (DaysAhead(1234, 2345, 3456), "about 2,300 days (1,200 to 3,500)"),
        (DaysAhead(1234, 23450, None), "more than ten years"),
    ],
)
def test_days_have_their_spread_in_brackets(days: DaysAhead, words: str) -> None:
    assert days_words(days) == words


def test_the_sentences_before_an_experiment() -> None:
    plan = ExperimentPlan("summarize", RULE, pace(3, 3, 3, 3), outlooks_of(RULE, pace(3, 3, 3, 3)))
    assert plan.sentence == (
        "If 60 % of the people prefer the candidate, a decision takes about 180 votes (60 to 420), at your 3 votes a "
        "day about 60 days (17 to 160)."
    )
    counted, close, clear, helps = plan.more
    assert counted == "In the last 28 days there were 3 votes a day (2.6 to 3.5) that chose a side."
    assert close.startswith(
        "If 55 % of the people prefer the candidate, a decision takes about 770 votes (170 to 1,800)"
    )
    assert clear.endswith("at your 3 votes a day about 18 days (8 to 39).")
    assert all(it in helps for it in ("differs more", "`ab_testing.percentage`", "`canopy evals run`"))
    quick = ExperimentPlan("summarize", RULE, pace(90), outlooks_of(RULE, pace(90)))
    assert not any("What else helps" in it for it in quick.more)


def test_nobody_few_and_silent_people_are_called_so() -> None:
    plan = ExperimentPlan("summarize", RULE, None, outlooks_of(RULE, None))
    assert plan.sentence.endswith("a decision takes about 180 votes (60 to 420).")
    assert plan.more[0] == "There are too few votes yet to tell how many come in a day."
    assert pace_words(pace(14, 0)).startswith("Nobody has voted in the last week")
    assert "1.5 votes a week (0 to 6)" in pace_words(pace_of([(NOW - DAY, 6)], NOW - 28 * DAY, NOW))
    votes = pace_of(daily(14), 0, NOW, "votes")
    assert pace_words(votes).startswith("Nothing was compared lately.")


def test_more_votes_than_the_limit_are_a_likely_end_without_a_decision() -> None:
    short = RULE._replace(max_decisive_votes=100)
    plan = ExperimentPlan("summarize", short, pace(14), outlooks_of(short, pace(14)))
    assert plan.sentence == (
        "If 60 % of the people prefer the candidate, inconclusive is the likely end: its limit of 100 votes comes "
        "before a decision."
    )
    assert plan.more[-1].startswith("What else helps")
    some = Outlook(0.6, VotesAhead(60, 80, None, 0.7), None, 100, 90)
    assert outlook_words(some, None, more=True).endswith("about 80 more votes (60 to 90, its limit).")


@pytest.mark.parametrize(
    ("wins", "stage", "begins", "still_open"),
    [
        (
            (62, 38),
            "running",
            "As people have chosen so far, a decision takes about 49 more votes (15 to 480), at",
            True,
        ),
        (
            (2, 3),
            "running",
            "If 60 % of the people to come prefer the candidate, a decision takes about 180 more",
            True,
        ),
        ((2, 3), "paused", "Comparisons are off, so no votes come. With them on: if 60 % of", True),
        (
            (87, 143),
            "running",
            "The candidate, Prompt B, is better: between 51 and 75 % of the people who choose",
            False,
        ),
        ((2, 3), "over", "It is too early", False),
    ],
)
def test_an_experiment_has_what_it_counted_already_and_a_decided_one_the_next(
    wins: tuple[int, int], stage: Stage, begins: str, still_open: bool
) -> None:
    decision = decide(*wins, RULE)
    counted = wins if stage != "over" and decision.status == "collecting" else (0, 0)
    plan = ExperimentPlan(
        "summarize", RULE, pace(14), outlooks_of(RULE, pace(14), counted), EXPERIMENT, decision, stage
    )
    found = plan_payload(plan)
    assert found["sentence"].startswith(begins)
    assert (found["open"], found["experiment"]) == (still_open, "exp_1")
    if not still_open:
        assert (
            "The next one: if 60 % of the people prefer the candidate, a decision takes about 180 votes"
            in plan.sentence
        )
        assert found["n"] == 0
