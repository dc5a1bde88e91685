"""Whether a summary is short."""

from typing import ClassVar, override

from pydantic import Field

from canopy.evals.scorers.kinds import Formula
from canopy.evals.scorers.scorer import Row


class Length(Formula):
    """Shorter than the source, by a ratio.

    The value is 1 for an answer of at most `ratio` times the source's characters. For a longer one it is the share of
    the answer that was allowed: 0.5 means twice as long as it may be. An empty answer is no short summary: 0.
    """

    minimum: ClassVar[float] = 1
    decides: ClassVar[bool] = True

    ratio: float = Field(0.5, gt=0, le=1)

    @override
    def value(self, row: Row) -> float:
        length = len(row.generated_answer.strip())
        return min(1.0, self.ratio * len(row.input_query.strip()) / length) if length else 0.0
