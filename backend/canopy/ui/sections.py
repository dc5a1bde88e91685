"""The pages about feedback as links, which take what is chosen along."""

from collections.abc import Mapping
from typing import NamedTuple

from canopy.base.ratings import KINDS, parse_rating_filter
from canopy.ui.filter_links import address

_PAGES = (
    ("overview", "/feedback", "Overview"),
    ("entries", "/feedback/entries", "Entries"),
    ("review", "/feedback/review", "Review"),
    ("experiments", "/experiments", "Experiments"),
    ("dataset", "/feedback/dataset", "Export"),
    ("status", "/status", "Status"),
)
_OF_EVERYTHING = ("experiments", "status")  # take no filter
_NOT_BAD = {value for kind in KINDS.values() for value, sentiment in kind.sentiments.items() if sentiment >= 0}


class SectionLink(NamedTuple):
    """Links to one of the pages."""

    name: str
    href: str
    label: str


def section_links(query: Mapping[str, str]) -> list[SectionLink]:
    """Return all pages, each with the filters in `query` if it takes them."""
    links = {path: address(path, query) for _, path, _ in _PAGES} | {"/feedback/review": worst_first(query)}
    return [SectionLink(name, path if name in _OF_EVERYTHING else links[path], label) for name, path, label in _PAGES]


def section_at(path: str) -> str:
    """Return the name of the page at the path; empty if it is none of them."""
    return next((name for name, address, _ in _PAGES if address == path), "")


def worst_first(query: Mapping[str, str]) -> str:
    """Return the address of the texts that need a reviewer most, with the same selection.

    Only bad verdicts make such a text. A rating that isn't one would leave none, and `negative` says nothing more.
    """
    rating = query.get("rating", "")
    value, _ = parse_rating_filter(rating) if rating else (None, None)
    return address("/feedback/review", {**query, "rating": "" if value is None or value in _NOT_BAD else rating})
