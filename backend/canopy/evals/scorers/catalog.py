"""The scorers that a suite can name in its `scoring_params`."""

from collections.abc import Mapping

from canopy.evals.scorers.basic import Equality, SubsetOf
from canopy.evals.scorers.judge import JudgeScorer
from canopy.evals.scorers.kinds import ScorerSpec
from canopy.evals.scorers.length import Length
from canopy.evals.scorers.rouge import Rouge

SCORERS: Mapping[str, type[ScorerSpec]] = {
    "llm-as-judge::base": JudgeScorer,
    "basic::subset_of": SubsetOf,
    "basic::equality": Equality,
    "rouge": Rouge,
    "length": Length,
}
