"""The arithmetic behind the pages about feedback."""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import cast
from urllib.parse import parse_qsl, urlsplit

import pytest

from canopy.api.filters import EntriesQuery, FeedbackQuery, PageQuery, TextQuery, filters_of
from canopy.base.clock import microseconds
from canopy.config.feature_values import FeatureValues
from canopy.config.features import Feature, features_of
from canopy.config.values import Values
from canopy.feedback.statistics import Tally
from canopy.store.feedback.query import Feedback, FeedbackCount, Filter, HourCount, MatchCount, Page, ProducerCount
from canopy.store.reviews.review import ReviewCounts
from canopy.store.vocabulary import AB_PREFERENCE
from canopy.ui.entries import Trail, entries_view
from canopy.ui.export import ExportView, export_view, offered_exports
from canopy.ui.feedback_overview import Activity, overview, selected
from canopy.ui.filter_links import chosen_filters
from canopy.ui.prompt_versions import prompt_versions
from canopy.ui.rendering import Renderer
from canopy.ui.satisfaction_chart import BARS_HEIGHT, BARS_TOP, LINE_HEIGHT, LINE_TOP, satisfaction_chart
from canopy.ui.sections import section_links, worst_first
from canopy.ui.selection import RatingSegment, Selection, selection

BUILT_IN_ALONE = features_of(Values())


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


def chosen(
    params: dict[str, str], where: Filter, counts: list[FeedbackCount], features: Mapping[str, Feature] = BUILT_IN_ALONE
) -> Selection:
    query = PageQuery.model_validate(params)
    return selection(
        "/feedback",
        filters_of(query),
        where,
        counts=counts,
        texts={},
        features=features,
        judges=[],
        reasons=["too_long", "off_topic"],
        now=at("2026-03-31T11:30"),
    )


def exported(
    params: dict[str, str], texts: Mapping[str, int], features: Mapping[str, Feature] = BUILT_IN_ALONE
) -> ExportView:
    counts = {name: ReviewCounts(n, 0, 0, 0) for name, n in texts.items()}
    exports = offered_exports(features, counts, params.get("feature", ""))
    return export_view(
        "/feedback",
        filters_of(PageQuery.model_validate(params)),
        exports=exports,
        texts=counts.get(exports[0].name, ReviewCounts(0, 0, 0, 0)),
        origin="http://canopy.test",
        mode="open",
    )


def test_votes_on_other_texts_are_among_the_votes_and_not_in_the_satisfaction() -> None:
    counts = [count(1, 4), count(-1, 8, None), replace(count(-1, 2), name="tone")]
    view = overview(
        chosen({"since": "2026-03-01", "rating": "positive"}, Filter(), counts),
        Filter(),
        counts=counts,
        activity=Activity([ProducerCount(at("2026-03-01"), "summarize", "sha256:aa", "llama32", 1, 4)], [], [], 0),
        now=at("2026-03-02"),
    )
    assert (view.votes.total, view.votes.negative) == (14, 10)
    assert (view.tally.total, view.tally.satisfaction) == (4, 1.0)
    assert (view.other_texts.total, view.other_names["tone"].total) == (8, 2)
    assert view.other_texts_href == "/feedback/entries?since=2026-03-01&origin=other"
    assert view.chart is not None
    assert sum(bucket.tally.total for bucket in view.chart.buckets) == 4


def number_of_tests(export: ExportView) -> int:
    assert export.texts is not None
    return export.texts.tests


def test_only_complaints_that_can_become_tests_are_offered_for_export() -> None:
    params = {"rating": "negative", "prompt_id": "sha256:aa", "q": "it's"}
    where = Filter(sentiment=-1, prompt_id="sha256:aa", search="it's")
    counts = [count(-1, 4), count(-1, 8, feature="summarize_chat"), count(-1, 16, "sha256:bb"), count(1, 32)]
    export = exported(params, {"summarize": 4, "summarize_chat": 8})
    assert (number_of_tests(export), export.href) == (4, "/feedback/export?prompt_id=sha256%3Aaa&q=it%27s")
    it = chosen(params, where, counts)
    listed = entries_view(it, Page([], "next-page"), MatchCount(0, whole=True), 13, cursor="", trail=Trail())
    address = "/feedback/entries?rating=negative&prompt_id=sha256%3Aaa&q=it%27s&cursor=next-page#entries"
    assert (listed.newest, listed.older) == (None, address)
    assert [option.prompt_id for option in it.prompts] == ["sha256:aa", "sha256:bb"]
    assert [segment.label for segment in it.segments if segment.current] == ["Negative"]


def test_responses_that_were_both_bad_are_no_ratings() -> None:
    counts = [replace(count(-1, 4), name=AB_PREFERENCE, kind="label", value="both_bad")]
    view = overview(
        chosen({}, Filter(), counts), Filter(), counts=counts, activity=Activity([], [], [], 0), now=at("2026-03-02")
    )
    assert (view.tally, view.chart) == (Tally(), None)


