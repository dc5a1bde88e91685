"""The metrics on /metrics: one group for each noun, and `Metrics`, which holds all groups.

`docs/operations.md` describes each metric. Label values come from closed or configured lists, or are bounded.
"""
