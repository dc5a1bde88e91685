"""What a rating may be, and how it counts."""

import pytest

from canopy.base.errors import InputError
from canopy.config.values import FeedbackValues, Label
from canopy.feedback.ratings import Rating, parse_rating, shown_rating

VALUES = FeedbackValues(labels=[Label(name="brilliant", sentiment="positive"), Label(name="odd")])


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ("thumbs_up", Rating("thumbs", "thumbs_up", 1)),
        ("thumbs_down", Rating("thumbs", "thumbs_down", -1)),
        (1, Rating("score", "1", -1)),
        (2, Rating("score", "2", -1)),
        (3, Rating("score", "3", 0)),
        (4, Rating("score", "4", 1)),
        (5, Rating("score", "5", 1)),
        ("brilliant", Rating("label", "brilliant", 1)),
        ("odd", Rating("label", "odd", 0)),
    ],
)
def test_a_known_rating_has_its_kind_and_sentiment(sent: int | str, stored: Rating) -> None:
    assert parse_rating(sent, VALUES) == stored
    assert shown_rating(stored.kind, stored.value) == sent


@pytest.mark.parametrize("sent", ["", "Thumbs_up", "thumbs", "5", 0, 6, -1, 10**30])
def test_any_other_rating_is_refused_with_the_ones_there_are(sent: int | str) -> None:
    with pytest.raises(InputError, match="`thumbs_up`, `thumbs_down`, an integer from 1 to 5, `brilliant`, `odd`"):
        parse_rating(sent, VALUES)