def test_the_export_is_of_one_feature_and_leads_to_the_others() -> None:
    features = features_of(Values(features={"translate": FeatureValues(prompt="Translate:", title="Translation")}))

    def export(texts: Mapping[str, int], feature: str = "") -> ExportView:
        return exported({"feature": feature}, texts, features)

    both = {"summarize": 4, "translate": 3}
    view = export(both)
    assert (number_of_tests(view), view.href, view.words.suite) == (4, "/feedback/export", "Summary")
    assert view.others == [("Translation", "/feedback?feature=translate#export-heading")]
    for view in (export({"translate": 3}), export(both, "translate")):
        assert (number_of_tests(view), view.others, view.words.suite) == (3, [], "translate")
        assert view.href == "/feedback/export?feature=translate"
    of_no_tests = export({"translate_chat": 2}, "translate_chat")
    assert (of_no_tests.offered, of_no_tests.href) == (False, "/feedback/export")


def test_a_feature_can_be_chosen_where_there_are_several_or_were() -> None:
    features = features_of(Values(features={"translate": FeatureValues(prompt="Translate:", title="Translation")}))
    both = [count(-1, 4), count(-1, 3, feature="translate"), count(-1, 2, feature="translate_chat")]

    def offered(counts: list[FeedbackCount], feature: str = "", known: Mapping[str, Feature] = features) -> list[str]:
        return [it.name for it in chosen({}, Filter(feature=feature or None), counts, known).features]

    after = ["summarize", "summarize_chat", "translate", "translate_chat"]
    assert offered(both) == after
    assert offered(both, "gone") == [*after, "gone"]
    assert offered(both[:1], known=BUILT_IN_ALONE) == []
    assert offered(both, known=BUILT_IN_ALONE) == after
    assert offered(both[1:2], "translate", BUILT_IN_ALONE) == after[:3]
    assert offered(both[:1], "summarize", BUILT_IN_ALONE) == after[:2]


EVERY_FILTER = {
    "rating": "negative",
    "score": "1-2",
    "feature": "summarize",
    "prompt_id": "sha256:aa",
    "model": "m",
    "since": "2026-03-01",
    "until": "2026-03-31",
    "q": "it",
    "source": "any",
    "origin": "own",
    "label": "poor",
    "reason": "too_long",
    "comment": "with",
}


def test_every_filter_stays_on_the_way_to_other_pages_and_to_the_file() -> None:
    assert EVERY_FILTER.keys() == FeedbackQuery.model_fields.keys()
    where, counts = Filter(feature="summarize", sentiment=-1), [count(-1, 4)]

    def carried(href: str) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(href).query))

    it = chosen(EVERY_FILTER, where, counts)
    older = entries_view(it, Page([], "next-page"), MatchCount(0, whole=True), 13, cursor="here", trail=Trail()).older
    assert older is not None
    assert carried(older) == {**EVERY_FILTER, "cursor": "next-page", "back": "0:here"}
    assert carried(it.segments[1].href) == {**EVERY_FILTER, "rating": "positive"}
    fields = re.findall(r'<(?:input|select)[^>]* name="(\w+)"', Renderer().page("_filters.html", {"selection": it}))
    assert sorted(fields) == sorted(EVERY_FILTER)
    unrated = {name: value for name, value in EVERY_FILTER.items() if name != "rating"}
    del unrated["feature"]  # the export's own without a name
    export = exported(EVERY_FILTER, {"summarize": 4})
    assert carried(export.href) == carried(export.review_href) == unrated
    for source, query in (("human", PageQuery), ("any", TextQuery)):  # what is meant anyhow isn't said
        assert filters_of(query(source=source))["source"] == filters_of(query(source=""))["source"] == ""
        assert filters_of(query(source="judge"))["source"] == "judge"


def test_the_pages_take_what_is_chosen_along() -> None:
    links = {it.name: it.href for it in section_links({"rating": "negative", "q": "it", "since": ""})}
    assert links == {
        "overview": "/feedback?rating=negative&q=it",
        "entries": "/feedback/entries?rating=negative&q=it",
        "review": "/feedback/review?q=it",  # where all is negative
        "experiments": "/experiments",
        "dataset": "/feedback/dataset?rating=negative&q=it",
        "status": "/status",
    }
    assert worst_first({"rating": "thumbs_up"}) == worst_first({}) == "/feedback/review"
    assert worst_first({"rating": "1"}) == "/feedback/review?rating=1"


