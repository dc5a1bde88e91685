"""Scorers, which rate an answer: one class each, registered in `SCORERS`."""

from canopy.evals.scorers.catalog import SCORERS, require_scorer
from canopy.evals.scorers.parameters import OpenScorers, open_scorers
from canopy.evals.scorers.spec import Row, Scorer

__all__ = ["SCORERS", "OpenScorers", "Row", "Scorer", "open_scorers", "require_scorer"]
