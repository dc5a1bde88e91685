"""Scores by formulas: Llama Stack's `basic` functions, as in its release 0.7.3, and the length of a summary."""

from abc import abstractmethod
from dataclasses import asdict
from typing import ClassVar, Literal, override

from pydantic import Field

from canopy.evals.scorers.spec import Formula, Measure, RemoteScorer, Row, ScoreFinding
from canopy.inference.scoring import ScoringApi


class _Basic(Formula, RemoteScorer):
    """Scores 1 or 0. The parameters are Llama Stack's and don't affect a single row."""

    minimum: ClassVar[float] = 1
    decides: ClassVar[bool] = False  # two good summaries are hardly ever equal

    type: Literal["basic"] = "basic"
    aggregation_functions: tuple[str, ...] = ()

    @override
    def value(self, row: Row) -> float:
        return 1.0 if self.holds(row) else 0.0

    @abstractmethod
    def holds(self, row: Row) -> bool:
        """Return whether the row scores 1."""

    @override
    def remote(self, api: ScoringApi) -> Measure:
        params = {"type": self.type, "aggregation_functions": []}

        async def measure(row: Row) -> ScoreFinding:
            result = await api.score(self.function, params, asdict(row))
            try:
                return ScoreFinding(float(str(result.get("score"))))  # a number, or one as a string
            except ValueError:
                return ScoreFinding(error="The server's score is not a number.")

        return measure


class SubsetOf(_Basic):
    """Scores 1 if the answer contains the expected one."""

    function: ClassVar[str] = "basic::subset_of"

    @override
    def holds(self, row: Row) -> bool:
        return row.expected_answer in row.generated_answer


class Equality(_Basic):
    """Scores 1 if the answer equals the expected one."""

    function: ClassVar[str] = "basic::equality"

    @override
    def holds(self, row: Row) -> bool:
        return row.expected_answer == row.generated_answer


class Length(Formula):
    """Scores whether the answer is short in proportion to the source.

    The value is 1 for an answer of at most `ratio` times the source's characters. For a longer one it is the allowed
    share of it: 0.5 means twice the allowed length. An empty answer scores 0.
    """

    minimum: ClassVar[float] = 1
    decides: ClassVar[bool] = True

    ratio: float = Field(0.5, gt=0, le=1)

    @override
    def value(self, row: Row) -> float:
        length = len(row.generated_answer.strip())
        return min(1.0, self.ratio * len(row.input_query.strip()) / length) if length else 0.0