def test_entries_say_which_they_are_and_lead_both_ways() -> None:
    it = chosen({"q": "it"}, Filter(search="it"), [])
    cursors = ["", *(f"c{page}" for page in range(2, 40))]
    some = Page([cast("Feedback", None)] * 25, "c2")
    view = entries_view(it, some, None, 40 * 25, cursor="", trail=Trail())
    assert (view.range, view.newest, view.newer) == ("1\u201325", None, None)
    for page in range(2, 40):  # each asked for by the link of the one before
        assert view.older is not None
        asked = dict(parse_qsl(urlsplit(view.older).query))
        PageQuery.model_validate({"cursor": asked["cursor"]})
        EntriesQuery.model_validate(asked)
        trail = Trail.of(int(asked["seen"]), asked.get("back", ""))
        view = entries_view(it, replace(some, next=f"c{page + 1}"), None, 40 * 25, cursor=asked["cursor"], trail=trail)
        assert (asked["q"], asked["cursor"], view.first) == ("it", cursors[page - 1], (page - 1) * 25 + 1)
        assert view.newer is not None
        back = dict(parse_qsl(urlsplit(view.newer).query))
        assert (back.get("cursor", ""), int(back.get("seen", "0"))) == (cursors[page - 2], (page - 2) * 25)
    assert view.newest == "/feedback/entries?q=it#entries"
    for way in range(14):  # back again, as far as the way is known
        assert view.newer is not None, way
        asked = dict(parse_qsl(urlsplit(view.newer).query))
        trail = Trail.of(int(asked["seen"]), asked.get("back", ""))
        view = entries_view(it, some, None, 40 * 25, cursor=asked["cursor"], trail=trail)
    last = entries_view(it, some, None, 40 * 25, cursor="c9", trail=Trail(200))
    assert (last.range, last.newer, last.newest) == ("201\u2013225", None, view.newest)
    former = entries_view(it, some, None, 40 * 25, cursor="c9", trail=Trail())  # a link without a way
    assert (former.range, former.newer, former.newest) == ("", None, view.newest)


def test_each_filter_that_is_set_is_named_with_the_way_out() -> None:
    it = chosen(EVERY_FILTER, Filter(feature="summarize", sentiment=-1), [])
    assert [link.label for link in it.chosen] == [
        "Score: 1 to 2",
        "Feature: Summarization",
        "Prompt version: aa",
        "Model: m",
        "From: 2026-03-01",
        "To: 2026-03-31",
        "Search: it",
        "Verdicts: people's votes and judges' labels",
        "On: Canopy's responses",
        "Labelled by a judge: Poor",
        "Reason: Too long",
        "Comment: With",
    ]
    for link, name in zip(it.chosen, list(EVERY_FILTER)[1:], strict=True):
        left = {other: value for other, value in EVERY_FILTER.items() if other != name}
        assert dict(parse_qsl(urlsplit(link.href).query)) == left
    counted = {"feature", "prompt_id", "model", "since", "until"}
    with_rating = chosen_filters("/", {"rating": "thumbs_down"}, str, rating=True)
    assert [(link.label, link.href) for link in with_rating] == [("Rating: Not helpful", "/")]
    assert len(it.uncounted) == len(EVERY_FILTER) - len(counted)
    assert chosen({name: EVERY_FILTER[name] for name in counted}, Filter(feature="summarize"), []).uncounted == []


def test_days_are_a_press_away_and_keep_the_other_filters() -> None:
    it = chosen({"since": "2026-03-25", "q": "it"}, Filter(), [])
    assert [(link.label, link.href, link.current) for link in it.presets] == [
        ("Today", "/feedback?since=2026-03-31&q=it", False),
        ("7 days", "/feedback?since=2026-03-25&q=it", True),
        ("30 days", "/feedback?since=2026-03-02&q=it", False),
        ("All days", "/feedback?q=it", False),
    ]


def test_only_filters_that_can_narrow_something_are_offered() -> None:
    scored = replace(count(-1, 1), kind="score", value="2", model="other")
    few, more = chosen({}, Filter(), [count(1, 1)]), chosen({"reason": "former"}, Filter(), [count(1, 1), scored])
    assert (few.models, few.scores, [it.name for it in few.reasons]) == ([], [], ["too_long", "off_topic"])
    assert (more.models, more.scores[-1].label) == (["m", "other"], "1 to 2")
    assert [it.name for it in more.reasons] == ["too_long", "off_topic", "former"]


def test_totals_are_of_the_chosen_prompt_and_model() -> None:
    counts = [count(1, 1), replace(count(1, 2), model="other"), count(1, 4, "sha256:bb")]
    assert sum(it.n for it in selected(counts, Filter(prompt_id="sha256:aa", model="m"))) == 1


def test_the_worst_are_a_link_away_with_the_same_selection() -> None:
    params = {"feature": "summarize", "since": "2026-03-01", "q": "it", "rating": "5"}
    it = chosen(params, Filter(feature="summarize"), [])
    address = "/feedback/review?feature=summarize&since=2026-03-01&q=it"
    assert it.segments[3] == RatingSegment("Worst first", None, address, False)
