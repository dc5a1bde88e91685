"""The words on a feature's page, and links to it."""

from dataclasses import dataclass
from typing import NamedTuple

from canopy.config.features import BUILT_IN, Feature


@dataclass(frozen=True, slots=True)
class FeatureWords:
    """Holds the words on a feature's page and in links to it.

    `lead` is the text before and after the model's name; `noun` names an answer, and `suite` the folder of the
    feature's evaluation suite.
    """

    heading: str
    lead: tuple[str, str]
    label: str
    action: str
    shortcut: str
    noun: str
    suite: str


class PageLink(NamedTuple):
    """Leads to a feature's page, by the page's heading and path."""

    heading: str
    href: str


_BUILT_IN = FeatureWords(
    heading="Summarize a text",
    lead=("Paste something long.", "makes it short, and you say how well it did."),
    label="Text to summarize",
    action="Summarize",
    shortcut="summarizes",
    noun="summary",
    suite="Summary",
)


def words_of(feature: Feature) -> FeatureWords:
    """Return the words for a feature: the built-in one has its own, all others share theirs."""
    if feature.flag == BUILT_IN:
        return _BUILT_IN
    return FeatureWords(
        heading=feature.title,
        lead=("Paste a text.", "answers, and you say how well it did."),
        label="Text",
        action="Send",
        shortcut="sends it",
        noun="answer",
        suite=feature.flag,
    )


BUILT_IN_PAGE = PageLink(_BUILT_IN.heading, "/")


def page_of(feature: Feature) -> str:
    """Return the path of a feature's page."""
    return "/" if feature.flag == BUILT_IN else f"/{feature.flag}"
