"""How a judge's agreement with people reads."""

import pytest

from canopy.judges.agreement import agreement_report
from canopy.judges.definitions import Judge
from canopy.store.judges.judgement import AgreementCount

JUDGE = Judge("accuracy", "Is it right?", {"accurate": 1, "minor_issues": 0, "wrong": -1}, "a-model", 10, "v1")
SENTIMENTS = {"accurate": 1, "minor_issues": 0, "wrong": -1}


def pairs(**votes: tuple[int, int, int]) -> list[AgreementCount]:
    """For each label how many votes were negative, neutral and positive."""
    return [
        AgreementCount(label, SENTIMENTS[label], sentiment, n)
        for label, counts in votes.items()
        for sentiment, n in zip((-1, 0, 1), counts, strict=True)
        if n
    ]


def test_every_label_and_every_kind_of_vote_has_its_place_in_the_table() -> None:
    found = agreement_report(JUDGE, {"accurate": 40, "gone": 7}, pairs(accurate=(1, 2, 3), wrong=(4, 5, 6)))
    assert [(row.label, row.given, row.negative, row.neutral, row.positive) for row in found.rows] == [
        ("accurate", 40, 1, 2, 3),
        ("minor_issues", 0, 0, 0, 0),
        ("wrong", 0, 4, 5, 6),
    ]
    assert (found.given, found.votes) == (40, 21)


def test_neutral_votes_and_labels_are_not_negative() -> None:
    plain = agreement_report(JUDGE, {}, pairs(accurate=(3, 0, 20), wrong=(15, 0, 2)))
    neutral = agreement_report(JUDGE, {}, pairs(accurate=(1, 4, 6), minor_issues=(2, 4, 6), wrong=(15, 1, 1)))
    assert plain.kappa is not None
    assert plain.kappa == neutral.kappa


@pytest.mark.parametrize(
    ("votes", "sentence"),
    [
        ({}, "Nobody has voted on what it labelled, so its agreement with people is unknown."),
        ({"wrong": (0, 0, 1)}, "Unknown so far, on 1 vote: people found none of the responses bad."),
        (
            {"wrong": (3, 0, 0), "accurate": (9, 0, 0)},
            "Unknown so far, on 12 votes: people found all of the responses bad.",
        ),
        ({"accurate": (3, 0, 9)}, "Unknown so far, on 12 votes: the judge found none of the responses bad."),
        ({"wrong": (3, 0, 9)}, "Unknown so far, on 12 votes: the judge found all of the responses bad."),
        (
            {"accurate": (3, 0, 20), "wrong": (15, 0, 2)},
            "Substantial agreement, 0.75, 95 % from 0.50 to 0.92, on 40 votes.",
        ),
        (
            {"accurate": (1, 0, 2), "wrong": (2, 0, 1)},
            "No agreement beyond chance is shown: 0.33, 95 % from \N{MINUS SIGN}0.42 to 0.92, on 6 votes.",
        ),
    ],
)
def test_the_sentence_says_how_much_agreement_and_on_what_or_why_nobody_knows(
    votes: dict[str, tuple[int, int, int]], sentence: str
) -> None:
    found = agreement_report(JUDGE, {}, pairs(**votes))
    assert found.sentence == sentence
    assert (found.kappa is None) == sentence.startswith(("Nobody", "Unknown"))
