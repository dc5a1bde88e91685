"""What to do now follows from what can be expected."""

from dataclasses import replace

import pytest
import yaml

from canopy.experiments.decision import decide
from canopy.experiments.next_step import next_step
from canopy.experiments.outlook import expected_of
from canopy.stats.sequential import DecisionRule
from canopy.store.experiments.experiment import Experiment, FirstBallots, WinsSoFar

DAY = 86_400_000_000
RULE = DecisionRule(alpha=0.05, prior_strength=10, equivalence_margin=0.05, max_decisive_votes=2000)
EXPERIMENT = Experiment("exp_1", 0, "a", "Long.", "b", "Short.", "llama32", 0.9, 4096, RULE)


def evenly(wins_a: int, wins_b: int, days: float) -> list[WinsSoFar]:
    """So many votes, the first of them at 0 and the last after these days."""
    n = wins_a + wins_b
    return [
        WinsSoFar(round(days * DAY * (i - 1) / max(n - 1, 1)), wins_a * i // n, i - wins_a * i // n)
        for i in range(1, n + 1)
    ]


def said(wins_a: int, wins_b: int, days: float, now: float | None = None) -> tuple[str, bool]:
    """The sentence, and whether there is something to change."""
    decision = decide(wins_a, wins_b, RULE)
    firsts = FirstBallots(wins_a, wins_b, 0, 0, 0, evenly(wins_a, wins_b, days))
    expected = expected_of(EXPERIMENT, decision, firsts, None if now is None else round(now * DAY))
    step = next_step(EXPERIMENT, decision, expected, "summarize")
    return step.sentence, step.snippet is not None


def test_an_experiment_that_will_be_decided_is_to_run() -> None:
    assert said(62, 38, 10) == (
        "Let it run: a decision may take about 49 more votes (15 to 480), at your 10 votes a day about 5 days "
        "(1 to 54). Looking at it meanwhile does no harm.",
        False,
    )


@pytest.mark.parametrize(("votes", "hours"), [((1, 0), 0), ((0, 1), 1), ((3, 1), 2)])
def test_the_first_votes_are_no_silence(votes: tuple[int, int], hours: float) -> None:
    assert said(*votes, 0, now=hours / 24)[0].startswith("Let it run.")


def test_before_people_have_chosen_it_says_what_a_usual_difference_takes() -> None:
    sentence, change = said(2, 3, 1)
    assert sentence.startswith(
        "Let it run. If 60 % of the people to come prefer the candidate, a decision takes about 180 more votes (60 to "
    )
    assert not change
    assert said(0, 0, 0)[0].startswith("Let it run. If 60 %")


def test_an_experiment_that_reaches_its_limit_first_is_not_to_be_waited_for() -> None:
    sentence, change = said(700, 760, 30)
    assert sentence.startswith("Don't wait for it: inconclusive is the likely end")
    assert all(helps in sentence for helps in ("differs more", "more people asked", "`canopy evals run`"))
    assert change


def test_an_experiment_that_nobody_votes_in_is_not_to_be_waited_for() -> None:
    sentence, change = said(62, 38, 10, now=30)
    assert sentence.startswith("Nobody has chosen for a week")
    assert change
    assert said(2, 3, 1, now=30)[0] == sentence
    assert said(0, 0, 0, now=30)[0] == sentence


def test_a_pace_that_takes_too_long_is_not_to_be_waited_for() -> None:
    sentence, change = said(62, 38, 500)
    assert sentence.startswith(
        "A decision takes about 49 more votes (15 to 480), at your 1.5 votes a week about 230 days"
    )
    assert "too long to wait for. What else helps: a candidate that differs more" in sentence
    assert change


@pytest.mark.parametrize(
    ("wins", "begins"),
    [
        ((87, 143), "Make the candidate, Prompt B, everybody's"),
        ((143, 87), "Keep the current, Prompt A, and take the candidate out"),
        ((1000, 1000), "Keep whichever is cheaper"),
        ((960, 1040), "Keep the current, Prompt A, and test a candidate that differs more."),
    ],
)
def test_a_decision_says_what_to_change(wins: tuple[int, int], begins: str) -> None:
    sentence, change = said(*wins, 30, now=300)
    assert sentence.startswith(begins)
    assert change


def test_what_to_commit_is_what_the_variants_differ_in() -> None:
    it = replace(EXPERIMENT, prompt_b_id="a", prompt_b_text="Long.", model_b="granite", temperature_b=0.0)
    for wins, change in (
        ((30, 90), {"model": "granite", "temperature": 0.0, "model_b": None, "temperature_b": None}),
        ((90, 30), {"model_b": None, "temperature_b": None}),
    ):
        step = next_step(it, decide(*wins, RULE), None, "features.f")
        assert yaml.safe_load(step.snippet or "") == {"features": {"f": change}}
