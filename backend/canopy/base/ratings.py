"""Ratings: the kinds there are, and for each its values, what they say and how clients, people and MLflow see them.

A new kind is an entry of `KINDS` and its name in `KindName`. Nothing else in Canopy tells the kinds apart.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol, Self, cast

from canopy.base.errors import InputError

type Sentiment = Literal[-1, 0, 1]  # against the response, neither, for it
type SentimentName = Literal["positive", "neutral", "negative"]
type KindName = Literal["thumbs", "score", "label", "judgement"]

SENTIMENT_NAMES: dict[int, SentimentName] = {1: "positive", 0: "neutral", -1: "negative"}
SENTIMENTS: dict[str, Sentiment] = {"positive": 1, "neutral": 0, "negative": -1}
JUDGEMENT: KindName = "judgement"  # a judge's label; no series of votes mixes people's and judges'

# The two sentences that tell clients what there is.
FORMS = "`thumbs_up` or true, `thumbs_down` or false, 1 to 5, or a configured label."
REFUSED = "`rating` must be `thumbs_up` or `thumbs_down` (or true or false), a label, or a whole number from 1 to 5."
# What may be a label: votes outlive the values that named it.
_LABEL = re.compile(r"(?!\d+$)[a-z0-9][a-z0-9_-]{0,39}")
_WHOLE = re.compile(r"[0-9]{1,3}(\.0+)?")


@dataclass(frozen=True, slots=True)
class RatingKind:
    """What the ratings of one kind have in common. The functions take a rating's value, as it is stored.

    `sentiments` holds the values there are; it is empty for kinds whose values somebody else names. `assessment` is
    MLflow's name for votes on satisfaction of this kind, because one name in MLflow has values of one type; None: the
    vote's own name.
    """

    sentiments: Mapping[str, Sentiment]
    words: Callable[[str], str]
    wire: Callable[[str], int | str] = str
    mlflow: Callable[[str], bool | int | str] = str
    assessment: str | None = None


def in_words(name: str) -> str:
    """A name as people read it: `too_long` is `Too long`."""
    spaced = name.replace("_", " ").replace("-", " ").strip()
    return spaced[:1].upper() + spaced[1:] or name


_THUMBS = {"thumbs_up": "Helpful", "thumbs_down": "Not helpful"}
KINDS: dict[KindName, RatingKind] = {
    "thumbs": RatingKind(
        {"thumbs_up": 1, "thumbs_down": -1},
        words=lambda value: _THUMBS.get(value, value),
        mlflow=lambda value: value == "thumbs_up",
    ),
    "score": RatingKind(
        # 1 and 2 are complaints, 3 is neither, 4 and 5 are praise.
        {"1": -1, "2": -1, "3": 0, "4": 1, "5": 1},
        words=lambda value: f"{value} of 5",
        wire=int,
        mlflow=int,
        assessment="satisfaction_score",
    ),
    "label": RatingKind({}, words=in_words, assessment="satisfaction_label"),
    JUDGEMENT: RatingKind({}, words=in_words),
}


def kind_of(name: KindName) -> RatingKind:
    """The kind of a stored rating. One that a later version stored is taken for a label, which is its own words."""
    return KINDS.get(name, KINDS["label"])


class RatedRecord(Protocol):
    """A record of a verdict."""

    @property
    def kind(self) -> KindName:
        """The kind of its rating."""

    @property
    def value(self) -> str:
        """The rating as it is stored."""

    @property
    def sentiment(self) -> int:
        """Whether it speaks for (1) or against (-1) the response, or neither (0)."""


class Rating(NamedTuple):
    """A rating as it is stored: its kind, its text and whether it speaks for (1) or against (-1) the response."""

    kind: KindName
    value: str
    sentiment: Sentiment

    @classmethod
    def of(cls, record: RatedRecord) -> Self:
        """The rating of a record."""
        return cls(record.kind, record.value, cast(Sentiment, record.sentiment))

    @property
    def wire(self) -> int | str:
        """The rating as clients send and see it: a score is a number."""
        return kind_of(self.kind).wire(self.value)

    @property
    def words(self) -> str:
        """The rating as people read it."""
        return kind_of(self.kind).words(self.value)

    @property
    def score(self) -> int:
        """The rating as a number: a score is one, and of any other the sentiment."""
        wire = self.wire
        return wire if isinstance(wire, int) else self.sentiment

    @property
    def sentiment_name(self) -> SentimentName:
        """The sentiment as requests and metrics name it."""
        return SENTIMENT_NAMES[self.sentiment]


_OWN = [Rating(name, value, sentiment) for name, kind in KINDS.items() for value, sentiment in kind.sentiments.items()]
_BY_WIRE = {(type(rating.wire), rating.wire): rating for rating in _OWN}  # `5` is a score, and `"5"` is none
THUMBS = [rating for rating in _OWN if rating.kind == "thumbs"]  # what the pages offer
WORDS = {rating.value: rating.words for rating in _OWN}
# What no label may be called, beside numbers.
TAKEN = {rating.value for rating in _OWN if isinstance(rating.wire, str)} | set(SENTIMENTS)


def known_ratings(labels: Mapping[str, Sentiment]) -> list[Rating]:
    """Every rating that a person may give where the values name these labels."""
    return [*_OWN, *(Rating("label", label, sentiment) for label, sentiment in labels.items())]


def parse_rating(sent: int | str, labels: Mapping[str, Sentiment]) -> Rating:
    """The rating that a client means. Raises InputError with the ratings that there are."""
    if own := _BY_WIRE.get((type(sent), sent)):
        return own
    if isinstance(sent, str) and sent in labels:
        return Rating("label", sent, labels[sent])
    named = "".join(f", `{label}`" for label in labels)
    raise InputError(f"`rating` must be `thumbs_up`, `thumbs_down`, an integer from 1 to 5{named}.")


def parse_filter(text: str) -> tuple[str | None, Sentiment | None]:
    """What a filter's `rating` asks for: one rating's value, or the sentiment of all that count so.

    Raises InputError for what can be neither: a typo must not look empty.
    """
    if (sentiment := SENTIMENTS.get(text)) is not None:
        return None, sentiment
    if text not in WORDS and not _LABEL.fullmatch(text):
        raise InputError("`rating` must be `thumbs_up`, `thumbs_down`, 1 to 5, a label, or one like `negative`.")
    return text, None


def as_meant(sent: Any) -> Any:
    """What a client sent as a rating, in the form that it has here: `5.0` and `"5"` are 5, and yes is a thumb up."""
    if isinstance(sent, bool):
        return "thumbs_up" if sent else "thumbs_down"
    if isinstance(sent, float) and sent.is_integer():
        return int(sent)
    if isinstance(sent, str) and _WHOLE.fullmatch(sent):
        return int(sent.partition(".")[0])
    return sent
