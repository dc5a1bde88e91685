"""View model of the export: which feature's bad answers become tests, and how to get the file."""

import shlex
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from canopy.config.features import BUILT_IN, Feature
from canopy.feedback import dataset
from canopy.store.feedback.query import FeedbackCount
from canopy.ui.features import FeatureWords, words_of
from canopy.ui.selection import address

_COUNTED = ("feature", "prompt_id", "since", "until")  # what the number of negative votes is narrowed by


class OtherExport(NamedTuple):
    """Links to the export of another feature."""

    label: str
    href: str


@dataclass(frozen=True, slots=True)
class ExportView:
    """Holds what the export's template needs."""

    words: FeatureWords  # of the feature whose export it is
    negative: int  # votes
    narrowed: bool  # by more than the feature
    counted: bool  # whether `negative` is of the whole selection: other filters narrow the file alone
    others: Sequence[OtherExport]  # features with negative votes whose export this isn't
    href: str
    file: str  # its name where it is saved
    review_href: str
    review_limit: int  # characters
    curl: str


def export_view(
    path: str,
    query: Mapping[str, str],
    *,
    counts: Sequence[FeedbackCount],
    features: Mapping[str, Feature],
    origin: str,
    review_limit: int,
    reviewed: Iterable[str],
) -> ExportView:
    """Return the view of the export of a selection, offered on the page at `path`.

    `counts` are those of the selection; `origin` is the server's own address; `reviewed` are the
    filters that the review takes.
    """
    exports, negative = _exports(features, counts, query)
    export = exports[0]
    exported = {**query, "rating": ""}
    if export.name != BUILT_IN:
        exported["feature"] = export.name
    href, file = address("/feedback/export", exported), dataset.file_name(export)
    return ExportView(
        words=words_of(export),
        negative=negative[export.name],
        narrowed=any(query.values()),
        counted=not any(value for name, value in exported.items() if name not in _COUNTED),
        others=[
            OtherExport(it.title, address(path, {**query, "feature": it.name}) + "#export-heading")
            for it in exports[1:]
        ],
        href=href,
        file=file,
        review_href=address("/feedback/review", {name: exported[name] for name in reviewed}),
        review_limit=review_limit,
        curl=f"curl -s {shlex.quote(origin + href)} -o {shlex.quote(file)}",
    )


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
