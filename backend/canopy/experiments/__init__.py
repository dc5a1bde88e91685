"""Comparing two prompts: who compares, what the votes prove, when to stop. Nothing here reads or writes anything."""

from canopy.experiments.rule import Rule

__all__ = ["Rule"]
