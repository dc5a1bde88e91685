"""What a rating may be, and how it counts."""

import re
from pathlib import Path
from typing import cast

import pytest

import canopy
from canopy.base.errors import InputError
from canopy.base.ratings import (
    KINDS,
    RATING_FORMS,
    RATING_REFUSED,
    KindName,
    Rating,
    kind_of,
    known_ratings,
    normalize_rating,
    parse_rating,
    parse_rating_filter,
)
from canopy.config.values import FeedbackValues, Label
from tests.support.docs import ROOT

PACKAGE = Path(canopy.__file__).parent
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
    assert parse_rating(sent, VALUES.label_sentiments) == stored
    assert stored.wire == sent


@pytest.mark.parametrize("sent", ["", "Thumbs_up", "thumbs", "5", 0, 6, -1, 10**30])
def test_any_other_rating_is_refused_with_the_ones_there_are(sent: int | str) -> None:
    with pytest.raises(InputError, match="`thumbs_up`, `thumbs_down`, an integer from 1 to 5, `brilliant`, `odd`"):
        parse_rating(sent, VALUES.label_sentiments)


def test_each_kind_is_named_wherever_people_are_told_what_they_may_send() -> None:
    """In the description, in both refusals, and in the documentation of the API and of MLflow's assessments."""
    with pytest.raises(InputError) as refused:
        parse_rating("six_stars", {})
    page = (ROOT / "docs/operations.md").read_text()
    sent = {it.wire for it in known_ratings({})}
    numbers = sorted(it for it in sent if isinstance(it, int))
    names = [f"`{it}`" for it in sent if isinstance(it, str)]
    for told in (RATING_FORMS, RATING_REFUSED, refused.value.sentence):
        assert [name for name in names if name not in told] == []
        assert f"{numbers[0]} to {numbers[-1]}" in told
    assert [name for name in names if name not in page] == []
    assert [it.assessment for it in KINDS.values() if it.assessment and f"`{it.assessment}`" not in page] == []


def test_values_of_one_type_have_one_name_in_mlflow() -> None:
    """Votes without an assessment of their kind's share the vote's name, under which MLflow has booleans."""
    shared = {
        type(kind.mlflow(value)) for kind in KINDS.values() if kind.assessment is None for value in kind.sentiments
    }
    assert shared == {bool}


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("negative", (None, -1)),
        ("neutral", (None, 0)),
        ("4", ("4", None)),
        ("thumbs_up", ("thumbs_up", None)),
        ("retired-label", ("retired-label", None)),
    ],
)
def test_a_filter_asks_for_one_rating_or_for_all_that_count_alike(text: str, asked: tuple[str | None, int]) -> None:
    assert parse_rating_filter(text) == asked


@pytest.mark.parametrize(
    "sent", ["thumbs_up", "thumbs_down", "true", "false", True, False, *range(1, 6), 5.0, "5.0", "1", "05", "brilliant"]
)
def test_a_filter_finds_a_vote_by_what_the_vote_was_sent_as(sent: bool | float | str) -> None:
    stored = parse_rating(normalize_rating(sent), VALUES.label_sentiments)
    in_a_query = str(sent).lower() if isinstance(sent, bool) else str(sent)
    assert parse_rating_filter(in_a_query) == (stored.value, None)


@pytest.mark.parametrize("text", ["6", "6.0", "4.5", "Thumbs_up", "a b", "x" * 41])
def test_a_filter_that_can_be_no_rating_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        parse_rating_filter(text)


@pytest.mark.parametrize(
    ("sent", "words", "assessment", "value"),
    [
        ("thumbs_up", "Helpful", None, True),
        ("thumbs_down", "Not helpful", None, False),
        (4, "4 of 5", "satisfaction_score", 4),
        ("brilliant", "Brilliant", "satisfaction_label", "brilliant"),
    ],
)
def test_a_rating_has_its_words_and_its_form_in_mlflow(
    sent: int | str, words: str, assessment: str | None, value: bool | int | str
) -> None:
    rating = parse_rating(sent, VALUES.label_sentiments)
    assert rating.words == words
    assert (kind_of(rating.kind).assessment, kind_of(rating.kind).mlflow(rating.value)) == (assessment, value)


def test_what_the_pages_show_of_a_kind_that_a_later_version_stored_is_its_value() -> None:
    rating = Rating(cast(KindName, "hearts"), "3_hearts", 1)
    assert (rating.words, rating.wire) == ("3 hearts", "3_hearts")


def test_no_module_but_that_of_the_ratings_tells_kinds_or_thumbs_apart() -> None:
    """So that a new kind is one place. Only evaluations, which are clients, know more."""
    decides = re.compile(r"""["']thumbs_(up|down)["']|\bkind == ["'](thumbs|score|label)""")
    told = [
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*")
        if path.suffix in {".py", ".js", ".html"} and "evals" not in path.parts and decides.search(path.read_text())
    ]
    assert told == ["base/ratings.py"]
