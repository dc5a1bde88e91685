"""The record of a deletion."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Erased:
    """How many records a deletion reached."""

    generations: int
    feedback: int
    comparisons: int
    evaluations: int = 0  # generations that evaluations asked for; not among the others
