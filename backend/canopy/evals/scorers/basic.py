"""Llama Stack's `basic` scoring functions: letter by letter, as its release 0.7.3 has them."""

from abc import abstractmethod
from dataclasses import asdict
from typing import ClassVar, Literal, override

from canopy.evals.scorers.kinds import Formula, Measure, RemoteScorer, ScoreFinding
from canopy.evals.scorers.scorer import Row
from canopy.inference.scoring import ScoringApi


class _Basic(Formula, RemoteScorer):
    """Scores 1 or 0. The parameters are Llama Stack's and change nothing about a single row."""

    minimum: ClassVar[float] = 1
    decides: ClassVar[bool] = False  # hardly any two good summaries are equal

    type: Literal["basic"] = "basic"
    aggregation_functions: tuple[str, ...] = ()

    @override
    def value(self, row: Row) -> float:
        return 1.0 if self.holds(row) else 0.0

    @abstractmethod
    def holds(self, row: Row) -> bool:
        """Whether the row scores 1."""

    @override
    def remote(self, api: ScoringApi) -> Measure:
        params = {"type": self.type, "aggregation_functions": []}

        async def measure(row: Row) -> ScoreFinding:
            result = await api.score(self.function, params, asdict(row))
            try:
                return ScoreFinding(float(str(result.get("score"))))  # a number, or one as text
            except ValueError:
                return ScoreFinding(error="The server's score is not a number.")

        return measure


class SubsetOf(_Basic):
    """Whether the answer contains the expected one."""

    function: ClassVar[str] = "basic::subset_of"

    @override
    def holds(self, row: Row) -> bool:
        return row.expected_answer in row.generated_answer


class Equality(_Basic):
    """Whether the answer is the expected one."""

    function: ClassVar[str] = "basic::equality"

    @override
    def holds(self, row: Row) -> bool:
        return row.expected_answer == row.generated_answer
