"""The selection of feedback that a page shows, as links and fields to change it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from canopy.base.ratings import SCORE, in_words
from canopy.config.features import Feature
from canopy.feedback.statistics import split_counts
from canopy.judges.agreement import AgreementReport
from canopy.store.feedback.query import FeedbackCount, Filter, Sources
from canopy.ui.features import label_of
from canopy.ui.filter_links import COUNTED, FILTER_WORDS, FilterLink, address, chosen_filters, presets
from canopy.ui.prompt_versions import PromptVersion, prompt_versions
from canopy.ui.sections import worst_first

_SOURCES = {"human": "People's votes", "judge": "Judges' labels", "any": "Both"}
_SCORES = ("5", "4", "3", "2", "1", "4-5", "1-2")


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
class FilterOption:
    """Offers a value of a filter: a feature, a score, a reason."""

    name: str
    label: str


@dataclass(frozen=True, slots=True)
class Selection:
    """Holds what the form of filters needs. `query` has every filter as in the URL, empty if not set."""

    path: str  # of the page that the form asks for
    query: Mapping[str, str]
    filtered: bool
    segments: Sequence[RatingSegment]
    prompts: Sequence[PromptOption]
    features: Sequence[FilterOption]  # empty where there is one feature and no votes on another
    models: Sequence[str]  # empty where there is one
    scores: Sequence[FilterOption]  # empty where nobody gave one
    reasons: Sequence[FilterOption]
    sources: Mapping[
        str, str
    ]  # whose verdicts, in words, by the parameter's value; an empty one is what is meant anyhow
    judge_labels: Sequence[str]  # empty where no judge has labelled anything
    presets: Sequence[FilterLink]  # days to choose at a press
    chosen: Sequence[FilterLink]  # each filter that is set, with the page without it
    uncounted: Sequence[str]  # what is set and doesn't narrow totals, in words

    def href(self, path: str, **changed: str) -> str:
        """Return another page with this selection, some filters of it changed."""
        return address(path, {**self.query, **changed})


def selection(
    path: str,
    filters: Mapping[str, str],
    where: Filter,
    *,
    counts: Sequence[FeedbackCount],
    texts: Mapping[str, str],
    features: Mapping[str, Feature],
    judges: Sequence[AgreementReport],
    reasons: Sequence[str],
    now: int,
    unset_source: Sources = "human",
) -> Selection:
    """Return the selection of a page. `filters` are all there are, as in the URL, and `where` is what they mean.

    `counts` are those of its days and its feature, of every prompt; `reasons` are those that votes may give; `now` is
    in microseconds; `unset_source` is whose verdicts are meant where the query says nothing.
    """
    query = {**filters, "feature": where.feature or ""}
    set_ones = [name for name, value in query.items() if value]
    return Selection(
        path=path,
        query=query,
        filtered=any(query.values()),
        segments=_segments(path, query, where),
        prompts=_prompts(prompt_versions(split_counts(counts).own, texts), query["prompt_id"]),
        features=_features(features, counts, where.feature),
        models=_models(counts, query["model"]),
        scores=_scores(counts, query["score"]),
        reasons=[FilterOption(it, in_words(it)) for it in _with(reasons, query["reason"])],
        sources=_sources(unset_source),
        judge_labels=_labels(judges, query["label"]),
        presets=presets(path, query, now),
        chosen=chosen_filters(path, query, lambda name: label_of(name, features), rating=path == "/feedback/dataset"),
        uncounted=[FILTER_WORDS[name].lower() for name in set_ones if name not in COUNTED],
    )


def _with(values: Iterable[str], chosen: str) -> list[str]:
    """Return the values once each, and the chosen one though it be a former one or edited by hand."""
    return list(dict.fromkeys([*values, *([chosen] if chosen else [])]))


def _sources(unset: Sources) -> dict[str, str]:
    return {"" if source == unset else source: words for source, words in _SOURCES.items()}


def _models(counts: Sequence[FeedbackCount], chosen: str) -> list[str]:
    models = _with(sorted({it.model for it in counts if it.model}), chosen)
    return models if chosen or len(models) > 1 else []


def _scores(counts: Sequence[FeedbackCount], chosen: str) -> list[FilterOption]:
    if not (chosen or any(it.kind == SCORE for it in counts)):
        return []
    return [FilterOption(it, it.replace("-", " to ")) for it in _with(_SCORES, chosen)]


def _features(
    features: Mapping[str, Feature], counts: Sequence[FeedbackCount], chosen: str | None
) -> list[FilterOption]:
    """Return a filter for each mode of each feature, and for each that is gone if it has votes or is chosen."""
    gone = sorted(({it.feature for it in counts} | ({chosen} if chosen else set())) - features.keys())
    if not (gone or chosen) and len({it.flag for it in features.values()}) == 1:
        return []
    return [FilterOption(name, label_of(name, features)) for name in [*features, *gone]]


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
    return _with((row.label for row in rows), chosen)


def _segments(path: str, query: Mapping[str, str], where: Filter) -> list[RatingSegment]:
    def segment(label: str, icon: str | None, rating: str, current: bool) -> RatingSegment:
        return RatingSegment(label, icon, address(path, {**query, "rating": rating}) + "#entries", current)

    segments = [
        segment("All", None, "", not query["rating"]),
        segment("Positive", "up", "positive", where.sentiment == 1),
        segment("Negative", "down", "negative", where.sentiment == -1),
        RatingSegment("Worst first", None, worst_first(query), False),
    ]
    if query["rating"] and where.sentiment not in (1, -1):  # a URL edited by hand
        segments.append(segment(query["rating"], None, query["rating"], True))
    return segments
