"""What is good enough: `thresholds.yaml`."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from canopy.base.errors import ConfigError
from canopy.evals.scorers import SCORERS
from canopy.evals.scorers.judge import JudgeScorer
from canopy.evals.suites.yaml_files import line_of, read

NAME = "thresholds.yaml"

type _Share = Annotated[float, Field(ge=0, le=1)]


class _ThresholdsEntry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ScorerThresholds(_ThresholdsEntry):
    """What a scorer's values have to reach. What is not set is the scorer's own."""

    minimum: _Share | None = Field(None, description="The value with which an answer passes.")
    decides: bool | None = Field(None, description="Whether an answer below the minimum fails its case.")
    mean: _Share | None = Field(None, description="The mean over all cases with which the gate passes.")
    rubric: dict[str, _Share] | None = Field(None, min_length=1, description="What a judge's grades are worth.")
    scale: tuple[float, float] | None = Field(None, description="A judge's worst and best number.")

    @model_validator(mode="after")
    def _two_ends(self) -> Self:
        if self.scale is not None and self.scale[0] == self.scale[1]:
            raise ValueError("`scale` must be the worst and the best number, such as `[1, 5]`")
        return self


class Thresholds(_ThresholdsEntry):
    """The gate. Without a file every reviewed case has to pass."""

    pass_rate: _Share = Field(1.0, description="Least share of the cases that pass, of those that have a score.")
    max_regressions: int | None = Field(
        0, ge=0, description="Most cases that passed in the baseline and fail now; null: as many as there are."
    )
    max_unscored: int = Field(0, ge=0, description="Most cases for which the scorers may fail.")
    scorers: dict[str, ScorerThresholds] = {}

    @property
    def minimums(self) -> dict[str, float]:
        """By scorer; those that are not set are missing."""
        return {name: each.minimum for name, each in self.scorers.items() if each.minimum is not None}

    @property
    def rubrics(self) -> dict[str, dict[str, float]]:
        """By scorer; those that are not set are missing."""
        return {name: each.rubric for name, each in self.scorers.items() if each.rubric}

    @property
    def scales(self) -> dict[str, tuple[float, float]]:
        """By scorer; those that are not set are missing."""
        return {name: each.scale for name, each in self.scorers.items() if each.scale}

    def minimum(self, scorer: str) -> float:
        """The value with which an answer passes."""
        return self.minimums.get(scorer, SCORERS[scorer].minimum)

    def decides(self, scorer: str) -> bool:
        """Whether it can fail a case; otherwise it informs."""
        given = self.scorers[scorer].decides if scorer in self.scorers else None
        return SCORERS[scorer].decides if given is None else given


def nearest(suite: Path, folder: Path) -> tuple[Path | None, Thresholds]:
    """The thresholds beside a suite or, going up to `folder`, the first there are; without any the defaults.

    Raises ConfigError with the file, the line and what is wrong there.
    """
    place = suite.parent
    while not (place / NAME).is_file():
        if place in (folder, place.parent):
            return None, Thresholds()
        place = place.parent
    path = place / NAME
    thresholds, root = read(path, Thresholds)
    for name in thresholds.scorers:
        if name not in SCORERS:
            known = ", ".join(f"`{each}`" for each in SCORERS)
            line = line_of(root, "scorers", name)
            raise ConfigError(f"{path}: Line {line}: `{name}` is no scorer. There are {known}.")
        if not issubclass(SCORERS[name], JudgeScorer) and (name in thresholds.rubrics or name in thresholds.scales):
            line = line_of(root, "scorers", name)
            raise ConfigError(f"{path}: Line {line}: `{name}` gives no grades; `rubric` and `scale` are a judge's.")
    return path, thresholds
