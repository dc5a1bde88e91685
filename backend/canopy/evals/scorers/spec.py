"""Defines what all scorers share: validated parameters, and how a row gets a score."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self, override

from pydantic import BaseModel, ConfigDict, ValidationError

from canopy.base.errors import CanopyError, ConfigError
from canopy.evals.results import Score
from canopy.inference.protocol import Inference
from canopy.inference.scoring import ScoringApi


@dataclass(frozen=True, slots=True)
class Row:
    """Holds an answer to be scored, its prompt and the expected answer. The names are Llama Stack's."""

    input_query: str
    expected_answer: str
    generated_answer: str


@dataclass(frozen=True, slots=True)
class ScoreFinding:
    """Holds the result for one row: a value from 0 (worst) to 1 (best), or the reason why there is none."""

    value: float | None = None
    grade: str | None = None
    text: str | None = None
    error: str | None = None


# Scores a row. It may raise a CanopyError, whose sentence becomes the finding's error.
type Measure = Callable[[Row], Awaitable[ScoreFinding]]


class ScorerSpec(BaseModel, ABC):
    """Defines a scorer; its fields are the parameters that a suite's `scoring_params` can set."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    minimum: ClassVar[float]  # the default value from which an answer passes
    decides: ClassVar[bool]  # the default for whether it can fail a case; otherwise it only informs

    @classmethod
    def read(cls, name: str, given: Mapping[str, Any] | None, folder: Path) -> Self:
        """Return the scorer with these parameters; files that they name are in `folder`.

        Raises ConfigError with a sentence for each wrong parameter.
        """
        try:
            return cls.model_validate(dict(given or {}), context={"folder": folder})
        except ValidationError as error:
            wrong = [(".".join(map(str, item["loc"])), item["msg"]) for item in error.errors()]
            findings = [f"`{place}`: {message.removeprefix('Value error, ').rstrip('.')}." for place, message in wrong]
            raise ConfigError(f"`scoring_params` of `{name}`: {' '.join(findings)}") from error

    @abstractmethod
    def local(self, inference: Inference | None) -> Measure:
        """Return a function that scores in this process. `inference` is the judge, if there is one."""


class RemoteScorer(ScorerSpec):
    """Defines a scorer that Llama Stack also has, as its scoring function `function`."""

    function: ClassVar[str]

    @abstractmethod
    def remote(self, api: ScoringApi) -> Measure:
        """Return a function that lets the server score."""


class Formula(ScorerSpec):
    """Defines a scorer that computes its value."""

    @abstractmethod
    def value(self, row: Row) -> float:
        """Return a value from 0 to 1."""

    @override
    def local(self, inference: Inference | None) -> Measure:
        """Compute in a thread, so that a long text doesn't delay arriving answers."""

        async def measure(row: Row) -> ScoreFinding:
            return ScoreFinding(await asyncio.to_thread(self.value, row))

        return measure


class Scorer:
    """Scores rows: `name` is its key in `scoring_params`, `minimum` the value from which an answer passes.

    It scores up to `at_once` rows at a time. A row that can't be scored gets a Score with an `error`.
    """

    def __init__(self, name: str, measure: Measure, minimum: float, at_once: int) -> None:
        self.name = name
        self._measure = measure
        self._minimum = minimum
        self._places = asyncio.Semaphore(at_once)

    async def score(self, rows: Sequence[Row]) -> list[Score]:
        """Return a score for each row, in order."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._score(row)) for row in rows]
        return [task.result() for task in tasks]

    async def _score(self, row: Row) -> Score:
        async with self._places:
            try:
                found = await self._measure(row)
            except CanopyError as error:
                found = ScoreFinding(error=error.sentence)
            except UnicodeEncodeError:
                found = ScoreFinding(error="A text holds half of a surrogate pair, which can't be sent to a server.")
        passed = None if found.value is None else found.value >= self._minimum
        return Score(
            scorer=self.name, value=found.value, passed=passed, grade=found.grade, text=found.text, error=found.error
        )
