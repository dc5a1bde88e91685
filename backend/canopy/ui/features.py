"""What the page of a feature says."""

from dataclasses import dataclass
from typing import NamedTuple

from canopy.config.features import BUILT_IN, Feature


@dataclass(frozen=True, slots=True)
class FeatureWords:
    """The words of a feature's page, and of whatever leads to it.

    `lead` stand before and after the model's name; `noun` is what an answer is called, `suite` the folder where its
    evaluation suite is kept.
    """

    heading: str
    lead: tuple[str, str]
    label: str
    action: str
    shortcut: str
    noun: str
    suite: str


class PageLink(NamedTuple):
    """Leads to a feature's page: what one does there, and its address."""

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
    """The words for a feature: the built-in one's own, and for others what is true of any."""
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
    """The address of its page."""
    return "/" if feature.flag == BUILT_IN else f"/{feature.flag}"
