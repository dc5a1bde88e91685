"""Scorers: how good an answer is. One class each, one line in the registry."""

from canopy.evals.scorers.base import Row, Scorer
from canopy.evals.scorers.opening import OpenScorers, open_scorers
from canopy.evals.scorers.registry import SCORERS

__all__ = ["SCORERS", "OpenScorers", "Row", "Scorer", "open_scorers"]
