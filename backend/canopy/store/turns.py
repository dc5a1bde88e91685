"""What a judge has not looked at, and its turn to do so.

A turn is taken before the model is asked, so that two processes never ask the same. It ends with or without a label, or
is given back, or its lease runs out, after which somebody else may take it.
"""

from typing import NamedTuple


class Unjudged(NamedTuple):
    """A generation that one judge, in one version, has not judged."""

    created_at: int
    generation_id: str


class Turn(NamedTuple):
    """One judge's turn on one generation.

    `version` changes with all that the label depends on, and each version has a turn of its own. `owner` is whoever
    took the turn: what comes from anybody else changes nothing.
    """

    generation_id: str
    judge: str
    version: str
    owner: str
    lease: int  # microseconds
