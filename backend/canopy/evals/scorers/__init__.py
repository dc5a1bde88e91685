"""Scorers: how good an answer is. One class each, one line in the registry."""

from canopy.evals.scorers.catalog import SCORERS
from canopy.evals.scorers.loading import OpenScorers, open_scorers
from canopy.evals.scorers.scorer import Row, Scorer

__all__ = ["SCORERS", "OpenScorers", "Row", "Scorer", "open_scorers"]
