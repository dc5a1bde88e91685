"""Defines what is counted of generations, hour by hour: their ends, their tokens, and how soon they began to answer.

The counts outlive the generations. They hold no text and nobody's name.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Self

from canopy.store.generations.generation import Generation

# Where the histogram of the time to the first token is cut, in seconds; what lies above the last has a class, too.
BOUNDS = (0.05, 0.07, 0.1, 0.15, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 5.0, 7.0, 10.0, 15.0, 20.0, 30.0, 60.0)
CLASSES = len(BOUNDS) + 1


@dataclass(frozen=True, slots=True)
class UsageSum:
    """Counts generations. Those that evaluations asked for are nobody's and are left out."""

    completed: int = 0
    failed: int = 0
    stopped: int = 0  # the reader went away or pressed Stop
    compared: int = 0  # completed ones that are a side of a comparison, so that they take a ballot and not votes
    input_tokens: int = 0
    output_tokens: int = 0
    first_tokens: tuple[int, ...] = (0,) * CLASSES  # how many began to answer within each class of `BOUNDS`

    @classmethod
    def of(cls, generation: Generation) -> Self:
        """Return the count of one generation."""
        completed = generation.status == "completed"
        first_tokens = [0] * CLASSES
        if generation.time_to_first_token is not None:
            first_tokens[bisect_left(BOUNDS, generation.time_to_first_token)] = 1
        return cls(
            completed=int(completed),
            failed=int(generation.status == "failed"),
            stopped=int(generation.status == "cancelled"),
            compared=int(completed and generation.comparison_id is not None),
            input_tokens=generation.input_tokens or 0,
            output_tokens=generation.output_tokens or 0,
            first_tokens=tuple(first_tokens),
        )

    @classmethod
    def sum(cls, usages: Iterable[Self]) -> Self:
        """Return the counts of all of them together."""
        found = list(usages)
        if len(found) == 1:
            return found[0]
        numbers = {field.name: sum(getattr(it, field.name) for it in found) for field in fields(cls)[:-1]}
        classes = tuple(map(sum, zip(*(it.first_tokens for it in found), strict=True))) or (0,) * CLASSES
        return cls(**numbers, first_tokens=classes)

    @property
    def total(self) -> int:
        """Return the number of all generations, whatever became of them."""
        return self.completed + self.failed + self.stopped

    @property
    def votable(self) -> int:
        """Return the number of answers that people could vote on: whole and stopped ones outside comparisons."""
        return self.completed + self.stopped - self.compared

    @property
    def first_token_median(self) -> float | None:
        """Return about the median of the time to the first token, in seconds; None without one.

        Within its class it is where it would be if the times were spread evenly; above the last bound it is that bound.
        """
        return _median(self.first_tokens)


@dataclass(frozen=True, slots=True)
class UsageCount:
    """Counts the generations of one producer within one stretch of time."""

    since: int  # when the stretch begins, in microseconds since the epoch
    feature: str
    prompt_id: str
    model: str
    config_revision: str
    first_hour: int  # the first hour with a generation in this stretch
    last_hour: int
    usage: UsageSum


def _median(classes: Sequence[int]) -> float | None:
    total = sum(classes)
    if not total:
        return None
    half, before = total / 2, 0
    for index, n in enumerate(classes):
        if n and before + n >= half:
            if index == len(BOUNDS):
                break
            low = BOUNDS[index - 1] if index else 0.0
            return low + (BOUNDS[index] - low) * (half - before) / n
        before += n
    return BOUNDS[-1]
