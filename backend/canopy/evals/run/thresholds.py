"""Reads the thresholds of suites from `thresholds.yaml`."""

from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from canopy.base.errors import ConfigError
from canopy.evals.scorers.catalog import SCORERS, require_scorer
from canopy.evals.scorers.llm_judge import JudgeScorer, UnitInterval
from canopy.evals.suites.yaml_files import line_of, read

NAME = "thresholds.yaml"


class _ThresholdsEntry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ScorerThresholds(_ThresholdsEntry):
    """Holds the thresholds of one scorer; what is unset is the scorer's default."""

    minimum: UnitInterval | None = Field(None, description="The value with which an answer passes.")
    decides: bool | None = Field(None, description="Whether an answer below the minimum fails its case.")
    mean: UnitInterval | None = Field(None, description="The mean over all cases with which the gate passes.")
    rubric: dict[str, UnitInterval] | None = Field(None, min_length=1, description="What a judge's grades are worth.")
    scale: tuple[float, float] | None = Field(None, description="A judge's worst and best number.")

    @model_validator(mode="after")
    def _two_ends(self) -> Self:
        if self.scale is not None and self.scale[0] == self.scale[1]:
            raise ValueError("`scale` must be the worst and the best number, such as `[1, 5]`")
        return self


class Thresholds(_ThresholdsEntry):
    """Holds the gate's thresholds. By default every reviewed case has to pass."""

    pass_rate: UnitInterval = Field(1.0, description="Least share of the cases that pass, of those that have a score.")
    max_regressions: int | None = Field(
        0, ge=0, description="Most cases that passed in the baseline and fail now; null: as many as there are."
    )
    max_unscored: int = Field(0, ge=0, description="Most cases for which the scorers may fail.")
    scorers: dict[str, ScorerThresholds] = {}

    @property
    def minimums(self) -> dict[str, float]:
        """Return the minimum of each scorer that has one set."""
        return {name: each.minimum for name, each in self.scorers.items() if each.minimum is not None}

    @property
    def rubrics(self) -> dict[str, dict[str, float]]:
        """Return the rubric of each scorer that has one set."""
        return {name: each.rubric for name, each in self.scorers.items() if each.rubric}

    @property
    def scales(self) -> dict[str, tuple[float, float]]:
        """Return the scale of each scorer that has one set."""
        return {name: each.scale for name, each in self.scorers.items() if each.scale}

    def minimum(self, scorer: str) -> float:
        """Return the value from which an answer passes."""
        return self.minimums.get(scorer, SCORERS[scorer].minimum)

    def decides(self, scorer: str) -> bool:
        """Return whether the scorer can fail a case; otherwise it only informs."""
        given = self.scorers[scorer].decides if scorer in self.scorers else None
        return SCORERS[scorer].decides if given is None else given


def nearest(suite: Path, folder: Path) -> tuple[Path | None, Thresholds]:
    """Return the thresholds file beside a suite or, going up to `folder`, the nearest one; without any, the defaults.

    Raises ConfigError with the file, the line and the error.
    """
    place = suite.parent
    while not (place / NAME).is_file():
        if place in (folder, place.parent):
            return None, Thresholds()
        place = place.parent
    path = place / NAME
    thresholds, root = read(path, Thresholds)
    for name in thresholds.scorers:
        named = f"{path}: Line {line_of(root, 'scorers', name)}"
        is_judge = issubclass(require_scorer(name, named), JudgeScorer)
        if not is_judge and (name in thresholds.rubrics or name in thresholds.scales):
            raise ConfigError(f"{named}: `{name}` gives no grades; `rubric` and `scale` are a judge's.")
    return path, thresholds
