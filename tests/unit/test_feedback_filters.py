"""Filters of feedback, as people and programs write them."""

import pytest

from canopy.base.clock import iso
from canopy.base.errors import InputError
from canopy.feedback.filters import parse_filter
from canopy.store.feedback.query import Filter

OPEN: dict[str, str | None] = dict.fromkeys(("rating", "score", "feature", "prompt_id", "model", "since", "until"))


def parsed(**texts: str) -> Filter:
    return parse_filter(["summarize", "summarize_chat"], **{**OPEN, **texts})


def test_what_is_left_out_or_empty_matches_everything() -> None:
    assert parsed() == parsed(**dict.fromkeys(OPEN, "")) == Filter()


def test_the_workshops_name_of_the_built_in_feature_is_taken() -> None:
    assert parsed(feature="summarization") == parsed(feature="summarize") == Filter(feature="summarize")


def test_a_day_is_included_whole_and_a_time_is_excluded() -> None:
    day = parsed(since="2026-01-31", until="2026-01-31")
    assert day.since is not None
    assert day.until is not None
    assert (iso(day.since), iso(day.until)) == ("2026-01-31T00:00:00.000000Z", "2026-02-01T00:00:00.000000Z")
    assert parsed(until="2026-02-01T01:00:00+01:00").until == day.until


@pytest.mark.parametrize(("since", "until"), [("2026-02-03", "2026-02-01"), ("2026-02-02", "2026-02-01")])
def test_days_that_are_swapped_are_refused(since: str, until: str) -> None:
    with pytest.raises(InputError, match="`since` must be before `until`"):
        parsed(since=since, until=until)


def test_scores_are_one_or_from_one_to_another() -> None:
    assert parsed(score="2").scores == (2,)
    assert parsed(score="1 - 3").scores == (1, 2, 3)


@pytest.mark.parametrize(
    "wrong",
    [{"feature": "sumarize"}, {"rating": "bad!"}, {"since": "yesterday"}, {"score": "0"}, {"score": "3-2"}],
)
def test_a_typo_is_refused_by_name(wrong: dict[str, str]) -> None:
    with pytest.raises(InputError, match=f"`{next(iter(wrong))}` must be"):
        parsed(**wrong)
