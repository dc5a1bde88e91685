"""Judges' labels as people look at them: beside a response, and against people's votes."""

from typing import Literal, NamedTuple


class JudgeLabel(NamedTuple):
    """What a judge said about a generation."""

    feedback_id: str
    judge: str
    label: str
    sentiment: int
    model: str | None  # the judge's
    rationale: str | None


class Agreement(NamedTuple):
    """How many pairs of a judge's label and a person's vote, on the same generation, are alike in all of this."""

    label: str
    label_sentiment: int
    vote_sentiment: int
    n: int


class PersonVote(NamedTuple):
    """What a person said about a generation."""

    feedback_id: str
    kind: Literal["thumbs", "score", "label", "judgement"]
    value: str
    sentiment: int
    comment: str | None
