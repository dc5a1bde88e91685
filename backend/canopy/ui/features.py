"""The words on a feature's page, and links to it."""

from collections.abc import Mapping
from dataclasses import dataclass

from canopy.config.features import BUILT_IN, Feature, flag_of, is_conversation, title_of


@dataclass(frozen=True, slots=True)
class FeatureWords:
    """Holds the words on a feature's page and in links to it.

    `invitation` asks to use the page, from elsewhere, as the beginning of a sentence; `lead` is the text before and
    after the model's name; `noun` names an answer, and `suite` the folder of the feature's evaluation suite.
    """

    heading: str
    invitation: str
    lead: tuple[str, str]
    label: str
    action: str
    shortcut: str
    noun: str
    suite: str


_BUILT_IN = FeatureWords(
    heading="Summarize a text",
    invitation="Summarize a text",
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
        invitation=f"Send a text on the page “{feature.title}”",
        lead=("Paste a text.", "answers, and you say how well it did."),
        label="Text",
        action="Send",
        shortcut="sends it",
        noun="answer",
        suite=feature.flag,
    )


def answers_of(features: Mapping[str, Feature], chosen: str | None, count: int) -> str:
    """Return the word for so many answers: of the chosen feature, or of all of them."""
    flag = flag_of(chosen) if chosen else None
    meant = [it for it in features.values() if flag in (None, it.flag)]
    nouns = {words_of(it).noun for it in meant}
    noun = nouns.pop() if len(nouns) == 1 else "answer"
    if count == 1:
        return noun
    return f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"


def label_of(name: str, features: Mapping[str, Feature]) -> str:
    """Return the words for a mode of a feature in lists of both modes. The feature need not exist any more."""
    title = title_of(name, features)
    return f"{title}, follow-up questions" if is_conversation(name) else title


def page_of(feature: Feature) -> str:
    """Return the path of a feature's page."""
    return "/" if feature.flag == BUILT_IN else f"/{feature.flag}"
