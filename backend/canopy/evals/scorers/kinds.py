"""What the scorers have in common: parameters that are checked, and a way from a row to a value."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self, override

from pydantic import BaseModel, ConfigDict, ValidationError

from canopy.base.errors import CanopyError, ConfigError
from canopy.evals.results import Score
from canopy.evals.scorers.scorer import Row
from canopy.inference.protocol import Inference
from canopy.inference.scoring import ScoringApi


@dataclass(frozen=True, slots=True)
class ScoreFinding:
    """What came out for one row: a value from 0 (worst) to 1 (best), or the reason why there is none."""

    value: float | None = None
    grade: str | None = None
    text: str | None = None
    error: str | None = None


# From a row to what came out for it. May raise a CanopyError, whose sentence then is the finding's error.
type Measure = Callable[[Row], Awaitable[ScoreFinding]]


class ScorerSpec(BaseModel, ABC):
    """A scorer before it is opened: its fields are the parameters that a suite's `scoring_params` can give it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    minimum: ClassVar[float]  # the value that passes where thresholds name none
    decides: ClassVar[bool]  # whether it can fail a case where thresholds don't say; otherwise it informs

    @classmethod
    def read(cls, name: str, given: Mapping[str, Any] | None, folder: Path) -> Self:
        """The scorer with these parameters; `folder` is where the files that they name are.

        Raises ConfigError with a sentence for each parameter that is wrong.
        """
        try:
            return cls.model_validate(dict(given or {}), context={"folder": folder})
        except ValidationError as error:
            wrong = [(".".join(map(str, item["loc"])), item["msg"]) for item in error.errors()]
            findings = [f"`{place}`: {message.removeprefix('Value error, ').rstrip('.')}." for place, message in wrong]
            raise ConfigError(f"`scoring_params` of `{name}`: {' '.join(findings)}") from error

    @abstractmethod
    def local(self, inference: Inference | None) -> Measure:
        """How it scores in this process. `inference` is the judge, where there is one."""


class RemoteScorer(ScorerSpec):
    """A scorer that Llama Stack has as well, under the same name."""

    function: ClassVar[str]

    @abstractmethod
    def remote(self, api: ScoringApi) -> Measure:
        """How the server scores."""


class Formula(ScorerSpec):
    """A scorer that computes."""

    @abstractmethod
    def value(self, row: Row) -> float:
        """From 0 to 1."""

    @override
    def local(self, inference: Inference | None) -> Measure:
        """Compute in a thread: a long text must not hold up the answers that are arriving."""

        async def measure(row: Row) -> ScoreFinding:
            return ScoreFinding(await asyncio.to_thread(self.value, row))

        return measure


class MeasuringScorer:
    """A Scorer made of a measure and the value that passes. It scores `at_once` rows at a time."""

    def __init__(self, name: str, measure: Measure, minimum: float, at_once: int) -> None:
        self.name = name
        self._measure = measure
        self._minimum = minimum
        self._places = asyncio.Semaphore(at_once)

    async def score(self, rows: Sequence[Row]) -> list[Score]:
        """A score for each row, in order."""
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
