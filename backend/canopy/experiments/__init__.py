"""Runs A/B experiments on prompts: assignment, comparisons, ballots, statistics, and when to stop."""
