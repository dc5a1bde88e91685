"""View model of the export: which feature's bad answers become tests, and how to get the file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from canopy.config.features import BUILT_IN, Feature
from canopy.feedback import dataset
from canopy.store.reviews.review import ReviewCounts
from canopy.ui.downloads import curl_command
from canopy.ui.features import FeatureWords, words_of
from canopy.ui.filter_links import address


class OtherExport(NamedTuple):
    """Links to the export of another feature."""

    label: str
    href: str


@dataclass(frozen=True, slots=True)
class ExportView:
    """Holds what the export's template needs."""

    words: FeatureWords  # of the feature whose export it is
    texts: ReviewCounts | None  # of the selection; None: nobody counted
    narrowed: bool  # by more than the feature
    by_rating: bool  # is chosen, which narrows no tests
    others: Sequence[OtherExport]  # features with bad answers whose export this isn't
    href: str
    file: str  # its name where it is saved
    review_href: str
    curl: str

    @property
    def offered(self) -> bool:
        """Return whether there is something to export, as far as anybody knows."""
        return self.texts is None or self.texts.tests > 0


def offered_exports(features: Mapping[str, Feature], texts: Mapping[str, ReviewCounts], chosen: str) -> list[Feature]:
    """Return the features whose texts can become tests, the one to offer first; `texts` are those of each feature."""
    exported = [it for it in features.values() if it.exported]
    found = [it for it in exported if it.name in texts and texts[it.name].tests]
    return [it for it in exported if it.name == chosen] or found or [features[BUILT_IN]]


def export_view(
    path: str,
    query: Mapping[str, str],
    *,
    exports: Sequence[Feature],
    texts: ReviewCounts | None,
    origin: str,
    mode: str,
) -> ExportView:
    """Return the view of the export of a selection, offered on the page at `path`.

    `exports` are what can be offered, `texts` counts the selection of the first; `origin` is the server's own
    address, and `mode` how it knows who asks.
    """
    export = exports[0]
    exported = {**query, "rating": "", "feature": "" if export.name == BUILT_IN else export.name}
    href, file = address("/feedback/export", exported), dataset.file_name(export)
    return ExportView(
        words=words_of(export),
        texts=texts,
        narrowed=any(value for name, value in exported.items() if name != "feature"),
        by_rating=bool(query["rating"]),
        others=[
            OtherExport(it.title, address(path, {**query, "feature": it.name}) + "#export-heading")
            for it in exports[1:]
        ],
        href=href,
        file=file,
        review_href=address("/feedback/review", exported),
        curl=curl_command(origin + href, file, mode),
    )
