"""Defines the records of judges' turns and labels.

A turn is taken before the model is asked, so that two processes never ask the same. It ends with or without a label, or
is given back, or its lease runs out, after which somebody else may take it.
"""

from typing import NamedTuple

from canopy.base.ratings import KindName


class Unjudged(NamedTuple):
    """Names a generation that one judge, in one version, has not judged."""

    created_at: int
    generation_id: str


class JudgementLease(NamedTuple):
    """Describes one judge's turn on one generation.

    `version` changes with all that the label depends on, and each version has a turn of its own. `owner` is whoever
    took the turn: what comes from anybody else changes nothing.
    """

    generation_id: str
    judge: str
    version: str
    owner: str
    lease: int  # microseconds


class JudgeLabel(NamedTuple):
    """Holds what a judge said about a generation."""

    feedback_id: str
    judge: str
    label: str
    sentiment: int
    model: str | None  # the judge's
    rationale: str | None


class AgreementCount(NamedTuple):
    """Counts pairs of a judge's label and a person's vote on the same generation that share all of these fields."""

    label: str
    label_sentiment: int
    vote_sentiment: int
    n: int


class PersonVote(NamedTuple):
    """Holds what a person said about a generation."""

    feedback_id: str
    kind: KindName
    value: str
    sentiment: int
    comment: str | None
