"""Registers the scorers that a suite can name in `scoring_params`."""

from collections.abc import Mapping

from canopy.base.errors import ConfigError
from canopy.evals.scorers.formulas import Equality, Length, SubsetOf
from canopy.evals.scorers.llm_judge import JudgeScorer
from canopy.evals.scorers.rouge import Rouge
from canopy.evals.scorers.spec import ScorerSpec

SCORERS: Mapping[str, type[ScorerSpec]] = {
    "llm-as-judge::base": JudgeScorer,
    "basic::subset_of": SubsetOf,
    "basic::equality": Equality,
    "rouge": Rouge,
    "length": Length,
}


def require_scorer(name: str, place: str) -> type[ScorerSpec]:
    """Return the scorer of this name. Raises ConfigError if there is none; `place` begins its sentence."""
    if name not in SCORERS:
        known = ", ".join(f"`{each}`" for each in SCORERS)
        raise ConfigError(f"{place} names `{name}`, which is no scorer. There are {known}.")
    return SCORERS[name]
