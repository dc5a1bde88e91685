"""What a rating may be, and how it counts."""

from typing import NamedTuple

from canopy.base.errors import InputError
from canopy.config.values import SENTIMENTS, FeedbackValues, Sentiment
from canopy.store.vocabulary import Kind

_THUMBS: dict[str, Sentiment] = {"thumbs_up": 1, "thumbs_down": -1}
# 1 and 2 are complaints, 3 is neither, 4 and 5 are praise.
_SCORES: dict[str, Sentiment] = {"1": -1, "2": -1, "3": 0, "4": 1, "5": 1}


class Rating(NamedTuple):
    """A rating as it is stored: its kind, its text and whether it speaks for (1) or against (-1) the response."""

    kind: Kind
    value: str
    sentiment: Sentiment


def parse_rating(rating: int | str, values: FeedbackValues) -> Rating:
    """The rating that a client means. Raises InputError with the ratings that there are."""
    if isinstance(rating, int):
        if (sentiment := _SCORES.get(str(rating))) is not None:
            return Rating("score", str(rating), sentiment)
    elif (sentiment := _THUMBS.get(rating)) is not None:
        return Rating("thumbs", rating, sentiment)
    else:
        for label in values.labels:
            if label.name == rating:
                return Rating("label", rating, SENTIMENTS[label.sentiment])
    labels = "".join(f", `{label.name}`" for label in values.labels)
    raise InputError(f"`rating` must be `thumbs_up`, `thumbs_down`, an integer from 1 to 5{labels}.")


def shown_rating(kind: Kind, value: str) -> int | str:
    """A stored rating as clients see it: a score is a number."""
    return int(value) if kind == "score" else value
