"""The arithmetic behind the feedback page."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from canopy.base.clock import microseconds
from canopy.config.feature_values import FeatureValues
from canopy.config.features import features_of
from canopy.config.values import Values
from canopy.feedback.statistics import Tally
from canopy.store.feedback.query import FeedbackCount, Filter, HourCount, Page
from canopy.store.vocabulary import AB_PREFERENCE
from canopy.ui.feedback import Dashboard, dashboard
from canopy.ui.prompt_versions import prompt_versions
from canopy.ui.satisfaction_chart import BARS_HEIGHT, BARS_TOP, LINE_HEIGHT, LINE_TOP, satisfaction_chart


def at(text: str) -> int:
    return microseconds(datetime.fromisoformat(text).replace(tzinfo=UTC))


def count(sentiment: int, n: int, prompt_id: str | None = "sha256:aa", feature: str = "summarize") -> FeedbackCount:
    value = {1: "thumbs_up", -1: "thumbs_down", 0: "3"}[sentiment]
    return FeedbackCount(feature, "user_satisfaction", "thumbs", value, sentiment, prompt_id, "m", n)


def votes_of(hour: str, sentiment: int, n: int) -> HourCount:
    return HourCount(at(hour), sentiment, n)


def test_without_votes_there_is_no_picture() -> None:
    assert satisfaction_chart([], at("2026-03-01"), None, None) is None


@pytest.mark.parametrize(
    ("first", "unit", "bars"),
    [
        ("2026-03-31T10:00", "hour", 24),
        ("2026-03-29T12:00", "hour", 48),
        ("2026-03-29T01:00", "day", 3),
        ("2026-01-01T00:00", "day", 90),
        ("2025-10-01T00:00", "week", 27),
        ("2023-04-01T00:00", "month", 36),
    ],
)
def test_the_range_picks_the_width_of_a_bar(first: str, unit: str, bars: int) -> None:
    chart = satisfaction_chart([votes_of(first, 1, 1)], at("2026-03-31T11:30"), None, None)
    assert chart is not None
    assert (chart.unit, len(chart.buckets)) == (unit, bars)
    assert sum(bucket.tally.positive for bucket in chart.buckets) == 1


def test_every_vote_is_in_one_bar_and_every_bar_in_the_picture() -> None:
    votes = [votes_of(f"2026-03-{day:02}T{day % 24:02}:00", 1 if day % 3 else -1, day) for day in range(1, 32)]
    chart = satisfaction_chart(votes, at("2026-03-31T23:59"), at("2026-03-01"), at("2026-04-01"))
    assert chart is not None
    assert sum(bucket.tally.total for bucket in chart.buckets) == sum(range(1, 32))
    assert all(bucket.left >= 0 and bucket.left + bucket.width <= 100 for bucket in chart.buckets)
    assert all(bucket.negative_y >= BARS_TOP for bucket in chart.buckets)
    assert len(chart.times) <= 7


def test_bars_stack_and_the_line_is_the_share_of_positive_votes() -> None:
    chart = satisfaction_chart(
        [votes_of("2026-03-31T10:00", 1, 6), votes_of("2026-03-31T10:00", -1, 2), votes_of("2026-03-31T11:00", 0, 5)],
        at("2026-03-31T11:30"),
        None,
        None,
    )
    assert chart is not None
    bucket = next(bucket for bucket in chart.buckets if bucket.label == "31 Mar 2026, 10:00 UTC")
    assert (bucket.positive_height, bucket.negative_height) == (BARS_HEIGHT * 6 / 8, BARS_HEIGHT * 2 / 8)
    assert bucket.negative_y + bucket.negative_height == bucket.positive_y
    assert bucket.line_y == LINE_TOP + LINE_HEIGHT / 4
    assert chart.buckets[-1].line_y is None  # neutral votes take no side
    assert [tick.label for tick in chart.votes] == ["0", "4", "8"]


def test_prompt_versions_come_by_votes() -> None:
    counts = [count(1, 2), count(-1, 3, "sha256:bb")]
    versions = prompt_versions(counts, {"sha256:bb": "Be brief."})
    assert [(it.prompt_id, it.text, it.tally.total) for it in versions] == [
        ("sha256:bb", "Be brief.", 3),
        ("sha256:aa", None, 2),
    ]


def test_votes_on_other_texts_are_among_the_votes_and_not_in_the_satisfaction() -> None:
    view = dashboard(
        {"since": "2026-03-01", "rating": "positive"},
        Filter(),
        counts=[
            count(1, 4),
            count(-1, 8, None),
            replace(count(-1, 2), name="tone"),
        ],
        hours=[votes_of("2026-03-01", 1, 4)],
        texts={},
        page=Page([], None),
        found=14,
        judges=[],
        features=features_of(Values()),
        now=at("2026-03-02"),
        review_limit=100_000,
        origin="http://canopy.test",
    )
    assert (view.votes.total, view.votes.negative) == (14, 10)
    assert (view.tally.total, view.tally.satisfaction) == (4, 1.0)
    assert (view.other_texts.total, view.other_names["tone"].total) == (8, 2)
    assert view.other_texts_href == "/feedback?since=2026-03-01&origin=other#entries"
    assert [version.tally.total for version in view.versions] == [4]
    assert view.chart is not None
    assert sum(bucket.tally.total for bucket in view.chart.buckets) == 4


def test_only_complaints_that_can_become_tests_are_offered_for_export() -> None:
    view = dashboard(
        {"rating": "negative", "prompt_id": "sha256:aa", "q": "it's"},
        Filter(sentiment=-1, prompt_id="sha256:aa", search="it's"),
        counts=[
            count(-1, 4),
            count(-1, 8, feature="summarize_chat"),
            count(-1, 16, "sha256:bb"),
            count(1, 32),
        ],
        hours=[],
        texts={},
        page=Page([], "next-page"),
        found=0,
        judges=[],
        features=features_of(Values()),
        now=at("2026-03-02"),
        review_limit=100_000,
        origin="http://canopy.test",
    )
    assert view.exportable == 4
    assert view.export_href == "/feedback/export?prompt_id=sha256%3Aaa&q=it%27s"
    assert view.older == "/feedback?rating=negative&prompt_id=sha256%3Aaa&q=it%27s&cursor=next-page#entries"
    assert [option.prompt_id for option in view.options] == ["sha256:aa", "sha256:bb"]
    assert [segment.label for segment in view.segments if segment.current] == ["Negative"]


def test_responses_that_were_both_bad_can_be_exported_but_are_no_ratings() -> None:
    both_bad = replace(count(-1, 4), name=AB_PREFERENCE, kind="label", value="both_bad")
    view = dashboard(
        {},
        Filter(),
        counts=[both_bad],
        hours=[],
        texts={},
        page=Page([], None),
        found=4,
        judges=[],
        features=features_of(Values()),
        now=at("2026-03-02"),
        review_limit=100_000,
        origin="http://canopy.test",
    )
    assert (view.exportable, view.empty) == (4, False)
    assert (view.tally, view.chart, view.versions) == (Tally(), None, [])


def test_the_export_is_of_one_feature_and_leads_to_the_others() -> None:
    features = features_of(Values(features={"translate": FeatureValues(prompt="Translate:", title="Translation")}))

    def shown(counts: list[FeedbackCount], feature: str = "") -> Dashboard:
        return dashboard(
            {"feature": feature},
            Filter(feature=feature or None),
            counts=counts,
            hours=[],
            texts={},
            page=Page([], None),
            found=4,
            judges=[],
            features=features,
            now=at("2026-03-02"),
            review_limit=100_000,
            origin="http://canopy.test",
        )

    both = [count(-1, 4), count(-1, 3, feature="translate"), count(-1, 2, feature="translate_chat")]
    view = shown(both)
    assert (view.exportable, view.export_href, view.exported.suite) == (4, "/feedback/export", "Summary")
    assert [(it.label, it.href) for it in view.other_exports] == [
        ("Translation", "/feedback?feature=translate#export-heading")
    ]
    assert [it.name for it in view.features] == ["summarize", "summarize_chat", "translate", "translate_chat"]
    for view in (shown(both[1:]), shown(both[1:], "translate")):
        assert (view.exportable, view.other_exports, view.exported.suite) == (3, [], "translate")
        assert view.export_href == "/feedback/export?feature=translate"
    assert (shown(both[2:], "translate_chat").exportable, shown(both, "gone").features[-1].label) == (0, "Gone")
    features = features_of(Values())
    assert shown(both[:1]).features == []
    after = ["summarize", "summarize_chat", "translate", "translate_chat"]
    assert [it.name for it in shown(both).features] == after
    assert [it.name for it in shown(both[1:2], "translate").features] == after[:3]
    assert [it.name for it in shown(both[:1], "summarize").features] == after[:2]
