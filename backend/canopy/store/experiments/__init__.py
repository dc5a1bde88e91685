"""Keeps experiments, comparisons and ballots."""
