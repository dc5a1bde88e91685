"""Counts and satisfaction."""

from dataclasses import replace
from typing import Any

import pytest

from canopy.base.ratings import KindName
from canopy.feedback.statistics import statistics
from canopy.store.feedback.query import FeedbackCount, HourCount
from canopy.store.generations.usage import UsageCount, UsageSum
from canopy.store.vocabulary import AB_PREFERENCE

HOUR = 3_600_000_000


def count(value: str, sentiment: int, n: int, prompt_id: str | None = "p", kind: KindName = "thumbs") -> FeedbackCount:
    return FeedbackCount("summarize", "user_satisfaction", kind, value, sentiment, prompt_id, "m", n)


def test_neutral_votes_count_but_do_not_move_satisfaction() -> None:
    got = statistics([count("thumbs_up", 1, 3), count("thumbs_down", -1, 1), count("3", 0, 6, kind="score")], [])
    assert (got["total"], got["positive"], got["neutral"], got["negative"]) == (10, 3, 6, 1)
    assert got["satisfaction"] == 0.75
    assert got["ratings"] == {"thumbs_up": 3, "thumbs_down": 1, "3": 6}


def test_without_a_decided_vote_there_is_no_satisfaction() -> None:
    assert statistics([], [])["satisfaction"] is None
    assert statistics([count("3", 0, 2, kind="score")], [])["satisfaction"] is None


def test_preferences_between_responses_are_no_ratings() -> None:
    preference = replace(count("both_bad", -1, 7, "only compared", kind="label"), name=AB_PREFERENCE)
    assert statistics([preference], []) == statistics([], [])
    assert statistics([preference, count("thumbs_up", 1, 1)], []) == statistics([count("thumbs_up", 1, 1)], [])


def test_hours_are_in_order_and_prompts_apart() -> None:
    counts = [count("thumbs_up", 1, 1, "a"), count("thumbs_down", -1, 2, "b"), count("5", 1, 1, "c")]
    got = statistics(counts, [HourCount(2 * HOUR, -1, 2), HourCount(5 * HOUR, 0, 1), HourCount(5 * HOUR, 1, 1)])
    assert [(row["hour"], row["total"]) for row in got["over_time"]] == [
        ("1970-01-01T02:00:00.000000Z", 2),
        ("1970-01-01T05:00:00.000000Z", 2),
    ]
    assert {row["prompt_id"]: row["satisfaction"] for row in got["by_prompt"]} == {"a": 1.0, "b": 0.0, "c": 1.0}


def test_what_is_no_satisfaction_with_canopys_responses_stands_apart() -> None:
    own = count("thumbs_up", 1, 1)
    elsewhere = count("thumbs_down", -1, 9, None)
    tone = replace(count("thumbs_down", -1, 7), name="tone")
    got = statistics([own, elsewhere, tone], [])
    assert got | {"other_texts": 0, "other_names": 0} == statistics([own], []) | {"other_texts": 0, "other_names": 0}
    assert (got["other_texts"]["total"], got["other_texts"]["satisfaction"]) == (9, 0)
    assert {name: it["negative"] for name, it in got["other_names"].items()} == {"tone": 7}


def used(since: int, prompt_id: str = "p", **usage: Any) -> UsageCount:
    return UsageCount(since, "summarize", prompt_id, "m", "r", since, since, UsageSum(**usage))


def test_votes_have_the_answers_that_they_are_on_as_their_denominator() -> None:
    usage = [used(0, completed=30, compared=10, failed=4), used(HOUR, completed=10, stopped=10, input_tokens=7)]
    got = statistics([count("thumbs_up", 1, 6), count("3", 0, 2, kind="score")], [], usage)["generations"]
    assert (got["total"], got["failed"], got["stopped"], got["compared"], got["votable"]) == (54, 4, 10, 10, 40)
    assert got["voted_share"] == 0.2
    assert [(row["hour"], row["total"], row["input_tokens"]) for row in got["over_time"]] == [
        ("1970-01-01T00:00:00.000000Z", 34, 0),
        ("1970-01-01T01:00:00.000000Z", 20, 7),
    ]


def test_without_an_answer_that_takes_votes_there_is_no_share() -> None:
    got = statistics([], [], [used(0, completed=2, compared=2)])["generations"]
    assert (got["voted_share"], got["time_to_first_token_seconds"]) == (None, None)


def test_versions_say_when_they_were_first_and_last_used() -> None:
    usage = [used(2 * HOUR, "a", completed=1), used(3 * HOUR, "b", completed=1), used(5 * HOUR, "a", failed=1)]
    rows = {row["prompt_id"]: row for row in statistics([], [], usage)["generations"]["by_prompt"]}
    assert (rows["a"]["first_used"], rows["a"]["last_used"]) == (
        "1970-01-01T02:00:00.000000Z",
        "1970-01-01T05:00:00.000000Z",
    )
    assert (rows["a"]["total"], rows["b"]["total"]) == (2, 1)


@pytest.mark.parametrize(
    ("classes", "median"),
    [({}, None), ({0: 4}, 0.025), ({7: 2}, 0.6), ({3: 1, 7: 1}, 0.15), ({3: 1, 7: 4}, 0.575), ({19: 1}, 60.0)],
)
def test_the_median_of_the_first_token_lies_within_its_class(classes: dict[int, int], median: float | None) -> None:
    found = UsageSum(first_tokens=tuple(classes.get(index, 0) for index in range(20))).first_token_median
    assert found == (None if median is None else pytest.approx(median))
