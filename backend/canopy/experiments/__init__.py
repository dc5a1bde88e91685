"""A/B experiments on prompts: assignment, ballots, statistics, and when to stop."""
