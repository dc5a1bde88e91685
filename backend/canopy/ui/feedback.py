"""View models of the feedback page."""

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from canopy.config.features import BUILT_IN, Feature
from canopy.feedback import dataset
from canopy.feedback.statistics import Tally, split_counts, tallies_by, tally_of
from canopy.judges.agreement import AgreementReport
from canopy.store.feedback.query import Feedback, FeedbackCount, Filter, HourCount, Page
from canopy.ui.features import FeatureWords, label_of, words_of
from canopy.ui.prompt_versions import PromptVersion, prompt_versions
from canopy.ui.satisfaction_chart import Chart, satisfaction_chart

QUERY = ("rating", "feature", "prompt_id", "since", "until", "q", "source", "origin", "label", "order")
_VERSIONS = 20


@dataclass(frozen=True, slots=True)
class RatingSegment:
    """Links to the page with one choice of the filter by rating."""

    label: str
    icon: str | None
    href: str
    current: bool


@dataclass(frozen=True, slots=True)
class PromptOption:
    """Offers a prompt version to filter by."""

    prompt_id: str
    label: str


@dataclass(frozen=True, slots=True)
class FeatureOption:
    """Offers a feature: to filter by, or as a link (`href`) to its export."""

    name: str
    label: str
    href: str


@dataclass(frozen=True, slots=True)
class Dashboard:
    """Holds what the template of the feedback page needs. `query` has the filters as in the URL, empty if not set."""

    query: Mapping[str, str]
    filtered: bool
    empty: bool  # there is no feedback in the store
    votes: Tally  # all votes on the listed responses
    tally: Tally  # satisfaction with Canopy's own responses, as the chart and the versions show it
    other_texts: Tally
    other_texts_href: str
    other_names: Mapping[str, Tally]
    chart: Chart | None
    versions: Sequence[PromptVersion]
    hidden_versions: int
    options: Sequence[PromptOption]
    segments: Sequence[RatingSegment]
    entries: Sequence[Feedback]
    found: int | None  # None if not counted
    worst: bool  # the entries are in the order of the worst
    judges: Sequence[AgreementReport]
    judge_labels: Sequence[str]  # to filter by
    newest: str | None
    older: str | None
    searched_to: int | None  # where the search stopped; `older` continues it
    features: Sequence[FeatureOption]  # to filter by; empty where there is one feature and no votes on another
    exported: FeatureWords  # of the feature whose export the page offers
    exportable: int
    other_exports: Sequence[FeatureOption]  # features with negative votes whose export it doesn't
    export_href: str
    export_file: str  # its name where it is saved
    review_href: str
    review_limit: int  # characters
    curl: str


def shown_prompts(counts: Sequence[FeedbackCount]) -> list[str]:
    """Return the ids of the prompts whose texts the page needs."""
    ids = (version.prompt_id for version in prompt_versions(split_counts(counts).own, {})[:_VERSIONS])
    return list(dict.fromkeys(prompt_id for prompt_id in ids if prompt_id))


def dashboard(
    params: Mapping[str, str],
    where: Filter,
    *,
    counts: Sequence[FeedbackCount],
    hours: Sequence[HourCount],
    texts: Mapping[str, str],
    page: Page,
    found: int | None,
    judges: Sequence[AgreementReport],
    features: Mapping[str, Feature],
    now: int,
    origin: str,
    review_limit: int,
) -> Dashboard:
    """Return the view model of the feedback page.

    `counts` are those of the days and the feature in `where`, of every prompt, and `hours` those of its prompt that are
    `own`; `origin` is the server's own address.
    """
    query = {name: params.get(name, "").strip() for name in QUERY} | {"feature": where.feature or ""}
    filtered = any(value for name, value in query.items() if name != "order")
    worst = query["order"] == "worst"
    selected = [count for count in counts if where.prompt_id in (None, count.prompt_id)]
    ratings = split_counts(selected)
    versions = prompt_versions(split_counts(counts).own, texts)
    exports, negative = _exports(features, selected, query)
    export = exports[0]
    exported = {**query, "rating": "", "label": "", "order": ""}
    if export.name != BUILT_IN:
        exported["feature"] = export.name
    narrowed = {name: query[name] for name in ("feature", "since", "until")}
    export_href, export_file = address("/feedback/export", exported), dataset.file_name(export)
    labelled = [report for report in judges if report.given]
    return Dashboard(
        query=query,
        filtered=filtered,
        empty=not (filtered or worst or counts or page.feedback or labelled),
        votes=tally_of([*ratings.own, *ratings.other_texts, *ratings.other_names]),
        tally=tally_of(ratings.own),
        other_texts=tally_of(ratings.other_texts),
        other_texts_href=address("/feedback", {**narrowed, "origin": "other"}) + "#entries",
        other_names=tallies_by(ratings.other_names, lambda it: it.name),
        chart=satisfaction_chart(hours, now, where.since, where.until),
        versions=versions[:_VERSIONS],
        hidden_versions=len(versions[_VERSIONS:]),
        options=_options(versions, query["prompt_id"]),
        segments=_segments(query, where),
        entries=page.feedback,
        found=found,
        worst=worst,
        judges=labelled,
        judge_labels=_labels(judges, query["label"]),
        newest=address("/feedback", query) + "#entries" if params.get("cursor") else None,
        older=address("/feedback", {**query, "cursor": page.next}) + "#entries" if page.next else None,
        searched_to=page.searched_to,
        features=_feature_options(features, counts, where.feature),
        exported=words_of(export),
        exportable=negative[export.name],
        other_exports=[
            FeatureOption(it.name, it.title, address("/feedback", {**query, "feature": it.name}) + "#export-heading")
            for it in exports[1:]
        ],
        export_href=export_href,
        export_file=export_file,
        review_href=address("/feedback/review", {**exported, "source": "", "q": ""}),
        review_limit=review_limit,
        curl=f"curl -s {shlex.quote(origin + export_href)} -o {shlex.quote(export_file)}",
    )


