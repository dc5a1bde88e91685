"""What a scorer is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from canopy.evals.results import Score


@dataclass(frozen=True, slots=True)
class Row:
    """An answer to be scored, with what was asked and what was expected. The names are Llama Stack's."""

    input_query: str
    expected_answer: str
    generated_answer: str


class Scorer(Protocol):
    """Scores answers. A row that can't be scored gets a Score with an `error`; nothing is raised for it."""

    @property
    def name(self) -> str:
        """The key in `scoring_params`."""
        ...

    async def score(self, rows: Sequence[Row]) -> list[Score]:
        """A score for each row, in order."""
        ...
