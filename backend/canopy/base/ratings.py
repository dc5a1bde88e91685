"""Kinds of ratings: for each its values, their sentiment, and their form for clients, people and MLflow.

A new kind is an entry of `KINDS` and its name in `KindName`. No other module distinguishes kinds.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol, Self, cast

from canopy.base.errors import InputError

type Sentiment = Literal[-1, 0, 1]  # negative, neutral, positive
type SentimentName = Literal["positive", "neutral", "negative"]
type KindName = Literal["thumbs", "score", "label", "judgement"]

SENTIMENT_NAMES: dict[int, SentimentName] = {1: "positive", 0: "neutral", -1: "negative"}
SENTIMENTS: dict[str, Sentiment] = {"positive": 1, "neutral": 0, "negative": -1}
JUDGEMENT: KindName = "judgement"  # a judge's label, which no statistic mixes with people's
SCORE: KindName = "score"

# The description of the field `rating` for clients, and the error for a value of another type.
RATING_FORMS = "`thumbs_up` or true, `thumbs_down` or false, 1 to 5, or a configured label."
RATING_REFUSED = (
    "`rating` must be `thumbs_up` or `thumbs_down` (or true or false), a label, or a whole number from 1 to 5."
)
# Any possible label, since votes outlive the values that defined theirs.
_LABEL = re.compile(r"(?!\d+$)[a-z0-9][a-z0-9_-]{0,39}")
_WHOLE = re.compile(r"[0-9]{1,3}(\.0+)?")


@dataclass(frozen=True, slots=True)
class RatingKind:
    """Properties of one kind of ratings. The functions convert a stored value.

    `sentiments` maps every value to its sentiment; it is empty for kinds whose values are configured. `words`, `wire`
    and `mlflow` return the value for people, for clients and for MLflow. `assessment` is the name in MLflow of votes on
    satisfaction of this kind, because values under one name must have one type there; None: the vote's own name.
    """

    sentiments: Mapping[str, Sentiment]
    words: Callable[[str], str]
    wire: Callable[[str], int | str] = str
    mlflow: Callable[[str], bool | int | str] = str
    assessment: str | None = None


def in_words(name: str) -> str:
    """Return a name for people: `Too long` for `too_long`."""
    spaced = name.replace("_", " ").replace("-", " ").strip()
    return spaced[:1].upper() + spaced[1:] or name


_THUMBS = {"thumbs_up": "Helpful", "thumbs_down": "Not helpful"}
KINDS: dict[KindName, RatingKind] = {
    "thumbs": RatingKind(
        {"thumbs_up": 1, "thumbs_down": -1},
        words=lambda value: _THUMBS.get(value, value),
        mlflow=lambda value: value == "thumbs_up",
    ),
    SCORE: RatingKind(
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
    """Return a stored rating's kind. An unknown kind, stored by a later version, is treated as a label."""
    return KINDS.get(name, KINDS["label"])


class RatedRecord(Protocol):
    """A record that holds a rating."""

    @property
    def kind(self) -> KindName:
        """The rating's kind."""

    @property
    def value(self) -> str:
        """The rating's value as it is stored."""

    @property
    def sentiment(self) -> int:
        """1 if the rating is positive, -1 if negative, 0 if neutral."""


class Rating(NamedTuple):
    """A rating: its kind, its value as it is stored, and its sentiment (1, 0 or -1)."""

    kind: KindName
    value: str
    sentiment: Sentiment

    @classmethod
    def of(cls, record: RatedRecord) -> Self:
        """Return a record's rating."""
        return cls(record.kind, record.value, cast(Sentiment, record.sentiment))

    @property
    def wire(self) -> int | str:
        """Return the rating as clients send and get it: a number for a score, else a text."""
        return kind_of(self.kind).wire(self.value)

    @property
    def words(self) -> str:
        """Return the rating in words for people."""
        return kind_of(self.kind).words(self.value)

    @property
    def score(self) -> int:
        """Return the rating as a number: a score's own value (1 to 5), or any other rating's sentiment (-1 to 1)."""
        wire = self.wire
        return wire if isinstance(wire, int) else self.sentiment

    @property
    def sentiment_name(self) -> SentimentName:
        """Return the sentiment's name in requests and metrics."""
        return SENTIMENT_NAMES[self.sentiment]


_BUILT_IN = [
    Rating(name, value, sentiment) for name, kind in KINDS.items() for value, sentiment in kind.sentiments.items()
]
_BY_WIRE = {(type(rating.wire), rating.wire): rating for rating in _BUILT_IN}  # `5` is a score, `"5"` isn't
THUMBS = [rating for rating in _BUILT_IN if rating.kind == "thumbs"]  # what pages offer
RATING_WORDS = {rating.value: rating.words for rating in _BUILT_IN}
_BOOLEANS = {"true": "thumbs_up", "false": "thumbs_down"}  # also as text, which is all that queries hold
# Names that no label may have; numbers are excluded too.
RESERVED_LABELS = {
    *(rating.value for rating in _BUILT_IN if isinstance(rating.wire, str)),
    *SENTIMENTS,
    *_BOOLEANS,
}


def known_ratings(labels: Mapping[str, Sentiment]) -> list[Rating]:
    """Return every rating that a person can give, with these configured labels."""
    return [*_BUILT_IN, *(Rating("label", label, sentiment) for label, sentiment in labels.items())]


def parse_rating(sent: int | str, labels: Mapping[str, Sentiment]) -> Rating:
    """Return the rating for a client's value. Raises InputError, which lists the possible ratings."""
    if own := _BY_WIRE.get((type(sent), sent)):
        return own
    if isinstance(sent, str) and sent in labels:
        return Rating("label", sent, labels[sent])
    named = "".join(f", `{label}`" for label in labels)
    raise InputError(f"`rating` must be `thumbs_up`, `thumbs_down`, an integer from 1 to 5{named}.")


def parse_rating_filter(text: str) -> tuple[str | None, Sentiment | None]:
    """Parse a filter's `rating` to a rating's stored value or to a sentiment; the other of the two is None.

    A rating may be spelled as in a vote. Raises InputError for a text that can be neither, so that a typo doesn't give
    an empty list.
    """
    if (sentiment := SENTIMENTS.get(text)) is not None:
        return None, sentiment
    sent = normalize_rating(text)
    if own := _BY_WIRE.get((type(sent), sent)):
        return own.value, None
    if not _LABEL.fullmatch(text):
        raise InputError("`rating` must be `thumbs_up`, `thumbs_down`, 1 to 5, a label, or one like `negative`.")
    return text, None


def normalize_rating(sent: Any) -> Any:
    """Return a rating in its usual spelling: 5 for `5.0` and `"5"`, `thumbs_up` for true and `"true"`."""
    if isinstance(sent, bool):
        return _BOOLEANS["true" if sent else "false"]
    if isinstance(sent, float) and sent.is_integer():
        return int(sent)
    if isinstance(sent, str) and _WHOLE.fullmatch(sent):
        return int(sent.partition(".")[0])
    return _BOOLEANS.get(sent, sent) if isinstance(sent, str) else sent