def address(path: str, query: Mapping[str, str]) -> str:
    """Return `path` with the parameters that have a value."""
    used = urlencode({name: value for name, value in query.items() if value})
    return f"{path}?{used}" if used else path


def _exports(
    features: Mapping[str, Feature], counts: Sequence[FeedbackCount], query: Mapping[str, str]
) -> tuple[list[Feature], Counter[str]]:
    """Return the features whose negative votes can become tests, the one on the page first, and the votes of each."""
    negative: Counter[str] = Counter()
    for count in counts:
        if count.sentiment < 0 and count.feature in features and features[count.feature].exported:
            negative[count.feature] += count.n
    found = [it for it in features.values() if negative[it.name] and query["feature"] in ("", it.name)]
    return found or [features[BUILT_IN]], negative


def _feature_options(
    features: Mapping[str, Feature], counts: Sequence[FeedbackCount], chosen: str | None
) -> list[FeatureOption]:
    """Return a filter for each mode of each feature, and for each that is gone if it has votes or is chosen."""
    gone = sorted(({it.feature for it in counts} | ({chosen} if chosen else set())) - features.keys())
    if not (gone or chosen) and len({it.flag for it in features.values()}) == 1:
        return []
    return [FeatureOption(name, label_of(name, features), "") for name in [*features, *gone]]


def _options(versions: Sequence[PromptVersion], chosen: str) -> list[PromptOption]:
    labels: dict[str, str] = {}
    for version in versions:
        if version.prompt_id:
            start = " ".join((version.text or "").split())[:60]
            labels.setdefault(version.prompt_id, f"{version.prompt_id.rpartition(':')[2][:8]}  {start}".strip())
    if chosen:
        labels.setdefault(chosen, chosen)
    return [PromptOption(prompt_id, label) for prompt_id, label in labels.items()]


def _labels(judges: Sequence[AgreementReport], chosen: str) -> list[str]:
    """Return the labels of all judges, negative ones first, and the chosen one."""
    rows = sorted((row for report in judges for row in report.rows), key=lambda row: row.sentiment)
    return list(dict.fromkeys([row.label for row in rows] + ([chosen] if chosen else [])))


def _segments(query: Mapping[str, str], where: Filter) -> list[RatingSegment]:
    def segment(label: str, icon: str | None, rating: str, current: bool) -> RatingSegment:
        return RatingSegment(
            label, icon, address("/feedback", {**query, "rating": rating, "order": ""}) + "#entries", current
        )

    worst = query["order"] == "worst"
    narrowed = {name: query[name] for name in ("feature", "prompt_id", "since", "until")}
    segments = [
        segment("All", None, "", not (worst or query["rating"])),
        segment("Positive", "up", "positive", where.sentiment == 1),
        segment("Negative", "down", "negative", where.sentiment == -1),
        RatingSegment("Worst first", None, address("/feedback", {**narrowed, "order": "worst"}) + "#entries", worst),
    ]
    if query["rating"] and where.sentiment not in (1, -1):  # a URL edited by hand
        segments.append(segment(query["rating"], None, query["rating"], True))
    return segments
