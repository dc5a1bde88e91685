"""The selection of feedback that a page shows, as links and fields to change it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from canopy.config.features import Feature
from canopy.feedback.statistics import split_counts
from canopy.judges.agreement import AgreementReport
from canopy.store.feedback.query import FeedbackCount, Filter
from canopy.ui.features import label_of
from canopy.ui.prompt_versions import PromptVersion, prompt_versions


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
    """Offers a feature to filter by."""

    name: str
    label: str


@dataclass(frozen=True, slots=True)
class Selection:
    """Holds what the form of filters needs. `query` has every filter as in the URL, empty if not set."""

    path: str  # of the page that the form asks for
    query: Mapping[str, str]
    filtered: bool
    worst: bool  # the entries are in the order of the worst, which only some filters go with
    segments: Sequence[RatingSegment]
    prompts: Sequence[PromptOption]
    features: Sequence[FeatureOption]  # empty where there is one feature and no votes on another
    judge_labels: Sequence[str]  # empty where no judge has labelled anything

    def href(self, path: str, **changed: str) -> str:
        """Return another page with this selection, some filters of it changed."""
        return address(path, {**self.query, **changed})


def address(path: str, query: Mapping[str, str]) -> str:
    """Return `path` with the parameters that have a value."""
    used = urlencode({name: value for name, value in query.items() if value})
    return f"{path}?{used}" if used else path


def worst_first(query: Mapping[str, str]) -> str:
    """Return the address of the responses that need a reviewer most, narrowed as far as that order can be."""
    narrowed = {name: query[name] for name in ("feature", "prompt_id", "since", "until")}
    return address("/feedback/entries", {**narrowed, "order": "worst"})


def selection(
    path: str,
    filters: Mapping[str, str],
    where: Filter,
    *,
    counts: Sequence[FeedbackCount],
    texts: Mapping[str, str],
    features: Mapping[str, Feature],
    judges: Sequence[AgreementReport],
    worst: bool = False,
) -> Selection:
    """Return the selection of a page. `filters` are all there are, as in the URL, and `where` is what they mean.

    `counts` are those of its days and its feature, of every prompt. With `worst` the page has the order of the worst.
    """
    query = {**filters, "feature": where.feature or ""}
    return Selection(
        path=path,
        query=query,
        filtered=any(query.values()),
        worst=worst,
        segments=_segments(path, query, where, worst=worst),
        prompts=_prompts(prompt_versions(split_counts(counts).own, texts), query["prompt_id"]),
        features=_features(features, counts, where.feature),
        judge_labels=_labels(judges, query["label"]),
    )


def _features(
    features: Mapping[str, Feature], counts: Sequence[FeedbackCount], chosen: str | None
) -> list[FeatureOption]:
    """Return a filter for each mode of each feature, and for each that is gone if it has votes or is chosen."""
    gone = sorted(({it.feature for it in counts} | ({chosen} if chosen else set())) - features.keys())
    if not (gone or chosen) and len({it.flag for it in features.values()}) == 1:
        return []
    return [FeatureOption(name, label_of(name, features)) for name in [*features, *gone]]


def _prompts(versions: Sequence[PromptVersion], chosen: str) -> list[PromptOption]:
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


def _segments(path: str, query: Mapping[str, str], where: Filter, *, worst: bool) -> list[RatingSegment]:
    def segment(label: str, icon: str | None, rating: str, current: bool) -> RatingSegment:
        return RatingSegment(label, icon, address(path, {**query, "rating": rating}) + "#entries", current)

    segments = [
        segment("All", None, "", not (worst or query["rating"])),
        segment("Positive", "up", "positive", where.sentiment == 1),
        segment("Negative", "down", "negative", where.sentiment == -1),
        RatingSegment("Worst first", None, worst_first(query), worst),
    ]
    if query["rating"] and where.sentiment not in (1, -1):  # a URL edited by hand
        segments.append(segment(query["rating"], None, query["rating"], True))
    return segments
